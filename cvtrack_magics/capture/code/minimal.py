"""The cells that a run needs, and its own, as one script."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cvtrack_magics.capture.code.cell_magics import is_python
from cvtrack_magics.capture.code.session import as_script
from cvtrack_magics.capture.code.slicing import needed_cells

_MAGIC = re.compile(r"^([ \t]*)([%!].*|[\w., \t]+=[ \t]*[%!].*)$", re.MULTILINE)


def script_cell(source: str) -> str:
    """Return a cell as jupytext has it in a script: magics as comments.

    A cell of another language, which would be no Python, is a call of its magic.
    """
    text = _MAGIC.sub(r"\1# \2", source) if is_python(source) else as_script(source)
    return f"# %%\n{text}\n"


def minimal_script(before: Sequence[str], body: Sequence[str]) -> str:
    """Return the cells that a run depends on, then its own, as Python.

    Parameters
    ----------
    before : sequence of str
        What was executed before the run, in the order of execution.
    body : sequence of str
        The run's own cells.
    """
    needed = sorted({at for source in body for at in needed_cells(before, source)})
    cells = [*(before[at] for at in needed), *body]
    head = "# The cells that the run needs, and its own: cvtrack exec minimal.py\n"
    return "\n".join([head, *(script_cell(source.rstrip("\n")) for source in cells)])
