"""Values that a notebook is run with are params of its runs.

papermill, and ``cvtrack exec``, put them into a cell of their own, whose first line says so.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.records import Param
from cvtrack_magics.syntax import tree_of

FIRST_LINE = "# Parameters"
"""What papermill writes above the values."""


def names_in(source: str) -> tuple[str, ...]:
    """Return the names that a cell of parameters sets; of any other cell, none."""
    if source.lstrip().split("\n", 1)[0].strip() != FIRST_LINE:
        return ()
    try:
        body = tree_of(source).body
    except (SyntaxError, ValueError):
        return ()
    found: list[str] = []
    for item in body:
        targets = item.targets if isinstance(item, ast.Assign) else []
        if isinstance(item, ast.AnnAssign) and item.value is not None:
            targets = [item.target]
        found += [target.id for target in targets if isinstance(target, ast.Name)]
    return tuple(dict.fromkeys(found))


def params_of(source: str, values: Mapping[str, Any]) -> list[Param]:
    """Return what a cell of parameters set, as params; of any other cell, nothing.

    Parameters
    ----------
    source : str
        The cell.
    values : mapping of str to object
        The user's names once the cell has run.
    """
    from cvtrack_magics.capture.params.logged import describe_params

    given = {name: values[name] for name in names_in(source) if name in values}
    return [item for item in describe_params(given) if isinstance(item, Param)] if given else []
