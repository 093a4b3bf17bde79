"""Loops as people write them: an iterable that is wrapped once, generators, errors, depth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from cvtrack_magics import log, track
from tests.run.loops import Wanted, steps_of

pytestmark = pytest.mark.usefixtures("script")


def a_loader_wrapped_once() -> Wanted:
    batches = track(range(3), "batch")
    for _ in track(range(2), "epoch"):
        for batch in batches:
            log({"b": float(batch)})
        log(v=1)
    return {"b": [0, 1, 2, 3, 4, 5], "v": [2, 5]}


def batches_of_a_function_that_yields() -> Wanted:
    def batches() -> Iterator[int]:
        yield from track(range(5), "batch")

    for epoch in track(range(2), "epoch"):
        for batch in batches():
            log({"b": float(10 * epoch + batch)})
            if batch == 1:
                break
        log(v=epoch)
    return {"b": [0, 1, 2, 3], "v": [1, 3]}


def an_error_in_the_inner_loop() -> Wanted:
    for epoch in track(range(2), "epoch"):
        with contextlib.suppress(ValueError):
            for batch in track(range(3), "batch"):
                log({"b": float(10 * epoch + batch)})
                if batch == 1:
                    raise ValueError
        log(v=epoch)
    return {"b": [0, 1, 2, 3], "v": [1, 3]}


def epochs_in_a_while_loop() -> Wanted:
    epoch = 0
    while epoch < 3:
        for batch in track(range(2)):
            log({"b": float(batch)})
        log(v=epoch)
        epoch += 1
    return {"b": [0, 1, 2, 3, 4, 5], "v": [1, 3, 5]}


def four_levels() -> Wanted:
    for fold in track(range(2)):
        for epoch in track(range(2)):
            for part in track(range(2)):
                for batch in track(range(2)):
                    log({"b": float(batch)})
                log({"part": float(part)})
            log({"epoch": float(epoch)})
        log({"fold": float(fold)})
    b, part = list(range(16)), list(range(1, 16, 2))
    return {"b": b, "part": part, "epoch": [3, 7, 11, 15], "fold": [7, 15]}


def one_wrapped_loader_asked_for_its_next() -> Wanted:
    batches = track(range(4))
    log({"b": float(next(batches))})
    for batch in batches:
        log({"b": float(batch)})
    return {"b": [0, 1, 2, 3]}


LOOPS = (
    a_loader_wrapped_once,
    batches_of_a_function_that_yields,
    an_error_in_the_inner_loop,
    epochs_in_a_while_loop,
    four_levels,
    one_wrapped_loader_asked_for_its_next,
)


@pytest.mark.parametrize("loops", LOOPS)
def test_all_that_is_logged_shares_one_axis(loops: Callable[[], Wanted], store: str) -> None:
    found, wanted = steps_of(loops, store)
    assert found == wanted


def test_a_wrapped_iterable_has_its_length_and_ends_where_the_iterable_does() -> None:
    batches = track([1, 2, 3])
    assert len(batches) == 3  # type: ignore[arg-type]
    assert [list(batches), list(batches)] == [[1, 2, 3], [1, 2, 3]]
    once = track(iter([1, 2, 3]))
    assert [list(once), list(once)] == [[1, 2, 3], []]
    with pytest.raises(TypeError):
        len(once)  # type: ignore[arg-type]
