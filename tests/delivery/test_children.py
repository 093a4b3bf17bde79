"""Forked children write streams of their own, and their parent reads them."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from pathlib import Path

import pytest

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.children import child_names


def work(folder: Path, key: str, count: int, kill: bool) -> None:
    channel = Channel(folder, None, child_names())
    for i in range(count):
        channel.log({key: float(i)}, i, 1)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("children", [1, 4])
def test_a_child_loses_nothing_and_its_parent_neither(
    tmp_path: Path, children: int, kill: bool
) -> None:
    context = mp.get_context("fork")
    channel = Channel(tmp_path)
    channel.log({"parent": 0.0}, 0, 1)
    tasks = [
        context.Process(target=work, args=(tmp_path, f"c{n}", 3_000, kill)) for n in range(children)
    ]
    for task in tasks:
        task.start()
    for i in range(1, 3_000):
        channel.log({"parent": float(i)}, i, 1)
        if i % 100 == 0:
            channel.drain()
    for task in tasks:
        task.join()
    channel.drain()
    series = channel.history.series
    assert set(series) == {"parent", *(f"c{n}" for n in range(children))}
    for one in series.values():
        assert sorted(one.steps) == list(range(3_000))
