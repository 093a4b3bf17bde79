"""Curves of earlier runs and of siblings, which are drawn behind a run's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvtrack_magics.delivery.series import Series

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

SIBLINGS = 5  # curves of how many nested runs are drawn behind the next one's
EARLIER = 50  # places in the notebook whose last curves are kept
CURVE = 1000  # points that are kept of a curve


class OtherCurves:
    """The last curves of each place in the notebook, thinned."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str, str], tuple[str, dict[str, Series]]] = {}

    def behind(self, scope: RunScope) -> list[tuple[str, dict[str, Series]]]:
        """Return the curves to draw behind a run's own: of its last time, and its siblings'."""
        found = list(scope.parent.under.items())[-SIBLINGS:] if scope.parent else []
        before = self._before.get(place_of(scope))
        own = _label_of(scope)  # a resumed run draws its earlier curves as its own
        siblings = any(label.startswith(scope.name) for label, _ in found)
        if before is not None and before[0] != own and not siblings:
            found.append(before)
        return found

    def remember(self, scope: RunScope, curves: Mapping[str, Series]) -> None:
        """Keep a run's curves for the runs after it."""
        thin = {name: s.decimated(CURVE) for name, s in curves.items() if len(s) > 1}
        if not thin:
            return
        label = _label_of(scope)
        self._before.pop(place_of(scope), None)
        self._before[place_of(scope)] = (label, thin)
        while len(self._before) > EARLIER:
            del self._before[next(iter(self._before))]
        if scope.parent is not None:
            scope.parent.under[label] = thin


def place_of(scope: RunScope) -> tuple[str, str, str]:
    """Return what two runs share when one is the other again."""
    return scope.cell.cell_id, scope.parent.name if scope.parent else "", scope.name


def _label_of(scope: RunScope) -> str:
    return f"{scope.name} {scope.run_id[:6]}".strip()
