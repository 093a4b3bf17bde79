"""What a comparison found, in a few sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cvtrack_magics.comparison.result import CONFIDENCE, Compared, Parting, RunHead, Verdict


def labels_of(runs: tuple[RunHead, ...]) -> dict[str, str]:
    """Return what each run is called by its id: its name, with the id where a name is taken."""
    count = Counter(run.name for run in runs)
    return {
        run.run_id: run.name if count[run.name] == 1 else f"{run.name} ({run.run_id[:8]})"
        for run in runs
    }


def sentences(found: Compared) -> Iterator[str]:
    """Yield why the runs differ and where they part, first what matters most."""
    these = "These two" if len(found.runs) == 2 else f"These {len(found.runs)}"
    kinds = [cause.kind for cause in found.causes]
    first = first_difference(found)
    if found.should_be_equal and found.differs:
        yield f"{these} should be equal and are not: {first or 'their last values differ'}."
        return
    if not found.differs:
        same = f"all {found.equal_metrics} metrics are equal to the last bit"
        if kinds:
            yield f"{these} differ in {_listed(kinds)}, and {same}."
        else:
            yield f"{these} are equal in all that was recorded, and {same}."
        return
    if kinds:
        yield f"{these} differ in {_listed(kinds)}."
    else:
        yield "Nothing that was recorded of them differs, but their metrics do."
    if first:
        yield f"Their curves part here: {first}."
    if found.unseeded:
        yield "A run has no seed, so its figures change each time; %%mlrun --seed N sets one."


def first_difference(found: Compared) -> str:
    """Say which metric differs first, and at which step; nothing where no curve does."""
    labels = labels_of(found.runs)
    if not found.partings:
        return ""
    earliest: Parting = min(found.partings, key=lambda one: one.step)
    values = " and ".join(_value(value) for value in earliest.values)
    said = f"first differing metric {earliest.metric} at step {earliest.step} ({values})"
    return said if len(found.runs) == 2 else f"{said}, of {labels[earliest.run]}"


def _value(value: float | None) -> str:
    return "no point" if value is None else repr(value)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def in_words(verdict: Verdict, labels: Mapping[str, str]) -> str:
    """Return a verdict as one sentence."""
    run, base = labels[verdict.run], labels[verdict.base]
    if verdict.gain is None or verdict.low is None or verdict.high is None:
        return f"{verdict.metric}: whether {run} is better than {base} is undecided: {verdict.why}"
    interval = (
        f"gain {verdict.gain:+.4g}, {CONFIDENCE:.0%} interval {verdict.low:+.4g} to "
        f"{verdict.high:+.4g}, {verdict.samples:,} samples that both were measured on"
    )
    if verdict.outcome == "undecided":
        return f"{verdict.metric}: whether {run} is better than {base} is undecided ({interval})"
    return f"{verdict.metric}: {run} is {verdict.outcome} than {base} ({interval})"
