"""A few schedules of each class that needs no server, and the table that counts them.

``make faults`` plays all; one is replayed alone by ``python -m tests.faults damages 17-17``.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator

import pytest

from tests.faults.__main__ import asked
from tests.faults.classes import CLASSES, NEW
from tests.faults.classes.common import Bench, Kind, Seen, Stage
from tests.faults.classes.table import Heard, Row, play_one, table

PLAYED = [
    ("damages", 6),  # missing
    ("damages", 8),  # a FIFO
    ("damages", 13),  # a newer format
    ("signals", 1),
    ("signals", 4),
    ("folders", 4),
    ("folders", 9),
    ("lanes", 3),
    ("locks", 0),
    ("locks", 2),
    ("pages", 0),
    ("states", 4),
    ("models", 1),
]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Bench]]:
    """A bench for all, made when the first schedule is played."""
    made: dict[str, Bench] = {}
    yield made
    for bench in made.values():
        bench.close()


@pytest.mark.server
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "seed"), PLAYED)
def test_a_schedule_holds_and_meets_its_fault(
    name: str, seed: int, benches: dict[str, Bench], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind: Kind = importlib.import_module(f"tests.faults.classes.{name}").KIND
    if kind.why_not():
        pytest.skip(kind.why_not())
    if not benches:
        benches["all"] = Bench(tmp_path_factory.mktemp("classes"))
    with Heard().listening() as heard:
        seen = play_one(kind, seed, benches["all"], heard)
    assert not seen.problems, f"{kind.draw(seed)}\n" + "\n".join(seen.problems)
    assert seen.met, f"{kind.draw(seed)} did not meet its fault"
    assert seen.points > 0


@pytest.mark.parametrize("name", NEW)
def test_the_schedules_of_a_class_are_those_of_their_seeds(name: str) -> None:
    kind: Kind = importlib.import_module(f"tests.faults.classes.{name}").KIND
    plans = [str(kind.draw(seed)) for seed in range(NEW[name])]
    assert plans == [str(kind.draw(seed)) for seed in range(NEW[name])]
    assert len(set(plans)) == len(plans)


def test_there_are_more_than_four_hundred() -> None:
    assert sum(one.count for one in CLASSES.values()) >= 400
    assert {name: len(seeds) for name, seeds in asked([]).items()} == {
        name: one.count for name, one in CLASSES.items()
    }


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["17", "99"], {"company": [17, 99]}),
        (["3-5"], {"company": [3, 4, 5]}),
        (["damages", "3"], {"damages": [0, 1, 2]}),
        (["damages", "17-18"], {"damages": [17, 18]}),
        (["pages", "9-9", "16-16"], {"pages": [9, 16]}),
        (["lanes", "1", "locks", "2-2"], {"lanes": [0], "locks": [2]}),
    ],
)
def test_a_class_is_played_alone(words: list[str], wanted: dict[str, list[int]]) -> None:
    assert asked(words) == wanted


def _raises(plan: object, stage: Stage) -> Seen:
    raise ValueError("the harness is broken")


def _raises_in_a_thread(plan: object, stage: Stage) -> Seen:
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    return Seen(points=1, met=True)


def _says_it_raw(plan: object, stage: Stage) -> Seen:
    seen = Seen(points=1, met=True)
    script = stage.folder / "raw.py"
    script.write_text("1 / 0")
    stage.ended(stage.start("script", script, name="raw"), seen)
    return seen


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("play", "said"),
    [
        (_raises, "harness: ValueError: the harness is broken"),
        (_raises_in_a_thread, "ZeroDivisionError"),
        (_says_it_raw, "said it raw"),
    ],
)
def test_no_error_of_a_schedule_is_hidden(
    play: object, said: str, benches: dict[str, Bench], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not benches:
        benches["all"] = Bench(tmp_path_factory.mktemp("classes"))
    kind = Kind("made up", str, play)  # type: ignore[arg-type]
    with Heard().listening() as heard:
        seen = play_one(kind, 0, benches["all"], heard)
    assert said in "".join(seen.problems)


@pytest.mark.parametrize(
    ("held", "met", "right"), [(10, 10, True), (9, 10, False), (10, 5, True), (10, 4, False)]
)
def test_a_class_is_right_when_all_hold_and_half_meet_their_fault(
    held: int, met: int, right: bool
) -> None:
    row = Row("it")
    for number in range(10):
        row.add(Seen([] if number < held else ["lost"], 100, number < met))
    assert row.right is right
    assert f"| it | 10 | {held} | {met} | 1,000 | 0 |" in table([row])
    assert f"| all | 10 | {held} | {met} | 1,000 | 0 |" in table([row])


def test_a_class_that_cannot_be_played_says_why() -> None:
    row = Row("it", why="there is no PostgreSQL")
    assert row.right
    assert "not tried: there is no PostgreSQL" in table([row])
