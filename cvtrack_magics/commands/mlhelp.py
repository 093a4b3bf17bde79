"""``mlhelp()``: the magics, or one of them."""

from __future__ import annotations

from cvtrack_magics.commands.definition import Arg, Command, command
from cvtrack_magics.commands.show_lines import Table
from cvtrack_magics.commands.table import commands
from cvtrack_magics.errors import UsageProblem, did_you_mean


@command(name=Arg("MAGIC"))
def mlhelp(name: str = "") -> Table | str:
    """List the magics, or explain one.

    Parameters
    ----------
    name : str
        Which, with or without per cent signs.

    Returns
    -------
    Table or str
        A row for each magic; or one's options.

    Examples
    --------
    ::

        %mlhelp mlrun
    """
    known, name = commands(), name.lstrip("%")
    if not name:
        return Table(("magic", "what it does", "for example"), map(_row, known.values()))
    if name not in known:
        raise UsageProblem(f"There is no magic %{name}.{did_you_mean(name, known)}")
    return known[name].parser.format_help()


def _row(one: Command) -> tuple[str, str, str]:
    return one.magic, one.summary, one.example
