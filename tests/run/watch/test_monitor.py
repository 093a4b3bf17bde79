"""What is said of curves: nothing of those that are well, of the others what is wrong, in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.run.watch.monitor import Monitor
from tests.run.watch.curves import Curves, healthy, sick

Said = list[tuple[str, str, int]]


def series(values: Any, first: int = 0, times: Any = None) -> Series:
    steps = np.arange(first, first + len(values), dtype=np.int64)
    moments = steps.astype(float) if times is None else np.asarray(times, float)
    made = Series()
    made.add(steps.tobytes(), np.asarray(values, float).tobytes(), moments.tobytes())
    return made


def watched(curves: Curves, portion: int, *, watch: bool = True) -> Said:
    said: Said = []
    monitor = Monitor(lambda *what: said.append(what), watch=watch)
    longest = max(map(len, curves.values()))
    for at in range(0, longest, portion):
        monitor.take(
            {
                name: series(values[at : at + portion], at)
                for name, values in curves.items()
                if len(values) > at
            }
        )
    monitor.finish()
    return said


@pytest.mark.parametrize("portion", [7, 500])
def test_fifty_trainings_that_are_well_are_left_alone(portion: int) -> None:
    every = list(healthy())
    assert len(every) == 50
    some = [one for one in every if max(map(len, one[1].values())) <= 1500 * portion]
    assert {name: said for name, curves in some if (said := watched(curves, portion))} == {}


def curves_are_long(curves: Curves) -> bool:
    return max(map(len, curves.values())) > 1000


@pytest.mark.parametrize(("name", "kind", "since", "curves"), [*sick()], ids=[x[0] for x in sick()])
def test_what_is_wrong_is_said(name: str, kind: str, since: int, curves: Curves) -> None:
    for portion in (1, 50)[curves_are_long(curves) :]:
        said = watched(curves, portion)
        assert [one[0] for one in said] == [kind], name
        (length,) = map(len, curves.values())
        late = said[0][2] - since
        if kind == "not_finite":
            assert late < 2 + portion
        elif kind == "diverged":
            assert late <= max(40, length // 2)
    plain = watched(curves, 50, watch=False)  # no option is needed to be told of NaN
    assert [one[0] for one in plain] == [kind] * (kind == "not_finite")


def test_a_gap_in_what_is_measured_is_no_fault() -> None:
    every_third = np.where(np.arange(90) % 3 == 0, 0.5, np.nan)
    assert watched({"val/loss": every_third, "val/acc": every_third}, 1) == []
    unmeasured = {"per_class_f1/cat": np.array([np.nan])}
    assert watched(unmeasured, 1) == []


def stalled(gaps: list[float], quiet: float, **tick: Any) -> Said:
    said: Said = []
    monitor = Monitor(lambda *what: said.append(what), watch=True)
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    monitor.take({"loss": series(1 / (1 + times), 0, times)})
    monitor.tick(times[-1], tick.get("before"), paused=False)
    monitor.tick(times[-1] + quiet, tick.get("sign"), paused=tick.get("paused", False))
    return said


def test_a_stall_is_told_by_the_runs_own_pace() -> None:
    steps = [0.1] * 200
    epochs = [*steps, 200.0, *steps, 210.0]
    assert [kind for kind, *_ in stalled(steps, 130)] == ["stalled"]
    assert [kind for kind, *_ in stalled(epochs, 1100)] == ["stalled"]
    assert [kind for kind, *_ in stalled([60.0] * 30, 1900)] == ["stalled"]
    for gaps, quiet in ((steps, 100), (epochs, 900), ([60.0] * 30, 1500), ([0.1] * 3, 1e5)):
        assert stalled(gaps, quiet) == []
    assert stalled(steps, 1000, paused=True) == []
    assert stalled(steps, 1000, before=1, sign=2) == []  # an inner loop goes on without a point


class Loader:
    """A loader that takes its time, by a clock of the test."""

    num_workers = 2

    def __init__(self, clock: list[float], wait: float) -> None:
        self.clock, self.wait = clock, wait

    def __iter__(self) -> Any:
        for item in range(40):
            self.clock[0] += self.wait if item else 30.0
            yield item


@pytest.mark.parametrize(
    ("wait", "body", "told"),
    [(0.031, 0.069, True), (0.005, 0.095, False), (1e-4, 1e-4, False)],
    ids=["slow", "quick", "nothing but a loop"],
)
def test_the_share_of_waiting_for_data(
    monkeypatch: pytest.MonkeyPatch, wait: float, body: float, told: bool
) -> None:
    clock = [1.0]
    monkeypatch.setattr("cvtrack_magics.run.watch.monitor.perf_counter", lambda: clock[0])
    said: Said = []
    monitor = Monitor(lambda *what: said.append(what), watch=True)
    for _ in monitor.items(Loader(clock, wait), "batch"):
        clock[0] += body
    monitor.finish()
    assert len(said) == told
    if told:
        line = said[0][1]
        assert (
            line == "The loop 'batch' waited for data 31% of its time (31 ms an item, 2 workers)."
        )
