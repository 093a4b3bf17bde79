"""Says which names that a cell reads are not what the notebook, from top to bottom, makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cvtrack_magics.capture.code.cell_order import Notebook
from cvtrack_magics.capture.code.recipes import Act, Executed, Names, Recipe, evidence_of
from cvtrack_magics.capture.code.steps import steps_of

MOST = 5
"""Lines that are said of one run."""
_GONE = "which the saved notebook does not have any more"
_HEAD = re.compile(r"\A\s*%%mlrun\b(?P<line>[^\n]*)")
_PARAMS = re.compile(r"--params[ =](\S+)")


@dataclass(frozen=True, slots=True)
class Found:
    """Names that are stale for one reason.

    Attributes
    ----------
    names : tuple of str
        Which.
    line : str
        What is said of them, without a period.
    """

    names: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a name is stale; ``of`` is the name that the reason is found at, ``again`` what to run.

    Where ``of`` is another name, the stale one was made from it. ``text`` has ``{names}``.
    """

    text: str
    of: str = ""
    again: tuple[str, ...] = ()


def reads_of(*bodies: str) -> set[str]:
    """Return the names whose value from before them the cells of a run certainly read."""
    reads, own = set[str](), set[str]()
    for body in bodies:
        head = _HEAD.match(body)
        params = " ".join(f"{one}," for one in _PARAMS.findall(head["line"])) if head else ""
        for step in (*(steps_of(params) or ()), *(steps_of(body) or ())):
            reads |= step.reads - own
            own |= step.binds | step.perhaps
    return reads


def stale_names(notebook: Notebook, bodies: Sequence[str]) -> list[Found]:
    """Return the names that a body reads and that have become stale, with why and what to do.

    Parameters
    ----------
    notebook : Notebook
        What was executed before the body.
    bodies : sequence of str
        The run's own cells: one, or those of a run over several.

    Notes
    -----
    A name is stale when its recipe (the statements that made and changed its value, and what
    they read) is another one in every order that the cells may stand in. What a run's own cell
    changes is no recipe: to train on is no mistake. Where anything is uncertain, nothing is said.
    """
    names_read = reads_of(*bodies)
    if not names_read:
        return []
    actual = Names(evidence_of(notebook.history))
    for one in notebook.history:
        actual.execute(one)
    read = actual.reached(names_read)
    stale = {name: one for name, one in read.items() if not one.unsure}
    ideals: list[Names] = []
    for order in notebook.orders() if stale else ():
        ideals.append(notebook.played(order))
        stale = {k: one for k, one in stale.items() if _differs(one, ideals[-1].known.get(k))}
        if not stale:
            return []
    names = [name for name in actual.known if name in stale]  # as they were made
    teller = _Teller(notebook, actual, ideals[0]) if names else None
    return _grouped((name, teller.reason(name)) for name in names) if teller else []


def _differs(actual: Recipe, ideal: Recipe | None) -> bool:
    return ideal is None or (not ideal.unsure and ideal.digest != actual.digest)


