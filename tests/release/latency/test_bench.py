"""The measurement itself, on runners whose times are known."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.release.latency import Absent, Bench, Row, Runner, bench, sampling
from cvtrack_magics.release.latency.caveats import remarks


def sleeper(per_image: float, **more: Any) -> Runner:
    return Runner(lambda batch: lambda: time.sleep(per_image * batch), **more)


def calling(function: Callable[[int], Any], **more: Any) -> Runner:
    return Runner(lambda batch: lambda: function(batch), **more)


def row(bench: Bench, cell: str) -> Row:
    found = bench.row(cell)
    assert found is not None
    return found


def test_a_known_time_is_found_and_never_undercut() -> None:
    found = row(bench({"sleep": sleeper(0.005)}, batches=[1], seconds=1.0), "sleep@1")
    assert found.min_ms is not None
    assert found.p50_ms is not None
    assert found.p95_ms is not None
    assert 5.0 <= found.min_ms <= found.p50_ms <= found.p95_ms
    assert found.p50_ms < 15
    low, high = found.intervals["p50"]
    assert 5.0 <= low <= found.p50_ms <= high
    assert 72 <= found.n <= 220
    assert found.p99_ms is None
    assert "p99" not in found.intervals


def test_throughput_is_images_over_time() -> None:
    found = bench({"sleep": sleeper(0.001)}, batches=[4, 1], seconds=0.3)
    assert [each.cell for each in found.rows] == ["sleep@1", "sleep@4"]
    for each in found.rows:
        assert each.mean_ms is not None
        assert each.throughput == pytest.approx(1000 * each.batch / each.mean_ms)
        assert 0 < each.throughput <= 1000  # the sleep's own limit, whatever the batch


def test_many_calls_give_every_percentile() -> None:
    found = row(bench({"quick": calling(lambda _: None)}, batches=[1], seconds=0.3), "quick@1")
    assert found.n > 1000
    assert found.p50_ms is not None
    assert found.p95_ms is not None
    assert found.p99_ms is not None
    assert found.p50_ms <= found.p95_ms <= found.p99_ms
    assert set(found.intervals) == {"p50", "p95", "p99"}
    assert found.std_ms is not None


def test_very_quick_calls_are_steady_by_their_number() -> None:
    found = row(bench({"quick": calling(lambda _: None)}, batches=[1], seconds=0.5), "quick@1")
    assert found.steady
    assert found.warm_up <= 10_001


def test_few_calls_give_few_percentiles_and_say_so() -> None:
    found = bench({"slow": sleeper(0.03)}, batches=[1], seconds=0.05)
    only = row(found, "slow@1")
    assert 6 <= only.n < 72
    assert only.p50_ms is not None
    assert only.p95_ms is None
    assert only.p99_ms is None
    assert set(found.metrics()) == {
        *("p50_latency_ms", "throughput_imgs_per_sec"),
        *("latency/slow/b1/p50_latency_ms", "latency/slow/b1/throughput_imgs_per_sec"),
    }
    said = " ".join(found.notes)
    assert f"p99 needs at least 368 calls: slow at batch 1 (n = {only.n})" in said
    assert "p95 needs at least 72 calls" in said


def test_slow_first_calls_are_not_counted() -> None:
    calls = {"n": 0}

    def warming(_: int) -> None:
        calls["n"] += 1
        time.sleep(0.05 if calls["n"] <= 5 else 0.0005)

    found = row(bench({"warming": calling(warming)}, batches=[1], seconds=0.6), "warming@1")
    assert found.first_s >= 0.05
    assert found.warm_up > 5
    assert found.p95_ms is not None
    assert found.p95_ms < 50


def test_what_never_settles_is_called_so() -> None:
    calls = {"n": 0}

    def slower(_: int) -> None:
        calls["n"] += 1
        time.sleep(0.002 * 1.12 ** min(calls["n"], 30))

    found = bench({"slower": calling(slower)}, batches=[1], seconds=0.2)
    assert not row(found, "slower@1").steady
    assert any(note.startswith("Not steady") for note in found.notes)


def test_the_device_is_waited_for_before_and_after_each_call() -> None:
    seen: list[str] = []

    def work(_: int) -> None:
        seen.append("call")

    waited = calling(work, wait=lambda: seen.append("wait"))
    bench({"waited": waited}, batches=[1], seconds=0.05)
    assert len(seen) % 3 == 0
    assert seen == ["wait", "call", "wait"] * (len(seen) // 3)


def test_work_that_ends_after_the_call_is_counted() -> None:
    later = calling(lambda _: None, wait=lambda: time.sleep(0.004))
    found = row(bench({"later": later}, batches=[1], seconds=0.1), "later@1")
    assert found.min_ms is not None
    assert found.min_ms >= 4.0


def test_a_batch_size_that_fails_leaves_the_others() -> None:
    def fixed(batch: int) -> None:
        if batch == 8:
            raise RuntimeError("out of memory\nmore of it from https://user:token@host/x")

    found = bench(
        {"fixed": calling(fixed), "other": calling(lambda _: None)}, batches=[1, 8], seconds=0.05
    )
    failed = row(found, "fixed@8")
    assert failed.note == "RuntimeError: out of memory"
    assert failed.n == 0
    assert failed.p50_ms is failed.throughput is failed.mean_ms is None
    assert all(each.n for each in found.rows if each is not failed)
    assert "fixed fails at batch 8: RuntimeError: out of memory" in found.notes
    assert "latency/fixed/b8/p50_latency_ms" not in found.metrics()
    assert found.headline == "fixed@1"


def test_a_failure_in_the_middle_is_a_failure() -> None:
    calls = {"n": 0}

    def breaks(_: int) -> None:
        calls["n"] += 1
        if calls["n"] > 150:
            raise ValueError("broke")
        time.sleep(0.001)

    found = bench(
        {"breaks": calling(breaks), "other": calling(lambda _: None)}, batches=[1], seconds=0.5
    )
    assert [each.runner for each in found.rows] == ["other"]
    assert "breaks is left out: ValueError: broke" in found.notes


def test_a_runner_that_fails_everywhere_is_a_note() -> None:
    def never(_: int) -> None:
        raise RuntimeError("no compiler")

    found = bench(
        {"never": calling(never), "gone": Absent("not here"), "runs": calling(lambda _: None)},
        batches=[1, 2],
        seconds=0.05,
    )
    assert {each.runner for each in found.rows} == {"runs"}
    assert found.headline == "runs@1"
    assert set(found.settings["runners"]) == {"runs"}
    assert "never is left out: RuntimeError: no compiler" in found.notes
    assert "gone is left out: not here" in found.notes


def test_nothing_to_measure_says_why() -> None:
    def never(batch: int) -> None:
        raise RuntimeError(f"no room for {batch}")

    with pytest.raises(CvtrackError, match=r"Nothing could be measured\. onnx: no file"):
        bench({"onnx": Absent("no file")}, seconds=0.05)
    with pytest.raises(CvtrackError, match="eager@1: RuntimeError: no room for 1; eager@2"):
        bench({"eager": calling(never)}, batches=[1, 2], seconds=0.05)


def test_the_headline_is_one_cell() -> None:
    runners = {"a": sleeper(0.001), "b": sleeper(0.002)}
    found = bench(runners, batches=[1, 2], seconds=0.1, headline="b@2")
    metrics = found.metrics()
    own = row(found, "b@2")
    assert metrics["p50_latency_ms"] == own.p50_ms == metrics["latency/b/b2/p50_latency_ms"]
    assert metrics["throughput_imgs_per_sec"] == own.throughput
    with pytest.raises(UsageProblem, match="Did you mean 'b@2'"):
        bench(runners, batches=[1, 2], seconds=0.1, headline="b@3")


def test_a_headline_that_fails_is_not_replaced() -> None:
    def fixed(batch: int) -> None:
        if batch == 2:
            raise RuntimeError("fixed")

    found = bench({"a": calling(fixed)}, batches=[1, 2], seconds=0.05, headline="a@2")
    assert "p50_latency_ms" not in found.metrics()
    assert "latency/a/b1/p50_latency_ms" in found.metrics()
    assert any("headline a@2 was not measured" in note for note in found.notes)


@pytest.mark.parametrize("arguments", [{"batches": []}, {"batches": [0, 1]}, {"seconds": 0}])
def test_arguments_that_cannot_be_used(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageProblem):
        bench({"a": calling(lambda _: None)}, **arguments)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_puts_everything_back(kind: type[BaseException]) -> None:
    held: list[str] = []

    @contextmanager
    def hold() -> Iterator[None]:
        held.append("in")
        try:
            yield
        finally:
            held.append("out")

    calls = {"n": 0}

    def work(_: int) -> None:
        calls["n"] += 1
        if calls["n"] > 300 and not gc.isenabled():
            raise kind

    assert gc.isenabled()
    with pytest.raises(kind):
        bench({"a": calling(work, hold=hold)}, batches=[1], seconds=1)
    assert held == ["in", "out"]
    assert gc.isenabled()


def test_the_collector_is_off_while_timing_only() -> None:
    states: list[bool] = []
    bench({"a": calling(lambda _: states.append(gc.isenabled()))}, batches=[1], seconds=0.05)
    assert states[0]
    assert not states[-1]
    assert gc.isenabled()


def test_runners_take_turns_in_an_order_of_the_seed() -> None:
    def turns(seed: int) -> list[str]:
        told: list[str] = []
        bench(
            {name: sleeper(0.001) for name in "abcd"},
            batches=[1],
            seconds=0.1,
            seed=seed,
            progress=lambda text, _: told.append(text),
        )
        return [text for text in told if "warm-up" not in text]

    first = turns(0)
    assert first[:12] == turns(0)[:12]
    assert first[:12] != turns(1)[:12]
    rounds = [first[at : at + 4] for at in range(0, 12, 4)]
    assert all(len(set(each)) == 4 for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1


def test_calls_that_follow_another_runner_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = 50_000_000
    monkeypatch.setattr(sampling, "SETTLE_NS", settle)
    calls: list[tuple[str, int, bool]] = []

    def work(name: str) -> None:
        calls.append((name, time.perf_counter_ns(), not gc.isenabled()))
        time.sleep(0.002)

    runners = {name: Runner(lambda _, name=name: lambda: work(name)) for name in "ab"}
    found = bench(runners, batches=[1], seconds=0.1)
    assert sum(timed for *_, timed in calls) == sum(row.n for row in found.rows)
    switched, last, checked = 0, "", 0
    for place, (name, at, timed) in enumerate(calls):
        if name != last:
            switched, last = at, name
        if timed and not calls[place - 1][2]:
            assert at - switched >= settle * 0.99
            checked += 1
    assert checked >= 6


def test_progress_goes_from_nothing_to_all() -> None:
    shares: list[float] = []
    bench(
        {"a": sleeper(0.001), "b": sleeper(0.001)},
        batches=[1, 2],
        seconds=0.1,
        progress=lambda _, share: shares.append(share),
    )
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_facts_are_ready_for_json() -> None:
    def fixed(batch: int) -> None:
        if batch == 2:
            raise RuntimeError("fixed")

    facts = {"device": "cpu", "precision": "float32"}
    found = bench(
        {"a": calling(fixed, facts=facts)}, batches=(np.int64(1), np.int64(2)), seconds=0.05
    )
    read = json.loads(written(found.file()))
    assert read["headline"] == "a@1"
    assert read["settings"]["runners"] == {"a": facts}
    assert read["settings"]["batches"] == [1, 2]
    assert read["rows"][0]["p50_ms"] == read["metrics"]["p50_latency_ms"]
    assert read["rows"][0]["intervals"]["p50"][0] <= read["rows"][0]["p50_ms"]
    assert read["rows"][1]["note"] == "RuntimeError: fixed"


def test_other_answers_are_noted() -> None:
    def says(value: float) -> Runner:
        return calling(lambda batch: np.full((batch, 3), value))

    found = bench(
        {"wrong": says(2.0), "eager": says(1.0), "right": says(1.0)}, batches=[1, 2], seconds=0.05
    )
    said = [note for note in found.notes if "otherwise" in note]
    assert said == [
        "wrong says otherwise than eager at batch 1: output 1 is up to 1 off, at values up to 1."
    ]


def noted(*rows: Row, **more: Any) -> str:
    given = {"absent": {}, "differences": {}, "ran": {}, "load": 0.0, "cores": 8.0, **more}
    return "\n".join(remarks(rows, rows[0].cell, **given))


def test_notes_on_the_machine() -> None:
    calm = Row("a", 1, n=1000, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0, mean_ms=1.0, steady=True)
    assert noted(calm) == ""
    assert "load 6.0 on 8 cores" in noted(calm, load=6.0)
    assert noted(calm, load=None) == ""
    ran = {"a": {"device": "cuda:0"}, "onnx": {"device": "cpu"}}
    assert "a on cuda:0, onnx on cpu" in noted(calm, ran=ran)


def test_notes_on_time() -> None:
    figures = {"n": 1000, "p50_ms": 1.0, "p95_ms": 1.0, "p99_ms": 1.0, "mean_ms": 1.0}
    assert "a at batch 1 (35%)" in noted(Row("a", 1, **figures, steady=True, spread=0.35))
    built = noted(Row("compile", 1, **figures, steady=True, first_s=12.0))
    assert built == "compile took 12.0 s for its first calls (compiling), not counted."
