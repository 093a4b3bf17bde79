"""The interpreter's switch interval is the user's again when no run is open."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from cvtrack_magics import mlrun
from cvtrack_magics.delivery.thread_switching import INTERVAL


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("before", "inside", "set_in_run", "after"),
    [
        (0.005, INTERVAL, None, 0.005),
        (0.02, INTERVAL, None, 0.02),
        (0.0001, 0.0001, None, 0.0001),  # shorter already
        (0.005, INTERVAL, 0.05, 0.05),  # the user's own choice inside the run stays
    ],
)
def test_switches_are_short_only_while_a_run_is_open(
    before: float, inside: float, set_in_run: float | None, after: float
) -> None:
    sys.setswitchinterval(before)
    with mlrun("outer"), mlrun("inner", nested=True):
        assert sys.getswitchinterval() == pytest.approx(inside)
        if set_in_run is not None:
            sys.setswitchinterval(set_in_run)
    assert sys.getswitchinterval() == pytest.approx(after)
