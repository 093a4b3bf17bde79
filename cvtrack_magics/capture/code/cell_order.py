"""In which order the cells of a notebook stand, as far as that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

from cvtrack_magics.capture.code.recipes import Evidence, Executed, Names, evidence_of
from cvtrack_magics.capture.code.steps import steps_of

OWN = "#"
"""Begins the key of a cell that the front end gave no id."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A notebook's file: when it was saved, in nanoseconds, and its cells of code, by their ids."""

    stamp: int = 0
    cells: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Notebook:
    """What was executed, and what the notebook's file says of it.

    Parameters
    ----------
    history : sequence of Executed
        In the order of execution.
    body : Executed
        The cell that is about to run.
    saved : Saved, optional
        Its file, where that is known.
    """

    history: Sequence[Executed]
    body: Executed
    saved: Saved = field(default_factory=Saved)

    @cached_property
    def last(self) -> dict[str, Executed]:
        """The last execution of each cell, in the order of their first one."""
        return {one.key: one for one in self.history}

    @cached_property
    def texts(self) -> dict[str, str]:
        """The text of each cell in the file, if the file and the front end have the same ids."""
        texts = dict(self.saved.cells)
        return texts if texts.keys() & {*self.last, self.body.key} else {}

    def is_later(self, cell: Executed) -> bool:
        """Say whether the notebook was certainly saved after a cell was executed."""
        return self.saved.stamp not in (0, cell.saved) and self.saved.stamp > cell.ended > 0

    def is_gone(self, cell: Executed) -> bool:
        """Say whether a cell is certainly not in the notebook any more."""
        last = self.last[cell.key]
        known = bool(self.texts) and not cell.key.startswith(OWN)
        return known and cell.key not in self.texts and self.is_later(last)

    def now(self, cell: Executed) -> Executed:
        """Return a cell as it is now: executed last, or saved since and not executed yet."""
        if cell.key == self.body.key:
            return self.body
        last = self.last[cell.key]
        text = self.texts.get(cell.key)
        if text is None or not self.is_later(last) or steps_of(text) == steps_of(last.source):
            return last
        return replace(last, source=text, ok=True)

    def is_below(self, cell: Executed) -> bool:
        """Say whether a cell stands below the body, where both are in the file."""
        places = {key: at for at, key in enumerate(self.texts)}
        mine = places.get(self.body.key)
        return mine is not None and places.get(cell.key, -1) > mine

    @cached_property
    def moved(self) -> dict[str, Executed]:
        """The cells of the file that were not executed, but as a part of others, or elsewhere.

        Cells are split, cut and pasted; they have other ids then.
        """
        known = {step.text for one in self.history for step in steps_of(one.source) or ()}
        fresh = {k: v for k, v in self.texts.items() if k not in self.last and k != self.body.key}
        steps = {key: steps_of(text) for key, text in fresh.items()}
        return {
            key: Executed(key, fresh[key])
            for key, some in steps.items()
            if some and all(step.text in known for step in some)
        }

    def orders(self) -> list[list[Executed]]:
        """Return the orders that the cells above the body may stand in."""
        return _by_file(self) if self.texts else _by_execution(self)

    def played(self, order: Sequence[Executed]) -> Names:
        """Return the names as they were if the cells were executed once, in an order."""
        evidence = evidence_of(self.history)
        for one in order:
            evidence.setdefault((one.key, one.source), self._unseen(one))
        names = Names(evidence)
        for one in order:
            names.execute(one)
        return names

    def _unseen(self, cell: Executed) -> Evidence:
        """Return what a text may do that has not been executed."""
        steps = steps_of(cell.source) or ()
        perhaps = frozenset[str]().union(*(one.perhaps | one.may_add for one in steps))
        is_moved = cell.key not in self.last
        grown = (one.grown for one in self.history if is_moved or one.key == cell.key)
        return Evidence(ever_bound=perhaps, ever_grown=frozenset[str]().union(*grown))


def _by_execution(notebook: Notebook) -> list[list[Executed]]:
    """Return the order in which cells were executed first, and that in which they were last.

    The run's own cell may stand last, or above what was executed after it.
    """
    history, body = notebook.history, notebook.body
    first = list(notebook.last)
    above = first[: first.index(body.key)] if body.key in first else first
    last = list(dict.fromkeys(one.key for one in reversed(history)))[::-1]
    return [
        [notebook.now(notebook.last[key]) for key in keys if key != body.key]
        for keys in (first, above, last)
    ]


def _by_file(notebook: Notebook) -> list[list[Executed]]:
    """Return the file's order, with what is not in it yet below the cell before it, or last."""
    cells = {key: notebook.now(one) for key, one in notebook.last.items()}
    cells = {key: one for key, one in cells.items() if not notebook.is_gone(one)}
    cells |= notebook.moved
    body = notebook.body.key
    keys = list(dict.fromkeys([*cells, body]))
    is_new = body not in notebook.texts
    found: list[list[Executed]] = []
    for cells_below, body_below in product((True, False), (False, True) if is_new else (False,)):
        order = _placed(notebook, keys, cells_below=cells_below, body_below=body_below)
        found.append([cells[key] for key in order[: order.index(body)]])
    return found


def _placed(
    notebook: Notebook, keys: Sequence[str], *, cells_below: bool, body_below: bool
) -> list[str]:
    """Return the keys in the file's order; one that is not in it, below the one before it or last.

    Last means: just above the body, where that stands last itself or is in the file.
    """
    order = [key for key in notebook.texts if key in keys]
    body = notebook.body.key
    loose: list[str] = []
    for at, key in enumerate(keys):
        if key in order:
            continue
        below = body_below if key == body else cells_below
        before = next((one for one in reversed(keys[:at]) if one in order), None)
        if below or before is None:
            order.insert(order.index(before) + 1 if before is not None else 0, key)
        else:
            loose.append(key)
    if body in loose:
        return [*order, *loose]
    place = order.index(body) if body in order else len(order)
    return [*order[:place], *loose, *order[place:]]
