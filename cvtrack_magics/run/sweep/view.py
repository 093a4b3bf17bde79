"""The table under a sweep's cell: its best trials, how many there are, how long it takes."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from cvtrack_magics.display.table_view import Listing
from cvtrack_magics.display.text import duration, number
from cvtrack_magics.run.sweep.spec import SweepSpec

if TYPE_CHECKING:
    from cvtrack_magics.run.host import Host
    from cvtrack_magics.run.sweep.study import Study

ROWS = 10
COLUMNS = 8
EVERY = 0.5  # seconds between two tables
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

    def show(self, study: Study, *, last: bool = False) -> None:
        """Show the table: at the beginning, and as it is at the end."""
        if not self._host.interactive_display:
            if last:
                self._host.say(repr(table(study, self._digits)))
            return
        bundle = table(study, self._digits)._repr_mimebundle_()
        if self._shown:
            self._host.update(bundle, self._place)
        else:
            self._host.show(bundle, self._place)
        self._shown = time.monotonic()

    def refresh(self, study: Study) -> None:
        """Show the table as it is now, not too often."""
        if self._host.interactive_display and time.monotonic() - self._shown > EVERY:
            self.show(study)


def table(study: Study, digits: int) -> Listing:
    """Return the best trials of a sweep, the first one being the best."""
    spec, trials = study.spec, study.all()
    best = study.best()
    names = list(dict.fromkeys(name for one in trials for name in one.params))[:COLUMNS]
    rows = [_row(one, names, best, digits) for one in _ranked(study)[:ROWS]]
    counted = Counter(STATES[one.state.name] for one in trials)
    said = ", ".join(f"{counted[state]} {state}" for state in STATES.values() if counted[state])
    notes = [f"{len(trials)} of {spec.trials} trials: {said}" if trials else "No trial yet."]
    left = spec.trials - len(trials) + counted["running"]
    took = [one.user_attrs["seconds"] for one in trials if "seconds" in one.user_attrs]
    if left > 0 and took:
        notes.append(f"about {duration(left * sum(took) / len(took))} left")
    if len(trials) > ROWS:
        notes.append(f"the best {ROWS} are shown; %mlruns has all")
    aim = "most" if spec.direction == "maximize" else "least"
    return Listing(
        title=f"Sweep {spec.name}",
        where=f"{spec.metric}, {aim} is best" + _bounds(spec),
        columns=("", "trial", spec.metric, *names, "state", "time"),
        rows=tuple(rows),
        notes=("; ".join(notes),),
    )


def _bounds(spec: SweepSpec) -> str:
    return "".join(f", {bound}" for bound in spec.bounds)


def _ranked(study: Study) -> list[Any]:
    sign = 1 if study.spec.direction == "minimize" else -1

    def rank(one: Any) -> tuple[int, float, int]:
        kept = all(x <= 0 for x in one.user_attrs.get("bounds", ()))
        done = one.state.name == "COMPLETE"
        return (
            0 if done and kept else 1 if done else 2,
            sign * one.value if done else 0,
            one.number,
        )

    return sorted(study.all(), key=rank)


def _row(one: Any, names: list[str], best: Any, digits: int) -> tuple[str, ...]:
    value = number(one.value, digits) if one.state.name == "COMPLETE" else "–"
    params = [_shown(one.params.get(name), digits) for name in names]
    took = one.user_attrs.get("seconds")
    kept = all(x <= 0 for x in one.user_attrs.get("bounds", ()))
    state = STATES[one.state.name]
    if state == "finished" and not kept:
        state = "breaks a rule"
    first = "best" if best is not None and one.number == best.number else ""
    return (first, str(one.number), value, *params, state, duration(took) if took else "–")


def _shown(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return number(value, digits)
    return "–" if value is None else str(value)