def _grouped(reasons: Iterable[tuple[str, _Reason]]) -> list[Found]:
    """Return one line for all the names that are stale for the same reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    again: dict[tuple[str, str], list[str]] = {}
    for name, reason in reasons:
        key = reason.text, reason.of
        groups.setdefault(key, []).append(name)
        again.setdefault(key, []).extend(reason.again)
    found = []
    for (text, of), names in groups.items():
        cells = [one for one in dict.fromkeys(again[text, of]) if one.startswith("cell [")]
        line = text.replace("{names}", _listed(f"`{one}`" for one in names))
        line = line.replace("{were}", "was" if len(names) == 1 else "were")
        line = line.replace("{come}", "comes" if len(names) == 1 else "come")
        run = f"; run {_cells(cells)} again" if cells else ""
        found.append(Found(tuple(names), f"{line}{run}"))
    return found


def lines_of(found: Sequence[Found]) -> list[str]:
    """Return what is said of stale names, a line each."""
    lines = [f"{one.line}." for one in found[:MOST]]
    rest = [name for one in found[MOST:] for name in one.names]
    if rest:
        names = _listed(f"`{one}`" for one in rest)
        lines.append(f"{names} {'is' if len(rest) == 1 else 'are'} stale for other reasons.")
    return lines


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _cells(cells: Sequence[str]) -> str:
    numbers = [one.removeprefix("cell ") for one in cells]
    return f"cell{'s' if len(numbers) > 1 else ''} {_listed(numbers)}"


@dataclass(frozen=True)
class _Teller:
    """Finds the reason why a recipe is not the one that the notebook's order gives."""

    notebook: Notebook
    actual: Names
    ideal: Names

    def reason(self, name: str) -> _Reason:
        try:
            return self._between(name, self.actual.known[name], self.ideal.known.get(name))
        except RecursionError:  # made from each other, again and again
            return _Reason("{names} {come} from what has changed since")

    def _cell(self, cell: Executed) -> str:
        if cell.key == self.notebook.body.key:
            return "this cell"
        last = self.notebook.last.get(cell.key)
        return f"cell [{last.number}]" if last is not None and last.number else "a cell above"

    def _between(self, name: str, actual: Recipe, ideal: Recipe | None) -> _Reason:
        theirs = ideal.acts if ideal is not None else ()
        for at, (one, other) in enumerate(zip(actual.acts, theirs, strict=False)):
            if one.digest != other.digest:
                if one.text == other.text:
                    return self._made_from(one, other)
                is_made = not at and not actual.given
                return self._made(one, other) if is_made else self._changed(actual, one)
        if len(actual.acts) > len(theirs):
            extra = actual.acts[len(theirs)]
            if not theirs and not actual.given:
                return self._made(extra, None)
            return self._changed(actual, extra)
        return self._not_changed(name, theirs[len(actual.acts)])

    def _made(self, act: Act, other: Act | None) -> _Reason:
        """Return why a name is bound by another statement than that of the notebook's order."""
        cell = self._cell(act.by)
        if self.notebook.is_gone(act.by):
            text = (
                f"{{names}} {{come}} from {cell}, which the saved notebook does not have any more"
            )
            return self._instead(text, other)
        if not self._has(act):
            if self.notebook.last[act.by.key].source != self.notebook.now(act.by).source and (
                act.by.key != self.notebook.body.key
            ):
                text = f"{{names}} {{come}} from {cell} as it was before it was edited"
                return _Reason(text, again=(cell,))
            return self._instead(f"{{names}} {{come}} from an earlier version of {cell}", other)
        below = "which stands below this one in the notebook"
        if other is None:
            return _Reason(f"{{names}} {{come}} from {cell}, {below}: move it up")
        mine = self._cell(other.by)
        what = below if self.notebook.is_below(act.by) else f"which ran after {mine}"
        return _Reason(
            f"{{names}} {{come}} from {cell}, {what}; from top to bottom {mine} defines it",
            again=(mine,),
        )

    def _instead(self, text: str, other: Act | None) -> _Reason:
        if other is None:
            return _Reason(f"{text}, and no cell defines it now: define it again")
        return _Reason(text, again=(self._cell(other.by),))

    def _has(self, act: Act) -> bool:
        """Say whether a statement is in its cell still."""
        now = self.notebook.now(act.by).source
        return act.by.source == now or any(act.text == one.text for one in steps_of(now) or ())

    def _made_from(self, act: Act, other: Act) -> _Reason:
        """Return why a statement read something else: the first name in a chain of them."""
        cell = self._cell(act.by)
        for key, one in act.inputs.items():
            theirs = other.inputs.get(key)
            if theirs is None or theirs.digest != one.digest:
                return self._through(key, one, theirs, cell)
        fresh = next(key for key in other.inputs if key not in act.inputs)
        return _Reason(f"{{names}} {{were}} made before `{fresh}` was", fresh, (cell,))

    def _through(self, key: str, one: Recipe, theirs: Recipe | None, cell: str) -> _Reason:
        now = self.actual.known.get(key)
        inner = self._between(key, one, theirs)
        again = (*inner.again, cell)
        if inner.of:  # it was made from something else that changed
            return _Reason(inner.text, inner.of, again)
        if theirs is not None and now is not None and now.digest == theirs.digest:
            return _Reason(f"{{names}} {{were}} made with an earlier `{key}`", key, (cell,))
        said = inner.text.replace("{names}", f"`{key}`")
        said = said.replace("{come}", "comes").replace("{were}", "was")
        return _Reason(f"{{names}} {{were}} made with `{key}`, and {said}", key, again)

    def _changed(self, recipe: Recipe, act: Act) -> _Reason:
        """Return why an object was changed by more than the notebook has."""
        cell = self._cell(act.by)
        makers = () if recipe.given else (self._cell(recipe.acts[0].by),)
        text = "{names} {were} changed by"
        if self.notebook.is_gone(act.by):
            return _Reason(f"{text} {cell}, {_GONE}", again=makers)
        if not self._has(act):
            return _Reason(f"{text} an earlier version of {cell}", again=(*makers, cell))
        times = sum(one.text == act.text and one.by.key == act.by.key for one in recipe.acts)
        if times > 1:
            return _Reason(f"{text} {cell} {times} times", again=(*makers, cell))
        below = ", which stands below this one" if self.notebook.is_below(act.by) else ""
        return _Reason(f"{text} {cell}{below}", again=makers)

    def _not_changed(self, name: str, act: Act) -> _Reason:
        cell = self._cell(act.by)
        text = f"{cell}, which changes `{name}`, has not run since it was made"
        return _Reason(text, again=(cell,))


def tag_of(found: Sequence[Found]) -> str:
    """Return what the run's tag says."""
    return "; ".join(one.line for one in found[:MOST])
