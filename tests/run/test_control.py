"""Loops, and what the buttons ask of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cvtrack_magics import log, mlrun, track
from cvtrack_magics.run import current
from cvtrack_magics.run.control import Control
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def control() -> tuple[Control, list[tuple[str, str]], list[tuple[int, str]]]:
    said: list[tuple[str, str]] = []
    marks: list[tuple[int, str]] = []
    made = Control(
        lambda state, note: said.append((state, note)),
        lambda step, text: marks.append((step, text)),
        lambda: 7,
    )
    return made, said, marks


def test_without_a_run_it_is_a_plain_loop() -> None:
    assert list(track(iter("abc"), "x")) == ["a", "b", "c"]


def test_the_loop_counts_the_steps(store: str) -> None:
    with mlrun("steps", output=False):
        for epoch in track(range(3), "epoch"):
            for _ in track(iter(range(4)), "batch", total=4):
                log(loss=1.0)
                log({"given": 2.0}, step=100 + epoch)
            log(val=epoch)
        log(after=1)
    run = runs_of(store)["steps"]
    assert [s for s, _ in points(store, run, "loss")] == list(range(12))
    assert [s for s, _ in points(store, run, "val")] == [3, 7, 11]
    assert {s for s, _ in points(store, run, "given")} == {100, 101, 102}
    assert points(store, run, "after") == [(11, 1.0)]


def test_stop_ends_the_loops_and_the_code_after_them_runs(store: str) -> None:
    seen: list[str] = []
    with mlrun("stopped", output=False) as run:
        for epoch in track(range(1000), "epoch"):
            for batch in track(range(10), "batch"):
                log({"loss": float(batch)}, step=epoch * 10 + batch)
                if (epoch, batch) == (2, 4):
                    run._scope.control.act("stop")
            for _ in track(range(2), "validation"):
                seen.append(f"val {epoch}")
        for _ in track(range(3), "evaluation"):
            seen.append("evaluation")
        log({"final": 1.0}, step=1)
    assert seen == ["val 0"] * 2 + ["val 1"] * 2 + ["val 2"] * 2 + ["evaluation"] * 3
    found = runs_of(store)["stopped"]
    assert found.info.status == "FINISHED"
    assert found.data.tags["stopped_at_step"] == "24"
    assert found.data.metrics["final"] == 1.0
    assert "Stopped by the button at step 24." in run.summary.notices


def test_a_loop_left_early_or_by_an_error_is_over() -> None:
    made, _, _ = control()
    loop = made.enter("a", 10)
    inner = made.enter("b", None)
    made.leave(loop)  # the inner one is left by a generator that nobody closed
    assert made.bars()[-1].key == loop.key
    assert made.offers == {"mark"}
    made.leave(inner)
    assert made.step_now() is None


def test_pause_holds_the_loop_until_it_is_resumed() -> None:
    made, said, _ = control()
    loop = made.enter("a", 10)
    made.act("pause")
    assert loop.asked
    went_on = threading.Event()

    def work() -> None:
        assert made.go_on(loop)
        went_on.set()

    threading.Thread(target=work).start()
    assert not went_on.wait(0.3)
    made.act("resume")
    assert went_on.wait(1)
    assert not loop.asked
    assert said == [("paused", "at step 7"), ("running", "")]


def test_stop_in_a_pause_ends_the_loop() -> None:
    made, said, _ = control()
    loop = made.enter("a", 10)
    made.act("pause")
    made.act("stop")
    assert not made.go_on(loop)
    made.leave(loop)
    assert said[-1] == ("stopped", "at step 7")
    after = made.enter("b", 3)
    assert not after.asked


def test_an_interrupt_ends_a_pause() -> None:
    made, _, _ = control()
    loop = made.enter("a", 10)
    made.act("pause")

    def interrupt() -> None:
        time.sleep(0.1)
        import _thread

        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        made.go_on(loop)


def test_after_an_interrupt_in_a_pause_the_next_loop_runs() -> None:
    made, said, _ = control()
    loop = made.enter("a", 10)
    made.act("pause")
    threading.Timer(0.1, _interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        made.go_on(loop)
    made.leave(loop)
    assert not made.enter("b", 3).asked
    assert said[-1] == ("running", "")


def _interrupt() -> None:
    import _thread

    _thread.interrupt_main()


def test_a_pause_is_shown_and_counts_neither_into_rate_nor_into_the_time_left() -> None:
    from cvtrack_magics.display.progress import figures

    made, _, _ = control()
    outer, inner = made.enter("epoch", 10), made.enter("batch", 10)
    outer.started -= 50
    inner.started -= 10
    outer.done = inner.done = 5
    made.act("pause")
    threading.Timer(0.8, made.act, ["resume"]).start()
    waiting = threading.Thread(target=made.go_on, args=(inner,))
    waiting.start()
    while not made.bars()[0].paused:
        time.sleep(0.01)
    assert [figures(bar) for bar in made.bars()] == ["5/10 · paused", "5/10 · paused"]
    waiting.join()
    first, second = made.bars()
    assert [bar.paused for bar in (first, second)] == [False, False]
    assert first.elapsed < 50.5
    assert second.elapsed < 10.5
    assert second.rate == pytest.approx(0.5, rel=0.05)


def test_a_pause_in_a_child_run_counts_in_no_run_above_it() -> None:
    grand, _, _ = control()
    parent = Control(lambda *_: None, lambda *_: None, lambda: 0, around=grand)
    child = Control(lambda *_: None, lambda *_: None, lambda: 0, around=parent)
    around = [one.enter("fold", 10) for one in (grand, parent)]
    for loop in around:
        loop.started -= 10
        loop.done = 5
    inner = child.enter("batch", 10)
    child.act("pause")
    threading.Timer(0.8, child.act, ["resume"]).start()
    waiting = threading.Thread(target=child.go_on, args=(inner,))
    waiting.start()
    while not child.bars()[0].paused:
        time.sleep(0.01)
    assert grand.bars()[0].paused
    assert parent.bars()[0].paused
    waiting.join()
    for one in (grand, parent):
        bar = one.bars()[0]
        assert not bar.paused
        assert bar.elapsed < 10.5
        assert bar.rate == pytest.approx(0.5, rel=0.05)


def test_what_no_loop_can_do_is_not_done() -> None:
    made, said, marks = control()
    for action in ("stop", "pause", "nonsense"):
        made.act(action)
    assert said == []
    made.act("mark", "spike")
    assert marks == [(7, "spike")]


def test_a_mark_is_in_the_run(store: str) -> None:
    with mlrun("marked", output=False) as run:
        log({"a": 1.0}, step=41)
        log({"a": 1.0}, step=42)
        run._scope.control.act("mark", "lr <b>dropped</b>")
        run._scope.control.act("mark", "again")
    tags = runs_of(store)["marked"].data.tags
    assert tags["mark.1"] == "step 42: lr <b>dropped</b>"
    assert tags["mark.2"] == "step 42: again"


def test_bars_say_how_far_each_loop_is() -> None:
    made, _, _ = control()
    outer = made.enter("epoch", 2)
    first = made.enter("batch", 4)
    first.done = 4
    made.leave(first)
    assert [(b.desc, b.done, b.total) for b in made.bars()] == [("epoch", 0, 2), ("batch", 4, 4)]
    outer.done = 1
    second = made.enter("batch", 4)
    second.done = 1
    assert [(b.desc, b.done) for b in made.bars()] == [("epoch", 1), ("batch", 1)]
    assert made.step_now() == 5


def test_an_endless_loader_has_no_total(store: str) -> None:
    class Endless:
        def __iter__(self) -> Iterator[int]:
            return iter(range(3))

        def __len__(self) -> int:
            raise TypeError("unknown")

    seen: list[Any] = []
    with mlrun("endless", output=False) as run:
        for _ in track(Endless(), "x"):
            seen.append(run._scope.control.bars()[0].total)
    assert seen == [None] * 3


def test_what_the_run_uses_is_recorded_apart(store: str) -> None:
    session = current.get_session()
    session.config.usage_interval = 0.2
    with mlrun("used", output=False) as run:
        for i in range(15):
            log({"a": 1.0}, step=i)
            time.sleep(0.1)
    found = runs_of(store)["used"]
    assert found.data.metrics["system/memory_mb"] > 10
    assert len(points(store, found, "system/cpu_percent")) >= 3
    assert set(run.summary.metrics) == {"a"}


IN_A_TERMINAL = """
import time
from cvtrack_magics import mlrun, track
with mlrun("seen") as run:
    for _ in track(range(4), "epoch"):
        time.sleep(0.2)
"""


def test_a_terminal_shows_the_bar_and_the_run_does_not_record_it(store: str) -> None:
    import os
    import pty
    import sys

    shown: list[bytes] = []

    def read(handle: int) -> bytes:
        shown.append(os.read(handle, 4096))
        return shown[-1]

    assert pty.spawn([sys.executable, "-c", IN_A_TERMINAL], read) == 0
    text = b"".join(shown).decode()
    assert "epoch |" in text
    assert "/4" in text
    assert "✓ FINISHED seen" in text
    assert "output" not in text
