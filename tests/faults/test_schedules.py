"""Random schedules of faults; nothing acknowledged is lost or doubled.

The first ``TESTED`` of the 200 that ``make faults`` plays. One is replayed alone by its seed:
``python -m tests.faults 17``.
"""

from __future__ import annotations

import pytest

from tests.faults.crowd import Crowd
from tests.faults.schedule import COUNT, ROUGH, STORES, schedule_of

TESTED = 40

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


@pytest.mark.parametrize("seed", range(TESTED))
def test_schedule(seed: int, crowd: Crowd) -> None:
    if schedule_of(seed).store not in crowd.arena.servers:
        pytest.skip("PostgreSQL is not installed; 'make postgres' installs it")
    result = crowd.result(seed)
    assert not result.verdict.problems, str(result)


def test_the_schedules_are_many_and_of_all_kinds() -> None:
    schedules = [schedule_of(seed) for seed in range(COUNT)]
    assert len({str(s) for s in schedules}) == COUNT >= 200
    assert [str(s) for s in schedules] == [str(schedule_of(seed)) for seed in range(COUNT)]
    for store in STORES:
        assert sum(s.store == store for s in schedules) >= 80
    for kind in ROUGH:
        assert sum(s.rough == kind for s in schedules) >= 8
