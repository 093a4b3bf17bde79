"""Damaged journals: what can be read is read as it was, and what cannot is named and kept."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtrack_magics.journal.folder import RunFolder, RunNote, read_journal
from cvtrack_magics.journal.points import Cursor, StoredStream, Stream
from cvtrack_magics.journal.record_log import FactLog, read_facts
from cvtrack_magics.journal.rows import SegmentReader
from cvtrack_magics.records import Artifact, End, Param, Tag

Point = tuple[str, int, float]
ROWS = 400


def raise_it(error: OSError) -> None:
    raise error


def made(root: Path) -> tuple[RunFolder, list[Point], dict[str, str]]:
    """Make the folder of a run: two streams, several sets of names, params, files, an end."""
    note = RunNote(
        "k1", "run", "sqlite:///none.db", 1_000, "host", 1, 1.0, "exp", "0", tags={"a": "b"}
    )
    folder = RunFolder.make(root, note)
    points: list[Point] = []
    ends = {}
    for name in ("main", "other"):
        stream = Stream(folder.path, name, raise_it)
        for i in range(ROWS):
            metrics = {f"{name}/loss": float(i)} if i % 3 else {f"{name}/a": i / 2, "lr": -1.0 * i}
            if not stream.write(metrics, i):
                stream.add(tuple(metrics), list(metrics.values()), i, 5)
            points += [(key, i, value) for key, value in metrics.items()]
            if i == ROWS // 2:
                stream.clock_moved()  # begins another segment
        ends[name] = (stream.count - 1, stream.at)
    log = FactLog(folder.path, raise_it)
    params = {f"p{i}": str(i) for i in range(20)}
    for i in range(20):
        log.add([Param(f"p{i}", str(i)), Tag("t", "x"), Artifact(f"d/f{i}.txt", f"text {i}")])
    log.add([], End("FINISHED", 2_000), ends)
    return folder, points, params


def flip(data: bytearray, pick: random.Random) -> None:
    data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)


def set_byte(data: bytearray, pick: random.Random) -> None:
    data[pick.randrange(len(data))] = pick.randrange(256)


def blank(data: bytearray, pick: random.Random) -> None:
    start = pick.randrange(len(data))
    length = min(pick.choice([1, 16, 512, 4096]), len(data) - start)
    data[start : start + length] = bytes(length)


def scramble(data: bytearray, pick: random.Random) -> None:
    start = pick.randrange(len(data))
    length = min(pick.choice([2, 40, 600]), len(data) - start)
    data[start : start + length] = pick.randbytes(length)


def cut(data: bytearray, pick: random.Random) -> None:
    del data[pick.randrange(len(data)) :]


def shift(data: bytearray, pick: random.Random) -> None:
    del data[pick.randrange(len(data))]


KINDS: list[Callable[[bytearray, random.Random], None]] = [
    flip,
    set_byte,
    blank,
    scramble,
    cut,
    shift,
]


def read_all(folder: RunFolder) -> tuple[Counter[Point], dict[str, str], int, bool]:
    """Read a run's folder as recovery does: points, params, number of damages, has its end."""
    facts = read_facts(folder.path)
    segments = folder.segments()
    points: Counter[Point] = Counter()
    damages = len(facts.damage)
    for name in {**segments, **facts.ends}:
        stream = StoredStream(segments.get(name, ()), 0, facts.ends.get(name, (-1, 0)))
        for rows in Cursor(stream).read():
            for step, values in zip(rows.steps.tolist(), rows.values.tolist(), strict=True):
                points.update((key, step, v) for key, v in zip(rows.names, values, strict=True))
        damages += len(stream.damage)
    params = {r.key: r.value for b in facts.batches for r in b.records if isinstance(r, Param)}
    return points, params, damages, any(batch.end for batch in facts.batches)


@pytest.mark.parametrize("kind", KINDS)
def test_random_damage_alters_nothing_and_never_passes_for_whole(
    tmp_path: Path, kind: Callable[[bytearray, random.Random], None]
) -> None:
    folder, points, params = made(tmp_path / "journal")
    files = sorted(path for path in folder.path.rglob("*") if path.is_file())
    whole = {path: path.read_bytes() for path in files}
    every = Counter(points)
    assert read_all(folder) == (every, params, 0, True)
    pick = random.Random(kind.__name__)
    seen = 0
    for _ in range(120):
        path = pick.choice(files)
        used = bytearray(whole[path].rstrip(b"\0") if path.suffix == ".rows" else whole[path])
        before = bytes(used)
        kind(used, pick)
        if bytes(used) == before:
            continue
        rest = whole[path][len(before) :] if kind is not cut else b""
        path.write_bytes(bytes(used) + rest)
        folders, unreadable = read_journal(tmp_path / "journal")
        assert len(folders) + len(unreadable) == 1
        if folders:
            found, values, damages, ended = read_all(folders[0])
            assert not found - every, f"{kind.__name__} of {path.name} altered a point"
            assert values.items() <= params.items()
            lost = every - found or params.items() - values.items() or not ended
            assert damages or not lost, f"{kind.__name__} of {path.name} was not noticed"
            texts = sorted(folder.path.glob("files/*/d/*.txt"))
            for text in texts:
                assert text.read_bytes() == whole.get(text, b""), "a damaged file would be sent"
        seen += 1
        for aside in folder.path.glob("damaged"):
            shutil.rmtree(aside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[path])
    assert seen > 90


def test_what_lies_behind_a_damaged_row_is_read(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "main", raise_it)
    for i in range(100):
        stream.add(("x",), [float(i)], i, 5)
    path = tmp_path / "main-000000.rows"
    data = bytearray(path.read_bytes())
    data[stream.at - 30 * 30] ^= 0x10  # one bit of the row that stands 30 rows before the end
    path.write_bytes(data)
    stored = StoredStream([(0, path)])
    steps = [step for rows in Cursor(stored).read() for step in rows.steps.tolist()]
    assert len(steps) == 99
    assert [damage.size for damage in stored.damage.values()] == [30]


def test_a_damaged_definition_is_had_from_another_segment(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "main", raise_it)
    for i in range(100):
        stream.add(("x",), [float(i)], i, 5)
        if i == 49:
            stream.clock_moved()
    path = tmp_path / "main-000001.rows"
    data = bytearray(path.read_bytes())
    data[SegmentReader(data).at + 10] ^= 1  # inside the definition
    path.write_bytes(data)
    files = [(n, tmp_path / f"main-{n:06d}.rows") for n in (0, 1)]
    stored = StoredStream(files)
    steps = [step for rows in Cursor(stored).read() for step in rows.steps.tolist()]
    assert steps == list(range(100))
    assert len(stored.damage) == 1
