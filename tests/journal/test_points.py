"""Rows of points: written, read while they are written, and after a kill."""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtrack_magics.journal.points import Cursor, StoredStream, Stream
from cvtrack_magics.journal.rows import SegmentReader, version_of
from cvtrack_magics.journal.segments import FIRST_BYTES, MORE_BYTES

Row = tuple[int, dict[str, float]]


def stream(folder: Path | None = None) -> Stream:
    def fail(error: OSError) -> None:
        raise error

    return Stream(folder, "main", fail)


def put(target: Stream, metrics: dict[str, float], step: int, clock: int | None = None) -> None:
    now = time.monotonic_ns() if clock is None else clock
    target.add(tuple(metrics), list(metrics.values()), step, now)


def rows_of(cursor: Cursor) -> list[Row]:
    found = []
    for rows in cursor.read():
        for step, values in zip(rows.steps.tolist(), rows.values.tolist(), strict=True):
            found.append((step, dict(zip(rows.names, values, strict=True))))
    return found


names = st.sampled_from(["a", "b", "train/loss", "ünï", "long" * 40])
values = st.floats(allow_nan=False) | st.just(math.inf)
logged = st.lists(
    st.tuples(st.integers(-(2**62), 2**62), st.dictionaries(names, values, min_size=1)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(written=logged, fast=st.lists(st.booleans(), min_size=60, max_size=60))
def test_what_is_written_is_read(written: list[Row], fast: list[bool]) -> None:
    target = stream()
    reader = Cursor(target)
    found: list[Row] = []
    for (step, metrics), short in zip(written, fast, strict=False):
        if not (short and target.write(metrics, step)):
            put(target, metrics, step)
        if short:
            found += rows_of(reader)
    found += rows_of(reader)
    assert found == written
    assert rows_of(Cursor(target)) == written


def test_many_segments_are_read_in_order_and_from_any_place(tmp_path: Path) -> None:
    target = stream(tmp_path)
    for i in range(60_000):
        metrics = {"a": float(i), "b": -float(i)}
        if not target.write(metrics, i):
            put(target, metrics, i)
    files = sorted(tmp_path.glob("main-*.rows"))
    assert [path.stat().st_size for path in files][:2] == [FIRST_BYTES, MORE_BYTES]
    assert len(files) >= 3
    expected = [(i, {"a": float(i), "b": -float(i)}) for i in range(60_000)]
    assert rows_of(Cursor(target)) == expected

    stored = StoredStream([(int(path.stem[-6:]), path) for path in files])
    assert rows_of(Cursor(stored)) == expected
    places = [(0, row.end) for row in SegmentReader(files[0].read_bytes()).read()]
    size = 2 + 8 + 8 + 16 + 4
    for segment, offset in [*places, (0, places[0][1] - 5 * size), (1, 0), (1, 50_000)]:
        left = rows_of(Cursor(stored, (segment, offset)))
        assert left == expected[len(expected) - len(left) :]
    assert len(rows_of(Cursor(stored, (0, places[-1][1] - 5 * size)))) == (
        60_000 - rows_in(files[0]) + 5
    )


def rows_in(path: Path) -> int:
    return sum(len(rows) for rows in SegmentReader(path.read_bytes()).read())


def test_a_reader_beside_a_writer_sees_whole_rows_only() -> None:
    target = stream()
    done = threading.Event()
    seen: list[Row] = []

    def read() -> None:
        cursor = Cursor(target)
        while not done.is_set():
            seen.extend(rows_of(cursor))
        seen.extend(rows_of(cursor))

    thread = threading.Thread(target=read)
    thread.start()
    written = []
    for i in range(30_000):
        metrics = {"x": float(i)} if i % 7 else {"x": float(i), f"y{i % 70}": 1.0}
        if not target.write(metrics, i):
            put(target, metrics, i)
        written.append((i, metrics))
    done.set()
    thread.join()
    assert seen == written


@pytest.mark.parametrize("cut", range(0, 140))
def test_a_segment_cut_anywhere_gives_the_rows_before_the_cut(tmp_path: Path, cut: int) -> None:
    target = stream(tmp_path)
    for i in range(4):
        put(target, {"a": float(i)}, i)
    whole = (tmp_path / "main-000000.rows").read_bytes()[: target.at]
    torn = whole[:-cut] + bytes(cut) if cut else whole  # zeros are what a kill leaves
    row = 2 + 8 + 8 + 8 + 4
    if not version_of(torn):
        assert cut > 4 * row
        return
    found = [step for rows in SegmentReader(torn).read() for step in rows.steps.tolist()]
    assert found == list(range(max(0, 4 - -(-cut // row))))


def test_the_format_is_the_one_that_was_released() -> None:
    """A journal that an older version left must stay readable: these bytes never change."""
    text = json.dumps(["train/loss", "lr"]).encode()
    segment = (
        struct.pack("<8sq", b"CVTRACK\x01", 1_000)
        + struct.pack("<HHI", 0xFFFF, 7, len(text))
        + text
        + b"\xa5"
        + struct.pack("<HqqddB", 7, 41, 5, 0.25, math.inf, 0xA5)
        + struct.pack("<HqqddB", 7, 42, 6, math.nan, -1.0, 0xA5)
        + bytes(100)
    )
    (rows,) = SegmentReader(segment).read()
    assert rows.names == ("train/loss", "lr")
    assert rows.steps.tolist() == [41, 42]
    assert rows.times.tolist() == [1_005, 1_006]
    assert rows.values[0].tolist() == [0.25, math.inf]
    assert math.isnan(rows.values[1][0])


def test_the_second_format_is_the_one_that_was_released() -> None:
    text = json.dumps(["train/loss", "lr"]).encode()

    def checked(data: bytes, seed: int = 0) -> bytes:
        return data + struct.pack("<I", zlib.crc32(data, seed))

    named = struct.pack("<HHI", 0xFFFF, 7, len(text)) + text
    seed = zlib.crc32(named)
    segment = (
        checked(struct.pack("<8sqQ", b"CVTRACK\x02", 1_000, 4096))
        + checked(named)
        + checked(struct.pack("<Hqqdd", 7, 41, 5, 0.25, math.inf), seed)
        + checked(struct.pack("<Hqqdd", 7, 42, 6, math.nan, -1.0), seed)
        + bytes(100)
    )
    (rows,) = SegmentReader(segment).read()
    assert rows.names == ("train/loss", "lr")
    assert rows.steps.tolist() == [41, 42]
    assert rows.times.tolist() == [1_005, 1_006]
    assert rows.values[0].tolist() == [0.25, math.inf]
    assert math.isnan(rows.values[1][0])


@pytest.mark.parametrize("data", [b"", b"CVTRACK", b"CVTRACK\x02" + bytes(8), bytes(64)])
def test_what_is_no_segment_is_known_for_it(data: bytes) -> None:
    assert not version_of(data)


CHILD = """
import os, sys, pathlib
from cvtrack_magics.delivery.channel import Channel
channel = Channel(pathlib.Path(sys.argv[1]))
i = 0
while True:
    metrics = {"a": float(i), "b": i / 2}
    if not channel.main.write(metrics, i):
        channel.log(metrics, i, 1)
    i += 1
    os.pwrite(int(sys.argv[2]), i.to_bytes(8, "little"), 0)
"""


@pytest.mark.parametrize("wait", [0.0, 0.03, 0.11])
def test_a_killed_process_leaves_every_row_that_was_written(tmp_path: Path, wait: float) -> None:
    ledger = os.open(tmp_path / "ledger", os.O_RDWR | os.O_CREAT)
    (tmp_path / "run").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(ledger)], pass_fds=[ledger]
    )
    while not os.pread(ledger, 8, 0):
        time.sleep(0.005)
    time.sleep(wait)
    child.send_signal(signal.SIGKILL)
    child.wait()
    acknowledged = int.from_bytes(os.pread(ledger, 8, 0), "little")
    os.close(ledger)
    files = sorted((tmp_path / "run").glob("main-*.rows"))
    stored = StoredStream([(int(path.stem[-6:]), path) for path in files])
    found = rows_of(Cursor(stored))
    assert acknowledged <= len(found) <= acknowledged + 1
    assert found == [(i, {"a": float(i), "b": i / 2}) for i in range(len(found))]


def test_a_full_disk_is_told_and_costs_nothing(tmp_path: Path) -> None:
    told: list[OSError] = []
    target = Stream(tmp_path / "missing", "main", told.append)
    for i in range(3):
        put(target, {"a": float(i)}, i)
    assert len(told) == 1
    assert [step for step, _ in rows_of(Cursor(target))] == [0, 1, 2]


def test_more_sets_of_names_than_can_be_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvtrack_magics.journal.points.MOST_SETS", 5)
    target = stream()
    written = [(i, {f"k{i % 12}": float(i)}) for i in range(40)]
    for step, metrics in written:
        put(target, metrics, step)
    assert rows_of(Cursor(target)) == written
