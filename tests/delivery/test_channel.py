"""The way of a metric inside the process."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.numbers import as_number
from cvtrack_magics.display.plot_feed import Pump
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal import points
from cvtrack_magics.system import time


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2.0), torch.tensor([2]), True],
)
def test_numbers_of_every_kind(value: object) -> None:
    assert float(as_number("k", value)) in (2.0, 1.0)


@pytest.mark.filterwarnings("error")
def test_a_tensor_with_a_gradient_gives_no_warning() -> None:
    assert as_number("loss", torch.tensor(2.0, requires_grad=True) * 1) == 2.0


@pytest.mark.parametrize(
    "value", ["2", None, 10**400, [1, 2], np.zeros(3), torch.zeros(2, 2), 1j, object()]
)
def test_what_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(UsageProblem, match="'my/key'"):
        as_number("my/key", value)


@pytest.mark.parametrize("step", [1.5, "3", 2**70, np.zeros(3)])
def test_what_is_no_step_is_refused_at_once(step: object) -> None:
    channel = Channel()
    with pytest.raises(UsageProblem, match="not a step"):
        channel.log({"a": 1}, step, 1)


@pytest.mark.parametrize("step", [3, np.int64(3), torch.tensor(3), True + 2])
def test_steps_of_every_kind(step: object) -> None:
    channel = Channel()
    channel.log({"a": 1}, step, 1)
    channel.drain()
    assert list(channel.history.series["a"].steps) == [3]


def test_a_value_changed_after_log_keeps_what_it_was() -> None:
    channel = Channel()
    running = torch.tensor(1.0)
    channel.log({"a": running}, None, 1)
    running += 5
    channel.drain()
    assert channel.history.series["a"].last == 1.0


def test_steps_are_counted_for_each_key_and_thinned() -> None:
    channel = Channel()
    for i in range(10):
        channel.log({"a": i}, None, 1)
        channel.log({"b": i}, None, 3)
    channel.log({"a": 99}, 50, 1)
    channel.log({"a": 100}, None, 1)
    channel.drain()
    series = channel.history.series
    assert list(series["a"].steps) == [*range(10), 50, 51]
    assert list(series["b"].steps) == [0, 3, 6, 9]
    assert list(series["b"].values) == [0, 3, 6, 9]


def test_nan_and_infinities_are_kept() -> None:
    channel = Channel()
    for value in (math.nan, math.inf, -math.inf):
        channel.log({"a": value}, None, 1)
    channel.drain()
    values = list(channel.history.series["a"].values)
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def test_a_plot_that_fails_loses_no_point() -> None:
    pump = Pump(interval=0.01)
    channel = Channel()

    def broken(fresh: object) -> None:
        raise RuntimeError("no front end")

    channel.refresh = broken
    pump.open(channel)
    for i in range(20):
        channel.log({"a": i}, None, 1)
        time.sleep(0.002)
    channel.refresh = None
    pump.close(channel)
    pump.stop()
    assert list(channel.history.series["a"].values) == list(range(20))
    assert "no front end" in pump.last_error


def test_the_pump_shows_each_point_once() -> None:
    shown: list[float] = []
    pump = Pump(interval=0.005)
    channel = Channel()
    channel.refresh = lambda fresh: shown.extend(fresh["a"].values)
    pump.open(channel)
    for i in range(200):
        channel.log({"a": float(i)}, i, 1)
        channel.main.write({"a": i + 0.5}, i)
        time.sleep(0.0005)
    pump.close(channel)
    pump.stop()
    assert shown == [i + half for i in range(200) for half in (0.0, 0.5)]


def test_a_clock_that_is_set_back_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel()
    channel.log({"a": 1.0}, 0, 1)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    channel.clock_moved()
    channel.log({"a": 2.0}, 1, 1)
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3600 * 10**9)
    channel.clock_moved()
    channel.log({"a": 3.0}, 2, 1)
    channel.drain()
    times = channel.history.series["a"].times
    assert times[0] < times[1] < times[2]
    assert times[1] - times[0] < 60
    assert 3500 < times[2] - times[1] < 3700


@pytest.mark.parametrize("metrics", [5, ["a"], {1: 2.0}, {"": 1.0}, {None: 1.0}])
def test_what_is_no_dict_of_names_is_refused(metrics: Any) -> None:
    with pytest.raises(UsageProblem):
        Channel().log(metrics, 1, 1)


class OnDevice:
    """A value that must not be read by the thread that logs it."""

    is_cuda = True

    def __init__(self, value: float) -> None:
        self.value = value
        self.readers: list[int] = []

    def numel(self) -> int:
        return 1

    def detach(self) -> OnDevice:
        return self

    def clone(self) -> OnDevice:
        return self

    def __float__(self) -> float:
        self.readers.append(threading.get_ident())
        return self.value


def test_a_value_on_a_device_is_read_by_another_thread() -> None:
    values = [OnDevice(float(i)) for i in range(50)]
    pump = Pump(interval=0.005)
    channel = Channel()
    pump.open(channel)
    for i, value in enumerate(values):
        channel.log({"loss": value, "lr": 0.1}, i, 1)
    time.sleep(0.1)
    assert all(value.readers and threading.get_ident() not in value.readers for value in values)
    pump.close(channel)
    pump.stop()
    assert list(channel.history.series["loss"].values) == list(range(50))
    assert list(channel.history.series["lr"].steps) == list(range(50))


def test_many_threads_may_log() -> None:
    channel = Channel()

    def work(name: str) -> None:
        for i in range(500):
            channel.log({name: i}, None, 1)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    channel.drain()
    assert {len(series) for series in channel.history.series.values()} == {500}


def test_each_metric_counts_its_own_steps() -> None:
    channel = Channel()
    channel.log({"a": 0, "b": 0}, None, 1)
    channel.log({"a": 1}, None, 1)
    channel.main.write({"a": 2.0}, 2)
    channel.log({"a": 3, "b": 1}, None, 1)
    channel.main.write({"a": 9.0}, 8)
    channel.log({"b": 2}, None, 1)
    channel.log({"a": 9}, None, 1)
    channel.drain()
    series = channel.history.series
    assert sorted(series["a"].steps) == [0, 1, 2, 3, 8, 9]
    assert list(series["b"].steps) == [0, 1, 2]


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_time_that_was_said_is_kept_to_the_digit_whatever_the_clocks_do(
    on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(tmp_path if on_disk else None)
    said = [1_700_000_000_000 + 7 * n for n in range(400)]
    ahead = iter(range(0, 10**12, 1_300_000))  # the wall clock drifts by 1.3 ms a segment
    monkeypatch.setattr(points, "_shift_now", lambda: 10**18 + next(ahead))
    for n, at in enumerate(said):
        channel.log_at({"a": n / 7}, n, at)
        if n % 50 == 49:
            channel.other.clock_moved()
    channel.drain()
    kept = [int(t * 1000 + 0.5) for t in channel.history.series["a"].times]
    assert kept == said
    found = [at // 1_000_000 for rows in channel.cursors()["other"].read() for at in rows.times]
    assert found == said
