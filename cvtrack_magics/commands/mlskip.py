"""``%%mlskip``: a cell that the ranks of later ones leave out."""

from __future__ import annotations

from cvtrack_magics.commands.definition import command


@command(cell=True)
def mlskip() -> None:
    """Keep a cell from the ranks of ``%%mlrun NAME --ranks N``; here it runs as without the line.

    For what only the notebook is to do: looking at data, drawing, a first training that the ranks
    are not to repeat.

    Examples
    --------
    A cell's first line::

        %%mlskip
    """
