"""A journal that another process still writes: what is there, and what is not yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.journal.points import Cursor, Stream
from cvtrack_magics.journal.record_log import FILE, FactLog, GrowingFacts
from cvtrack_magics.journal.stored import GrowingStream
from cvtrack_magics.records import Artifact, End, Param


def never(error: OSError) -> None:
    raise error


def test_facts_come_as_they_are_added_and_once(tmp_path: Path) -> None:
    log, seen = FactLog(tmp_path, never), GrowingFacts(tmp_path, 0)
    assert seen.look() == []
    made = [log.add([Param("lr", "0.1")]), log.add([Artifact("a.txt", "text"), Param("b", "2")])]
    assert seen.look() == made
    assert seen.look() == []
    last = log.add([], End("FINISHED", 7), {"main": (2, 99)})
    assert seen.look() == [last]
    assert seen.ends == {"main": (2, 99)}
    assert seen.damage == []


def test_what_the_store_has_is_passed_over(tmp_path: Path) -> None:
    log = FactLog(tmp_path, never)
    made = [log.add([Param(str(at), "x")]) for at in range(5)]
    assert GrowingFacts(tmp_path, 3).look() == made[3:]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_the_end_is_known_also_where_the_store_has_its_batch(tmp_path: Path, after: int) -> None:
    log, end = FactLog(tmp_path, never), End("FINISHED", 7)
    log.add([Param("one", "1")])
    seen = GrowingFacts(tmp_path, after)
    seen.look()
    assert seen.end is None
    log.add([Param("two", "2")])
    log.add([], end)
    seen.look()
    assert seen.end == end


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_under_way_is_not_there_yet(tmp_path: Path, cut: int) -> None:
    log = FactLog(tmp_path, never)
    made = [log.add([Param("one", "1")]), log.add([Param("two", "2")])]
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-cut])
    seen = GrowingFacts(tmp_path, 0)
    assert seen.look() == made[:1]
    (tmp_path / FILE).write_bytes(whole)
    assert seen.look() == made[1:]
    assert seen.damage == []


def test_a_damaged_line_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    log = FactLog(tmp_path, never)
    log.add([Param("one", "1")])
    second = log.add([Param("two", "2")])
    data = bytearray((tmp_path / FILE).read_bytes())
    data[20] ^= 4
    (tmp_path / FILE).write_bytes(data)
    seen = GrowingFacts(tmp_path, 0)
    assert seen.look() == [second]
    assert [str(item) for item in seen.damage] == [f"{data.index(10)} bytes of {FILE} are damaged"]


def test_rows_come_as_they_are_added_and_what_is_read_is_let_go(tmp_path: Path) -> None:
    stream, seen = Stream(tmp_path, "main", never), GrowingStream(tmp_path, "main")
    cursor = Cursor(seen)

    def look() -> list[Any]:
        seen.look()
        return [step for rows in cursor.read() for step in rows.steps.tolist()]

    assert look() == []
    done = 0
    for many in (1, 10, 5_000, 1, 40_000):
        for step in range(done, done + many):
            stream.add(("x",), [float(step)], step, 5)
        assert look() == list(range(done, done + many))
        done += many
    assert len(seen.segments) > 1
    seen.forget(cursor.passed)
    assert list(seen.segments) == [cursor.passed]
    stream.add(("x",), [1.0], done, 5)
    assert look() == [done]
    assert list(seen.segments) == [cursor.passed]
    assert seen.damage == {}


def test_a_reader_begins_where_another_got_to(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "main", never)
    for step in range(10):
        stream.add(("x",), [float(step)], step, 5)
    place = (0, stream.at)
    for step in range(10, 15):
        stream.add(("x",), [float(step)], step, 5)
    seen = GrowingStream(tmp_path, "main")
    seen.look()
    found = [step for rows in Cursor(seen, place).read() for step in rows.steps.tolist()]
    assert found == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("harm", ["gone", "emptied", "another run's"])
def test_facts_that_are_replaced_under_way_are_named(tmp_path: Path, harm: str) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
    log, seen = FactLog(mine, never), GrowingFacts(mine, 0)
    made = [log.add([Param("one", "1" * 500)]), log.add([Param("two", "2")])]
    assert seen.look() == made
    FactLog(theirs, never).add([Param("one", "other")])
    if harm == "gone":
        (mine / FILE).unlink()
    else:
        (mine / FILE).write_bytes(b"" if harm == "emptied" else (theirs / FILE).read_bytes())
    assert seen.look() == []
    assert seen.damage
    last = log.add([], End("FINISHED", 7))
    assert seen.look() == [last]
    assert seen.end == End("FINISHED", 7)


def test_a_growing_segment_that_is_another_stream_s_is_named(tmp_path: Path) -> None:
    for name in ("main", "other"):
        Stream(tmp_path, name, never).add((name,), [1.0], 0, 5)
    (tmp_path / "main-000000.rows").write_bytes((tmp_path / "other-000000.rows").read_bytes())
    stream = GrowingStream(tmp_path, "main")
    stream.look()
    assert list(Cursor(stream).read()) == []
    (damage,) = stream.damage.values()
    assert str(damage) == "main-000000.rows is a copy of segment other-000000"
