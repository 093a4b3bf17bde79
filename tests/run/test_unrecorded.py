"""What log() is told with no run open is not recorded, and how much of it there was is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics.run.unrecorded import NO_RUN, NO_RUN_ABOVE, Unrecorded
from tests.run.test_workers import run_script
from tests.store_views import points, runs_of

WAYS = {
    "a script's end": ("for step in range(7): log({'x': 1.0}, step=step)\n", ["7 times"]),
    "one call": ("log({'x': 1.0}, step=0)\n", []),
    "the next run": (
        "for step in range(7): log({'x': 1.0}, step=step)\n"
        "with mlrun('r'): print('in the run', flush=True)\n",
        ["7 times", "in the run"],
    ),
    "each tenfold": (
        "for step in range(1234): log({'x': 1.0}, step=step)\n",
        ["10 times", "100 times", "1,000 times", "1,234 times"],
    ),
    "a worker's end": (
        "w = mp.get_context('spawn').Process(target=working.count, args=(0, 7))\n"
        "w.start(); w.join()\n",
        ["7 times"],
    ),
    "a forked worker's end": (
        "with mlrun('r'): pass\n"
        "w = mp.get_context('fork').Process(target=working.count, args=(0, 7))\n"
        "w.start(); w.join()\n",
        ["7 times"],
    ),
    "a worker's next run above": (
        "with mlrun('first'): pass\n"
        "pool = mp.get_context('spawn').Pool(1)\n"
        "pool.apply(working.count, (0, 7))\n"
        "with mlrun('r'): pool.apply(working.count, (0, 3))\n"
        "print('in the run', flush=True)\n"
        "pool.close(); pool.join()\n",
        ["7 times", "in the run"],
    ),
    "a worker that is killed": (
        "w = mp.get_context('spawn').Process(target=working.count_and_die, args=(0, 34))\n"
        "w.start(); w.join()\n",
        ["10 times"],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_how_much_was_not_recorded_is_said(way: str, store: str, tmp_path: Path) -> None:
    code, expected = WAYS[way]
    ran = run_script(code, tmp_path)
    said = ran.stdout + ran.stderr
    assert said.count("nothing is recorded") == 1, said
    assert said.count(" times without a run") == len([t for t in expected if "times" in t]), said
    places = [said.find(words) for words in expected]
    assert -1 not in places, said
    assert places == sorted(places), said
    if "worker" in way:
        assert said.count("(worker ") == len([t for t in expected if "times" in t]), said
    if way == "a worker's next run above":
        assert points(store, runs_of(store)["r"], "worker") == [(at, float(at)) for at in range(3)]


@pytest.mark.parametrize("worker", [False, True])
def test_in_cells_it_is_said_at_the_cells_end(worker: bool) -> None:
    said: list[str] = []
    unrecorded = Unrecorded(said.append, True, lambda: worker)
    for calls in (1, 0, 250):
        unrecorded.begin_cell()
        for _ in range(calls):
            unrecorded.add()
        unrecorded.run_is_open()
        unrecorded.end_cell()
    first = NO_RUN_ABOVE if worker else NO_RUN
    assert said[:2] == [first, first]
    assert len(said) == 3
    assert "250 times" in said[2]
