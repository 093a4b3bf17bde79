"""How many cards of child runs a cell shows, before they are told in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

MOST = 3  # cards of child runs of one run under one cell


class ChildCards:
    """Counts under the outermost run: children of children are cards as well."""

    def __init__(self) -> None:
        self._shown: WeakKeyDictionary[RunScope, int] = WeakKeyDictionary()

    def is_one_too_many(self, scope: RunScope) -> bool:
        """Count a run that ends now, and say whether it is told in a line."""
        top = scope
        while top.parent is not None:
            top = top.parent
        if top is scope:
            return False
        shown = self._shown.get(top, 0)
        self._shown[top] = shown + 1
        return shown >= MOST

    def begin_cell(self) -> None:
        """Show cards again."""
        self._shown.clear()
