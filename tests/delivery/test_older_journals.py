"""Journals of the second format are sent as they were, and newer ones are left and named."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from zlib import crc32

import pytest

from cvtrack_magics.journal.folder import read_journal
from cvtrack_magics.journal.points import Cursor, StoredStream, Stream
from tests.delivery.test_bad_ground import delivered, stored

KEY = "0123456789abcdef0123456789abcdef"


def checked(data: bytes, seed: int = 0) -> bytes:
    return data + struct.pack("<I", crc32(data, seed))


def note(store: str, version: int) -> str:
    """Return what the second format's ``run.json`` says; ``pid`` is of nobody."""
    entry = {
        "key": KEY,
        "name": KEY,
        "uri": store,
        "started": 1_700_000_000_000,
        "host": "host",
        "pid": 1,
        "created": 1.0,
        "experiment": "exp",
        "experiment_id": "",
        "parent_key": "",
        "parent_run_id": "",
        "run_id": "",
        "guest": False,
        "tags": {"team": "cv"},
        "owner": "",
        "boot": "",
        "stretch": 1,
        "format": version,
    }
    plain = {key: value for key, value in entry.items() if key != "uri"}
    check = crc32(json.dumps(plain, sort_keys=True).encode())
    return json.dumps({**entry, "check": check, "uri_check": crc32(store.encode())})


def line(entry: object) -> bytes:
    text = json.dumps(entry).encode()
    return b"%08x %b\n" % (crc32(text), text)


def second_format(root: Path, store: str, version: int = 2) -> Path:
    """Write what an older version left on disk: these bytes never change."""
    folder = root / KEY
    (folder / "files" / "000001" / "d").mkdir(parents=True, mode=0o700)
    root.chmod(0o700)
    folder.chmod(0o700)
    (folder / "run.json").write_text(note(store, version))
    (folder / "files" / "000001" / "d" / "f0.txt").write_bytes(b"text")
    first = {
        "batch": 1,
        "files": "000001",
        "checks": {"d/f0.txt": crc32(b"text")},
        "ends": {},
        "records": [["param", {"key": "lr", "value": "0.1"}]],
    }
    end = ["end", {"outcome": "FINISHED", "ended": 1_700_000_001_000}]
    last = {"batch": 2, "files": "", "checks": {}, "ends": {}, "records": [end]}
    (folder / "facts.jsonl").write_bytes(line(first) + line(last))
    text = json.dumps(["loss"]).encode()
    named = struct.pack("<HHI", 0xFFFF, 1, len(text)) + text
    rows = [struct.pack("<Hqqd", 1, i, 5, i / 2) for i in range(10)]
    (folder / "main-000000.rows").write_bytes(
        checked(struct.pack("<8sqQ", b"CVTRACK\x02", 1_700_000_000_000_000_000, 4096))
        + checked(named)
        + b"".join(checked(row, crc32(named)) for row in rows)
        + bytes(4096 - 28 - len(named) - 4 - 10 * 30)
    )
    return folder


def acknowledge(folder: Path, facts: int) -> None:
    text = json.dumps([facts, 0, {}]).encode()
    body = struct.pack("<QI", 1, len(text)) + text
    (folder / "acknowledged.bin").write_bytes(struct.pack("<I", crc32(body)) + body)


@pytest.mark.parametrize("sent", [0, 1])
def test_a_journal_of_the_second_format_is_sent(store: str, tmp_path: Path, sent: int) -> None:
    folder = second_format(tmp_path / "journal", store)
    acknowledge(folder, sent)
    assert delivered(tmp_path / "journal", store) == ""
    points, params, texts, status = stored(store, KEY)
    assert points == {("loss", i, i / 2) for i in range(10)}
    assert status == "FINISHED"
    assert (params, texts) == (({}, {}) if sent else ({"lr": "0.1"}, {"d/f0.txt": "text"}))
    assert not folder.exists()


def test_a_journal_of_a_newer_format_is_left_and_named(store: str, tmp_path: Path) -> None:
    folder = second_format(tmp_path / "journal", store, version=4)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert read_journal(tmp_path / "journal")[0] == []
    assert "newer version of cvtrack_magics made it (format 4)" in delivered(
        tmp_path / "journal", store
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_segment_of_a_newer_format_is_named(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "main", lambda _: None)
    stream.add(("x",), [1.0], 0, 5)
    path = tmp_path / "main-000000.rows"
    data = bytearray(path.read_bytes())
    data[7] = 4
    path.write_bytes(data)
    stored_stream = StoredStream([(0, path)], name="main")
    assert list(Cursor(stored_stream).read()) == []
    (damage,) = stored_stream.damage.values()
    assert "of a newer format (4)" in str(damage)


def test_rows_that_are_copied_into_another_segment_are_none_of_its_rows(tmp_path: Path) -> None:
    """A disk that writes a block in a wrong place must not alter a point."""
    streams = [Stream(tmp_path, name, lambda _: None) for name in ("main", "other")]
    for stream in streams:
        for i in range(400):
            stream.add((f"{'loss':>{10 - len(stream._name)}}",), [i + len(stream._name) / 8], i, 5)
    main, other = (tmp_path / f"{name}-000000.rows" for name in ("main", "other"))
    data = bytearray(main.read_bytes())
    start = streams[0].at - 300 * 30
    from_other = streams[1].at - 300 * 30
    data[start : start + 3000] = other.read_bytes()[from_other : from_other + 3000]
    main.write_bytes(data)
    read = StoredStream([(0, main)], name="main")
    found = {
        (step, value)
        for rows in Cursor(read).read()
        for step, value in zip(rows.steps.tolist(), rows.values[:, 0].tolist(), strict=True)
    }
    assert found == {(i, i + 0.5) for i in (*range(100), *range(200, 400))}
    assert [item.size for item in read.damage.values()] == [3000]
