"""The way of a metric inside the process."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.metrics.channel import BATCH, Channel, Traffic, as_number
from cvtrack_magics.records import Metric


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


class Store:
    """Takes batches, and fails when told to."""

    def __init__(self) -> None:
        self.got: list[Metric] = []
        self.sizes: list[int] = []
        self.failures: list[bool] = []
        self.slow = 0.0

    def send(self, batch: list[Metric]) -> None:
        time.sleep(self.slow)
        if self.failures and self.failures.pop():
            raise ConnectionError("refused")
        self.got += batch
        self.sizes.append(len(batch))


@settings(max_examples=15, deadline=None)
@given(
    counts=st.lists(st.integers(1, 1500), min_size=1, max_size=4),
    failures=st.lists(st.booleans(), max_size=4),
)
def test_every_point_arrives_once_and_in_order(counts: list[int], failures: list[bool]) -> None:
    store = Store()
    store.failures = failures
    traffic = Traffic(send_interval=0.005, plot_interval=0.003)
    channel = Channel(store.send)
    traffic.open(channel)
    expected = 0
    try:
        for count in counts:
            for _ in range(count):
                channel.log({"a": expected}, None, 1)
                expected += 1
            time.sleep(0.004)
        assert traffic.close(channel, 20)
    finally:
        traffic.stop()
    assert [metric.value for metric in store.got] == list(range(expected))
    assert [metric.step for metric in store.got] == list(range(expected))
    assert max(store.sizes) <= BATCH


def test_a_slow_store_stops_neither_the_loop_nor_the_plot() -> None:
    store = Store()
    store.slow = 1.0
    shown: list[int] = []
    traffic = Traffic(send_interval=0.01, plot_interval=0.01)
    channel = Channel(store.send)
    channel.refresh = lambda fresh: shown.append(sum(map(len, fresh.values())))
    traffic.open(channel)
    for i in range(50):
        channel.log({"a": i}, None, 1)
        time.sleep(0.005)
    time.sleep(0.05)
    assert sum(shown) == 50
    assert not traffic.close(channel, 0.01)
    assert traffic.close(channel, 20)
    traffic.stop()
    assert [metric.value for metric in store.got] == list(range(50))


def test_a_plot_that_fails_loses_no_point() -> None:
    store = Store()
    traffic = Traffic(send_interval=0.01, plot_interval=0.01)
    channel = Channel(store.send)

    def broken(fresh: object) -> None:
        raise RuntimeError("no front end")

    channel.refresh = broken
    traffic.open(channel)
    for i in range(20):
        channel.log({"a": i}, None, 1)
        time.sleep(0.002)
    assert traffic.close(channel, 20)
    traffic.stop()
    assert len(store.got) == 20


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
