"""The steps of what is logged in loops: one axis for a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvtrack_magics import log, mlrun, track
from tests.run.loops import Wanted, steps_of
from tests.store_views import runs_of

pytestmark = pytest.mark.usefixtures("script")


def inner_and_outer() -> Wanted:
    for _ in track(range(4), "epoch"):
        for _ in track(range(5), "batch"):
            log({"train/loss": 1.0})
        log({"val/loss": 1.0})
    return {"train/loss": list(range(20)), "val/loss": [4, 9, 14, 19]}


def only_the_outer() -> Wanted:
    for _ in track(range(3), "epoch"):
        for _ in track(range(5), "batch"):
            pass
        log(a=1)
    return {"a": [0, 1, 2]}


def before_the_inner() -> Wanted:
    for _ in track(range(3), "epoch"):
        log(lr=1)
        for _ in track(range(2), "batch"):
            log(a=1)
    return {"a": [0, 1, 2, 3, 4, 5], "lr": [0, 1, 3]}


def three_levels() -> Wanted:
    for _ in track(range(2), "fold"):
        for _ in track(range(2), "epoch"):
            for _ in track(range(3), "batch"):
                log(a=1)
            log(b=1)
        log(c=1)
    return {"a": list(range(12)), "b": [2, 5, 8, 11], "c": [5, 11]}


def a_loop_beside() -> Wanted:
    for _ in track(range(2), "epoch"):
        for _ in track(range(3), "train"):
            log(a=1)
        for batch in track(range(2), "val"):
            log(b=batch)
        log(c=1)
    return {"a": list(range(6)), "b": [2, 2, 5, 5], "c": [2, 5]}


def a_deeper_loop_beside() -> Wanted:
    for _ in track(range(2), "epoch"):
        for _ in track(range(3), "train"):
            log(a=1)
        for batch in track(range(2), "val"):
            for flip in track(range(2), "flip"):
                log(b=batch + 10 * flip)
    return {"a": list(range(6)), "b": [2] * 4 + [5] * 4}


def a_silent_loop_first() -> Wanted:
    for _ in track(range(50), "sanity"):
        pass
    for _ in track(range(3), "epoch"):
        for _ in track(range(9), "statistics"):
            pass
        for _ in track(range(2), "batch"):
            log(a=1)
    return {"a": list(range(6))}


def one_after_the_other() -> Wanted:
    for _ in track(range(3), "warm-up"):
        log(a=1)
    for _ in track(range(2), "training"):
        for _ in track(range(2), "batch"):
            log(a=1)
        log(v=1)
    for _ in track(range(2), "test"):
        log(t=1)
    return {"a": list(range(7)), "v": [4, 6], "t": [7, 8]}


def the_same_loop_again() -> Wanted:
    for _ in range(2):
        for _ in track(range(3), "epoch"):
            log(a=1)
    return {"a": list(range(6))}


def left_early() -> Wanted:
    for _ in track(range(3), "epoch"):
        for batch in track(range(9), "batch"):
            log(a=1)
            if batch == 1:
                break
        log(v=1)
    return {"a": list(range(6)), "v": [1, 3, 5]}


def after_the_loops() -> Wanted:
    log(before=1)
    for _ in track(range(5), "epoch"):
        log(a=1)
    log(b=1)
    log(b=1)
    log(a=1)
    return {"before": [0], "a": [0, 1, 2, 3, 4, 5], "b": [4, 5]}


def a_given_step_counts() -> Wanted:
    for epoch in track(range(2), "epoch"):
        for _ in track(range(2), "batch"):
            log(a=1)
        log({"v": 1.0}, step=epoch)
    return {"a": [0, 1, 2, 3], "v": [0, 1]}


def batches_only_from_the_second_epoch_on() -> Wanted:
    for epoch in track(range(3), "epoch"):
        for _ in track(range(2), "batch"):
            if epoch > 0:
                log(a=1)
        log(v=1)
    return {"a": [2, 3, 4, 5], "v": [0, 3, 5]}


def epochs_of_one_batch() -> Wanted:
    for _ in track(range(3), "epoch"):
        for _ in track(range(1), "batch"):
            log(a=1)
        log(v=1)
    return {"a": [0, 1, 2], "v": [0, 1, 2]}


def epochs_in_a_plain_loop() -> Wanted:
    for _ in range(3):
        for _ in track(range(5), "batch"):
            log(a=1)
        log(v=1)
    return {"a": list(range(15)), "v": [4, 9, 14]}


def batches_in_a_plain_loop() -> Wanted:
    for epoch in track(range(3), "epoch"):
        for batch in range(2):
            log(a=epoch + batch / 10)
        log(v=1)
    return {"a": [0, 0, 1, 1, 2, 2], "v": [0, 1, 2]}


def two_loops_of_one_name() -> Wanted:
    for _ in track(range(2), "epoch"):
        for _ in track(range(3)):
            log(a=1)
        for batch in track(range(2)):
            log(b=batch)
        log(c=1)
    return {"a": list(range(6)), "b": [2, 2, 5, 5], "c": [2, 5]}


def one_after_the_other_of_one_name() -> Wanted:
    for number in track(range(6), "epoch"):
        if number % 3 == 0:
            log(a=1)
    for _ in track(range(2), "epoch"):
        log(b=1)
    return {"a": [0, 3], "b": [4, 5]}


def a_silent_loop_of_the_same_name_first() -> Wanted:
    for _ in track(range(50)):
        pass
    for _ in track(range(3)):
        log(a=1)
    return {"a": [0, 1, 2]}


def a_silent_loop_of_the_same_name_inside() -> Wanted:
    for _ in track(range(2), "epoch"):
        for _ in track(range(7)):
            pass
        for _ in track(range(2)):
            log(a=1)
        log(v=1)
    return {"a": [0, 1, 2, 3], "v": [1, 3]}


def one_loop_for_two_phases() -> Wanted:
    def phase(name: str) -> None:
        for batch in track(range(3), name):
            log({name: float(batch)})

    for _ in track(range(2), "epoch"):
        phase("train")
        phase("val")
    return {"train": list(range(6)), "val": [2] * 3 + [5] * 3}


def all_steps_given_inside() -> Wanted:
    step = 0
    for _ in track(range(3), "epoch"):
        for _ in track(range(5), "batch"):
            log({"a": 1.0}, step=step)
            step += 1
        log(v=1)
    return {"a": list(range(15)), "v": [4, 9, 14]}


def the_epoch_given_inside() -> Wanted:
    for epoch in track(range(3), "epoch"):
        for batch in track(range(5), "batch"):
            log({"a": float(batch)}, step=epoch)
        log(v=1)
    return {"a": [0] * 5 + [1] * 5 + [2] * 5, "v": [0, 1, 2]}


def steps_given_at_two_depths() -> Wanted:
    for epoch in track(range(2), "epoch"):
        for part in track(range(2), "part"):
            for batch in track(range(2), "batch"):
                log({"a": float(part)}, step=10 * epoch + batch)
        log(v=1)
    return {"a": [0, 0, 1, 1, 10, 10, 11, 11], "v": [1, 11]}


LOOPS = (
    two_loops_of_one_name,
    one_after_the_other_of_one_name,
    a_silent_loop_of_the_same_name_first,
    a_silent_loop_of_the_same_name_inside,
    one_loop_for_two_phases,
    all_steps_given_inside,
    the_epoch_given_inside,
    steps_given_at_two_depths,
    epochs_in_a_plain_loop,
    batches_in_a_plain_loop,
    inner_and_outer,
    only_the_outer,
    before_the_inner,
    three_levels,
    a_loop_beside,
    a_deeper_loop_beside,
    a_silent_loop_first,
    one_after_the_other,
    the_same_loop_again,
    left_early,
    after_the_loops,
    a_given_step_counts,
    batches_only_from_the_second_epoch_on,
    epochs_of_one_batch,
)


@pytest.mark.parametrize("loops", LOOPS)
def test_all_that_is_logged_shares_one_axis(loops: Callable[[], Wanted], store: str) -> None:
    found, wanted = steps_of(loops, store)
    assert found == wanted


def test_what_asks_for_the_step_agrees_with_log(store: str) -> None:
    seen = []
    with mlrun("r", output=False, code=False) as run:
        scope = run._scope
        for _ in track(range(2), "epoch"):
            for _ in track(range(3), "batch"):
                log({"train/loss": 1.0})
            log({"val/acc": 1.0})
            seen.append(scope.step_of(None))
            scope.control.act("mark", "note")
        seen.append(scope.step_of(None))
    assert seen == [2, 5, 5]
    found = runs_of(store)["r"]
    assert [found.data.tags[f"mark.{n}"] for n in (1, 2)] == ["step 2: note", "step 5: note"]


@pytest.mark.parametrize("batches", [1, 2, 7])
def test_the_best_epoch_is_the_epoch_on_any_axis(batches: int, store: str) -> None:
    with mlrun("r", output=False, code=False):
        for accuracy in track((0.1, 0.5, 0.9, 0.3), "epoch"):
            for _ in track(range(batches), "batch"):
                log({"train/loss": 1.0})
            log({"val/acc": accuracy})
    assert runs_of(store)["r"].data.metrics["best_epoch"] == 2
