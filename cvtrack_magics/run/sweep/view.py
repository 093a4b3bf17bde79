"""The table under a sweep's cell: its best trials, how many there are, how long it takes."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvtrack_magics.display.table_view import Listing
from cvtrack_magics.display.text import duration, number, numbers
from cvtrack_magics.run.sweep.chart import charts, importance_words, importances
from cvtrack_magics.run.sweep.ranking import CONFIDENCE, Estimate
from cvtrack_magics.run.sweep.spec import SweepSpec
from cvtrack_magics.run.sweep.trials import CHOSEN, MEASURED, SECONDS

if TYPE_CHECKING:
    from cvtrack_magics.run.host import Host
    from cvtrack_magics.run.sweep.study import Study

ROWS = 10
COLUMNS = 8
EVERY = 0.5  # seconds between two tables, at least
SHARE, SLOWEST = 30, 10.0
"""Times what a table takes, which so is a thirtieth of the sweep, and seconds at most."""
STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


class SweepView:
    """Shows a sweep, and what becomes of it.

    Parameters
    ----------
    host : Host
        Where it is shown.
    spec : SweepSpec
        What was asked for.
    digits : int
        Significant digits of a value.
    """

    def __init__(self, host: Host, spec: SweepSpec, digits: int) -> None:
        self._host = host
        self._spec = spec
        self._digits = digits
        self._place = f"cvtrack-{uuid.uuid4().hex}"
        self._shown = 0.0
        self._every = EVERY

    def show(self, study: Study, *, last: bool = False) -> None:
        """Show the table: at the beginning, and as it is at the end."""
        if not self._host.interactive_display:
            if last:
                self._host.say(repr(table(study, self._digits, chart=True)))
            return
        began = time.monotonic()
        bundle = table(study, self._digits, chart=last or not study.spec.more)._repr_mimebundle_()
        if self._shown:
            self._host.update(bundle, self._place)
        else:
            self._host.show(bundle, self._place)
        self._shown = time.monotonic()
        self._every = min(SLOWEST, max(EVERY, SHARE * (self._shown - began)))

    def refresh(self, study: Study) -> None:
        """Show the table as it is now, not too often."""
        if self._host.interactive_display and time.monotonic() - self._shown > self._every:
            self.show(study)


@dataclass(frozen=True)
class _Standing:
    """A sweep as it is now, read once."""

    spec: SweepSpec
    digits: int
    trials: list[Any]
    good: list[Any]
    first: list[Any]
    """The front, or the trials that were repeated, the best first."""
    best: Any
    worth: Mapping[int, Estimate]

    @classmethod
    def of(cls, study: Study, digits: int) -> _Standing:
        trials, good, spec = study.all(), study.good(), study.spec
        first = study.front_of(good) if spec.more else study.repeats.ranked(good)
        best = None if spec.more else study.repeats.first_of(good)
        return cls(spec, digits, trials, good, first, best, study.repeats.estimates(trials))

    @property
    def marks(self) -> dict[int, str]:
        if self.spec.more:
            return {one.number: "front" for one in self.first}
        return {} if self.best is None else {self.best.number: "best"}

    def ranked(self) -> list[Any]:
        """Return all: the best, or the front, then those that keep the rules, then others."""
        place = {one.number: at for at, one in enumerate(reversed([*self.first, *self.good]))}
        sign = self.spec.signs[0]

        def rank(one: Any) -> tuple[bool, int, float, int]:
            done = one.state.name == "COMPLETE"
            own = sign * one.values[0] if done else 0.0
            return not done, -place.get(one.number, -1), own, one.number

        return sorted(self.trials, key=rank)


def table(study: Study, digits: int, *, chart: bool = False) -> Listing:
    """Return the best trials of a sweep, the first one being the best.

    Parameters
    ----------
    study : Study
        The trials.
    digits : int
        Significant digits of a value.
    chart : bool
        Whether the trials are drawn, too, and what matters is said.
    """
    now = _Standing.of(study, digits)
    spec, ranked = now.spec, now.ranked()
    done = [one for one in now.trials if one.state.name == "COMPLETE"]
    shares = importances(study.study, done) if chart and not spec.more else {}
    names = list(dict.fromkeys(name for one in now.trials for name in one.params))[:COLUMNS]
    words = importance_words(shares)
    return Listing(
        title=f"Sweep {spec.name}",
        where=_aim(spec) + _bounds(spec),
        columns=("", "trial", *_heads(spec, bool(now.worth)), *names, "state", "time"),
        rows=_rows(ranked[:ROWS], names, now),
        notes=tuple(filter(None, (_counts(study, now.trials), *_notes(study, now), words))),
        pictures=charts(spec.metrics, ranked, shares, {*now.marks}) if chart else {},
    )


def _heads(spec: SweepSpec, repeated: bool) -> tuple[str, ...]:
    ends = "lower bound" if spec.direction == "maximize" else "upper bound"
    return (*spec.metrics, *(("mean", ends, "seeds") if repeated else ()))


def _aim(spec: SweepSpec) -> str:
    aims = ("most" if one == "maximize" else "least" for one in spec.directions)
    said = [f"{metric}, {aim} is best" for metric, aim in zip(spec.metrics, aims, strict=True)]
    return " · ".join(said)


def _counts(study: Study, trials: list[Any]) -> str:
    """Say how many trials and repeats there are, and about how long the rest takes."""
    wanted = study.spec.trials
    counted = Counter(STATES[one.state.name] for one in trials)
    said = ", ".join(f"{counted[state]} {state}" for state in STATES.values() if counted[state])
    notes = [f"{len(trials)} of {wanted} trials: {said}" if trials else "No trial yet."]
    repeats, ended = study.repeats.left()
    if repeats:
        notes.append(f"{ended} of {repeats} repeats")
    left = wanted - len(trials) + counted["running"] + repeats - ended
    took = [one.user_attrs[SECONDS] for one in trials if SECONDS in one.user_attrs]
    if left > 0 and took:
        each = sum(took) / len(took) / study.processes
        notes.append(f"about {duration(left * each)} left")
    if len(trials) > ROWS:
        notes.append(f"the best {ROWS} are shown; %mlruns has all")
    return "; ".join(notes)


def _notes(study: Study, now: _Standing) -> Iterator[str]:
    """Say how the best was found, and what it is on data that was not used to choose."""
    spec, best, digits = now.spec, now.best, now.digits
    if spec.more and now.first:
        yield (
            f"{len(now.first)} trials are on the front: no other is at least as good in all "
            "metrics and better in one"
        )
    worth = [one for one in now.worth.values() if one.n > 1]
    if worth:
        end = "highest lower" if spec.direction == "maximize" else "lowest upper"
        yield (
            f"best: the {end} end of the {CONFIDENCE:.0%} t interval of the mean over seeds, "
            "the trial's own value counted"
        )
        if all(one.bound == one.mean for one in worth):
            yield "All seeds gave the same: nothing in this cell depends on the seed."
    look = study.repeats.last_look(best.number) if best is not None else None
    if look is None:
        return
    found, said = now.worth.get(best.number), look.user_attrs
    chosen = number(found.mean if found else best.value, digits)
    where = f" (mean of {found.n} seeds)" if found else ""
    there = f", {spec.metric} {number(said[CHOSEN], digits)} there" if CHOSEN in said else ""
    measured = f"{said[MEASURED]} {number(look.value, digits)}{there}"
    yield (
        f"trial {best.number} measured again: {measured}; chosen by {spec.metric} {chosen}{where}"
    )
    if study.repeats.looks() > 1:
        yield (
            f"{said[MEASURED]} was looked at {study.repeats.looks()} times in this sweep: "
            "the more often, the less it says."
        )


def _bounds(spec: SweepSpec) -> str:
    return "".join(f", {bound}" for bound in spec.bounds)


def _rows(shown: Sequence[Any], names: list[str], now: _Standing) -> tuple[tuple[str, ...], ...]:
    """Return the rows of some trials; the points of a column stand below each other."""
    finished = [one.values if STATES[one.state.name] == "finished" else None for one in shown]
    values = [
        _column([row[at] if row else None for row in finished], now.digits)
        for at in range(len(now.spec.metrics))
    ]
    params = [_column([one.params.get(name) for one in shown], now.digits) for name in names]
    return tuple(
        _row(one, [column[at] for column in values], [column[at] for column in params], now)
        for at, one in enumerate(shown)
    )


def _row(one: Any, values: Sequence[str], params: Sequence[str], now: _Standing) -> tuple[str, ...]:
    digits, state = now.digits, STATES[one.state.name]
    done = state == "finished"
    values = list(values)
    if now.worth:
        found = now.worth.get(one.number)
        values += _worth(found, digits) if found else ["–", "–", "1" if done else "–"]
    if done and not any(one.number == other.number for other in now.good):
        state = "breaks a rule"
    took = one.user_attrs.get(SECONDS)
    mark = now.marks.get(one.number, "")
    return (mark, str(one.number), *values, *params, state, duration(took) if took else "–")


def _worth(found: Estimate, digits: int) -> list[str]:
    bound = number(found.bound, digits) if found.n > 1 else "–"
    return [number(found.mean, digits), bound, str(found.n)]


def _column(values: Sequence[Any], digits: int) -> list[str]:
    """Return what a column says: numbers with as many places each, and what is none as it is."""
    real = [value if isinstance(value, float) else None for value in values]
    return [
        word if one is not None else "–" if value is None else str(value)
        for value, one, word in zip(values, real, numbers(real, digits), strict=True)
    ]
