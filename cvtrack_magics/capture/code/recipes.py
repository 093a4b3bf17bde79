"""How the names of a notebook came by what they are: a recipe, which two orders can share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cvtrack_magics.capture.code.steps import Step, steps_of


@dataclass(frozen=True, slots=True)
class Executed:
    """A cell that was executed.

    Attributes
    ----------
    key : str
        Which cell: the front end's id, or one of its own where there is none.
    source : str
        What was typed.
    number : int
        In ``In [n]``; 0 where the front end counts none.
    ok : bool
        Whether it came to its end.
    run : str
        The name of the run that it is the body of.
    bound, grown : frozenset of str
        Names that were another object after it; that were the same object, and it had changed.
    saved : int
        When the notebook had been saved before it, in nanoseconds.
    ended : int
        When it ended.
    """

    key: str
    source: str
    number: int = 0
    ok: bool = True
    run: str = ""
    bound: frozenset[str] = frozenset()
    grown: frozenset[str] = frozenset()
    saved: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Act:
    """A statement that made or changed an object.

    ``slot`` says what of the object it sets; empty where it does something else each time.
    """

    text: str
    by: Executed
    inputs: Mapping[str, Recipe]
    slot: str = ""
    digest: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a name's value was made by, and was changed by since.

    Attributes
    ----------
    acts : tuple of Act
        The first made it; where that is not known, ``given`` is true.
    later : frozenset of str
        What else is read where the name is: the globals of a function.
    unsure : bool
        Whether something that is not certain was done to it, or to what it was made of.
    """

    acts: tuple[Act, ...] = ()
    given: bool = False
    later: frozenset[str] = frozenset()
    is_module: bool = False
    is_class: bool = False
    unsure: bool = False
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the executions of one text of a cell did: always, and at least once."""

    bound: frozenset[str] = frozenset()
    ever_bound: frozenset[str] = frozenset()
    grown: frozenset[str] = frozenset()
    ever_grown: frozenset[str] = frozenset()


def evidence_of(history: Iterable[Executed]) -> dict[tuple[str, str], Evidence]:
    """Return what the executions of each text of each cell have in common."""
    found: dict[tuple[str, str], list[Executed]] = {}
    for one in history:
        found.setdefault((one.key, one.source), []).append(one)
    return {what: _together([o for o in some if o.ok] or some) for what, some in found.items()}


def _together(some: Sequence[Executed]) -> Evidence:
    bound, grown = [one.bound for one in some], [one.grown for one in some]
    return Evidence(
        frozenset.intersection(*bound),
        frozenset.union(*bound),
        frozenset.intersection(*grown),
        frozenset.union(*grown),
    )


@dataclass
class Names:
    """The recipes of a notebook's names, as its cells are executed one after the other.

    Parameters
    ----------
    evidence : mapping
        What is known of how the cells ran; see :func:`evidence_of`.
    """

    evidence: Mapping[tuple[str, str], Evidence]
    known: dict[str, Recipe] = field(default_factory=dict)

    def execute(self, cell: Executed) -> None:
        """Give each name the recipe that it has after a cell."""
        steps = steps_of(cell.source)
        seen = self.evidence.get((cell.key, cell.source), Evidence())
        if steps is None:
            self._doubt(seen.ever_bound | seen.ever_grown)
            return
        changed = frozenset[str]().union(*(step.changes for step in steps))
        for step in steps:
            self._execute(step, cell, seen, changed)
        touched = frozenset[str]().union(*(step.touches for step in steps))
        self._doubt(seen.ever_bound - touched)
        if cell.run:
            return
        always = (seen.grown if cell.ok else cell.grown) - touched
        for name in sorted(always):
            self._change(name, Act(f"{name} in {cell.source}", cell, {}))
        self._doubt(seen.ever_grown - touched - always)

    def reached(self, names: Iterable[str]) -> dict[str, Recipe]:
        """Return the recipes of names, and of what their functions read when they are called."""
        found: dict[str, Recipe] = {}
        ahead = list(names)
        while ahead:
            name = ahead.pop()
            recipe = self.known.get(name)
            if recipe is not None and name not in found:
                found[name] = recipe
                ahead += recipe.later
        return found

    def _execute(self, step: Step, cell: Executed, seen: Evidence, changed: frozenset[str]) -> None:
        if not step.touches:
            return
        inputs = self.reached(step.reads)
        certain = step.touches if cell.ok else step.touches & cell.bound
        self._doubt(step.touches - certain)
        for name in step.binds & certain:
            self._bind(name, step, cell, inputs)
        for name in step.perhaps & certain & seen.ever_bound:
            if name in seen.bound:
                self._bind(name, step, cell, inputs)
            else:
                self._doubt([name])
        if cell.run:  # what a run does to its own state is told otherwise
            return
        # what a cell changes of two objects by each other is not told apart when it runs again
        others = {name: recipe for name, recipe in inputs.items() if name not in changed}
        for name in step.adds & certain:
            self._change(name, Act(step.text, cell, others))
        for name, slot in step.sets:
            if name in certain:
                self._change(name, Act(step.text, cell, others, slot))
        for name in step.may_add & certain & (seen.ever_bound | seen.ever_grown):
            if name in seen.bound | seen.grown:
                self._change(name, Act(step.text, cell, others))
            else:
                self._doubt([name])

    def _bind(self, name: str, step: Step, cell: Executed, inputs: Mapping[str, Recipe]) -> None:
        # an instance may call later what its class reads
        made_of = (inputs[one].later for one in step.reads & set(inputs) if inputs[one].is_class)
        later = step.later.get(name, frozenset()).union(*made_of)
        act = _signed(Act(step.text, cell, inputs))
        self.known[name] = _summed(
            Recipe((act,), False, later, step.imports, step.makes_class), name
        )

    def _change(self, name: str, act: Act) -> None:
        before = self.known.get(name, Recipe(given=True))
        if before.is_module:
            return
        act = _signed(act)
        made = before.acts[: 0 if before.given else 1]
        rest = [one for one in before.acts[len(made) :] if not act.slot or one.slot != act.slot]
        # which part is set first is no difference; what adds up keeps its order behind them
        acts = (*made, *sorted([*rest, act], key=lambda one: (not one.slot, one.slot)))
        self.known[name] = _summed(replace(before, acts=acts), name)

    def _doubt(self, names: Iterable[str]) -> None:
        for name in names:
            self.known[name] = replace(self.known.get(name, Recipe(given=True)), unsure=True)


def _signed(act: Act) -> Act:
    read = tuple(sorted((name, one.digest) for name, one in act.inputs.items()))
    return replace(act, digest=hash((act.text, act.slot, read)))


def _summed(recipe: Recipe, name: str) -> Recipe:
    unsure = recipe.unsure or any(one.unsure for act in recipe.acts for one in act.inputs.values())
    digest = hash((name, recipe.given, tuple(act.digest for act in recipe.acts)))
    return replace(recipe, unsure=unsure, digest=digest)
