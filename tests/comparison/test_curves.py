"""Where two curves part."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cvtrack_magics.comparison.curves import partings
from cvtrack_magics.comparison.result import is_timed
from tests.comparison.make import points

NAN = math.nan
CASES: dict[str, tuple[Any, Any, tuple[int, tuple[Any, Any]] | None]] = {
    "equal": (points([1, 2, 3]), points([1, 2, 3]), None),
    "NaN where NaN is": (points([1, NAN]), points([1, NAN]), None),
    "the last bit": (
        points([1, 2.0]),
        points([1, math.nextafter(2, 3)]),
        (1, (2.0, 2.0000000000000004)),
    ),
    "one ends sooner": (points([1, 2]), points([1, 2, 3]), (2, (None, 3))),
    "the other ends sooner": (points([1, 2, 3]), points([1, 2]), (2, (3, None))),
    "other steps": (points([1, 2]), points([1, 2], start=1), (0, (1, None))),
    "NaN where none was": (points([1, 2]), points([1, NAN]), (1, (2, NAN))),
    "none at all": ([], points([1]), (0, (None, 1))),
    "the order of arrival": (points([1, 2, 3]), points([1, 2, 3])[::-1], None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_point_that_is_not_the_same(case: str) -> None:
    one, other, wanted = CASES[case]
    found = partings("b", "a", {"loss": other}, {"loss": one})
    said = [(wanted[0], repr(wanted[1]))] if wanted else []  # NaN is not equal to itself
    assert [(parting.step, repr(parting.values)) for parting in found] == said


def test_the_metric_that_parts_first_comes_first_and_times_are_left_out() -> None:
    base = {
        "b": points([1, 2, 3]),
        "a": points([1, 2, 3]),
        "epoch_time": points([1]),
        "only": points([1]),
    }
    run = {"b": points([1, 9, 3]), "a": points([1, 2, 4]), "epoch_time": points([2])}
    assert [(p.metric, p.step) for p in partings("r", "s", run, base)] == [("b", 1), ("a", 2)]


@pytest.mark.parametrize(
    ("name", "timed"),
    [
        *((n, True) for n in ("FPS", "test/FPS", "epoch_time", "p50_latency_ms", "step/seconds")),
        *((n, True) for n in ("throughput_imgs_per_sec", "peak_mb", "train_time_hrs")),
        *((n, False) for n in ("val/loss", "timestep", "rms", "params", "sometimes/acc", "lr")),
    ],
)
def test_which_metrics_measure_the_machine(name: str, timed: bool) -> None:
    assert is_timed(name) == timed
