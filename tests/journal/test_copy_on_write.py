"""Disks where a mapped page may find no room: rows are written, and none is lost or doubled."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.journal import through
from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.segments import FIRST_BYTES, WrittenSegment
from cvtrack_magics.journal.stored import GrowingStream, stream_files
from cvtrack_magics.system import os
from tests.journal.test_nested_calls import METRICS, log

ROW = 2 + 8 + 8 + 8 + 4
PER_SEGMENT = FIRST_BYTES // ROW
MANY = 60_000  # rows of three segments


@pytest.fixture(autouse=True)
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through, "copies_on_write", lambda folder: True)


class Told:
    """What the channel says of a disk that takes no more."""

    def __init__(self) -> None:
        self.errors: list[OSError] = []

    def __call__(self, error: OSError) -> None:
        self.errors.append(error)


def live(channel: Channel) -> list[int]:
    return [step for rows in Cursor(channel.main).read() for step in rows.steps.tolist()]


def stored(folder: Path, end: tuple[int, int] = (-1, 0), lacks: Sequence[str] = ()) -> list[int]:
    """Return the steps that another process reads, and check what it says that is not there."""
    stream = StoredStream(stream_files(folder).get("main", ()), 0, end)
    steps = [step for rows in Cursor(stream).read() for step in rows.steps.tolist()]
    assert [str(damage) for damage in stream.damage.values()] == list(lacks)
    return steps


def full_at(
    monkeypatch: pytest.MonkeyPatch, call: int, short: int, *, blanks: bool = True, calls: int = 2
) -> None:
    """Let one write put down a part of its bytes and the next fail, or the next few.

    Of zeros, which blank a part of a row, nothing fails unless it is told to.
    """
    write, count = os.pwrite, 0

    def pwrite(handle: int, data: bytes, offset: int) -> int:
        nonlocal count
        if not data.strip(b"\0"):
            if blanks:
                return write(handle, data, offset)
            raise OSError(errno.ENOSPC, "full")
        count += 1
        if count == call and short:
            return write(handle, data[:short], offset)
        if call <= count < call + calls:
            raise OSError(errno.ENOSPC, "full")
        return write(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)


@pytest.mark.parametrize("name", METRICS)
def test_what_a_call_wrote_is_in_the_file_when_it_returns(tmp_path: Path, name: str) -> None:
    channel = Channel(tmp_path)
    growing = GrowingStream(tmp_path, "main")
    seen, cursor = [], Cursor(growing)
    for step in range(150):
        log(channel, METRICS[name](step), step)
        growing.look()
        seen += [step for rows in cursor.read() for step in rows.steps.tolist()]
        assert seen == list(range(step + 1))
    assert live(channel) == stored(tmp_path) == seen


def test_many_segments_are_read_here_and_elsewhere(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    for step in range(MANY):
        log(channel, {"x": float(step)}, step)
    assert len(channel.main.segments) == 3
    assert live(channel) == stored(tmp_path, channel.ends()["main"]) == list(range(MANY))


def test_a_segment_that_is_written_needs_neither_memory_nor_an_open_file(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    for step in range(PER_SEGMENT + 10):
        log(channel, {"x": float(step)}, step)
    first = channel.main.segments[0]
    with pytest.raises(TypeError):
        first.data[0:1] = b"x"  # a view of the file, which others read
    assert isinstance(first, WrittenSegment)
    assert first.kept == first.end > 0
    channel.drain()
    channel.drop({"main": 1})
    assert [path.name for path in tmp_path.glob("main*")] == ["main-000001.rows"]
    assert live(channel)[-1] == PER_SEGMENT + 9


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
def test_files_are_closed_with_their_segments(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    channel = Channel(tmp_path)
    for step in range(MANY):
        log(channel, {"x": float(step)}, step)
    assert len(os.listdir("/proc/self/fd")) <= before + 3  # the current one's, and two views
    del channel
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("short", [0, 1, 2, 17, ROW - 4])  # its check is not there
@pytest.mark.parametrize("call", [1, 2, 500])
def test_rows_that_find_no_room_are_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, short: int
) -> None:
    told = Told()
    channel = Channel(tmp_path, told)
    full_at(monkeypatch, call, short)
    for step in range(1_000):
        log(channel, {"x": float(step)}, step)
    assert live(channel) == list(range(1_000))
    assert stored(tmp_path) == list(range(call - 1))
    assert [error.errno for error in told.errors] == [errno.ENOSPC]
    assert channel.ends() == {}  # what is in memory alone is nobody's to look for


def test_a_disk_with_room_again_takes_the_segment_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    channel = Channel(tmp_path, told)
    full_at(monkeypatch, 500, 5)
    for step in range(MANY):
        log(channel, {"x": float(step)}, step)
    found = stored(tmp_path, lacks=["segment 1 is missing"])
    assert live(channel) == list(range(MANY))
    assert found[:499] == list(range(499))
    assert found[499] > 499 + PER_SEGMENT
    assert found[499:] == list(range(found[499], MANY))
    assert len(told.errors) == 1


def test_a_disk_that_stays_full_is_asked_once_for_each_two_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    channel = Channel(tmp_path, told)
    full_at(monkeypatch, 1, 0, calls=10**9)
    for step in range(MANY):
        log(channel, {"x": float(step)}, step)
    assert live(channel) == list(range(MANY))
    assert stored(tmp_path, lacks=["segment 1 is missing"]) == []
    assert len(told.errors) == 2


def test_a_row_that_is_half_there_and_cannot_be_blanked_is_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(tmp_path, Told())
    full_at(monkeypatch, 500, 17, blanks=False)
    for step in range(MANY):
        log(channel, {"x": float(step)}, step)
    torn = "16 bytes of main-000000.rows are damaged"
    found = stored(tmp_path, lacks=["segment 1 is missing", torn])
    assert found[:499] == list(range(499))
    assert found[499] > 499
    assert live(channel) == list(range(MANY))


def test_what_is_said_to_be_there_at_a_runs_end_is_what_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(tmp_path, Told())
    full_at(monkeypatch, 500, 17)
    for step in range(500):
        log(channel, {"x": float(step)}, step)
    assert channel.ends()["main"][1] < channel.main.at
    assert stored(tmp_path, channel.ends()["main"]) == list(range(499))


@pytest.mark.parametrize("when", ["before the write", "behind it"])
def test_a_row_whose_write_was_interrupted_is_written_along_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    channel = Channel(tmp_path)
    log(channel, {"x": 0.0}, 0)
    write = os.pwrite

    def pwrite(handle: int, data: bytes, offset: int) -> int:
        monkeypatch.setattr(os, "pwrite", write)
        if when == "behind it":
            write(handle, data, offset)
        raise TimeoutError

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(TimeoutError):
        log(channel, {"x": 1.0}, 1)
    assert stored(tmp_path) == ([0, 1] if when == "behind it" else [0])
    log(channel, {"y": 1.0}, 2)
    assert stored(tmp_path) == live(channel) == [0, 1, 2]


def test_a_file_that_is_cut_by_somebody_costs_this_process_nothing(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    log(channel, {"x": 0.0}, 0)
    os.truncate(tmp_path / "main-000000.rows", 10)
    for step in range(1, PER_SEGMENT + 10):
        log(channel, {"x": float(step)}, step)
    assert live(channel) == list(range(PER_SEGMENT + 10))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux names its file systems by number")
def test_a_file_system_is_known_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert through._type_of(Path("/proc")) == 0x9FA0
    assert through._type_of(tmp_path / "nowhere") == 0
    assert not through.copies_on_write(Path("/proc"))
    monkeypatch.setitem(through._COPYING, 0x9FA0, "proc")
    assert through.copies_on_write(Path("/proc"))


@pytest.mark.parametrize(("copies", "kind"), [(True, "WrittenStream"), (False, "Stream")])
def test_the_disk_decides_how_a_channel_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: bool, kind: str
) -> None:
    monkeypatch.setattr(through, "copies_on_write", lambda folder: copies)
    channel = Channel(tmp_path)
    assert {type(channel.main).__name__, type(channel.other).__name__} == {kind}
    assert type(Channel(None).main).__name__ == "Stream"
