"""An exception may arrive anywhere while a batch is kept: it is there whole or not at all."""

from __future__ import annotations

import itertools
from pathlib import Path

from cvtrack_magics.journal.record_log import FactLog, read_facts
from cvtrack_magics.records import Artifact, Param, Record
from tests.interruptions import Ending, raises_at


class Late(Exception):
    """What arrives."""


def batch(name: str) -> list[Record]:
    return [Param(name, "1"), Artifact(f"{name}.txt", content=name)]


def kept(folder: Path) -> dict[str, bool]:
    """Return the batches by their param, and whether their file is there."""
    read = read_facts(folder)
    assert read.damage == ()
    assert [item.number for item in read.batches] == list(range(1, len(read.batches) + 1))
    found = {}
    for item in read.batches:
        (param,) = item.records
        assert isinstance(param, Param)
        files = list(item.files.rglob("*.txt")) if item.files else []
        found[param.key] = [file.read_text() for file in files] == [param.key]
    return found


def test_a_batch_is_kept_whole_or_not_at_all_wherever_an_exception_arrives(tmp_path: Path) -> None:
    raised = 0
    for place in itertools.count():
        folder = tmp_path / str(place)
        folder.mkdir()
        log = FactLog(folder, lambda error: None)
        log.add(batch("before"))
        ending = raises_at(place, lambda log=log: log.add(batch("it")), Late)  # type: ignore[misc]
        log.add(batch("after"))
        found = kept(folder)
        assert all(found.values()), place
        assert {"before", "after"} <= set(found), place
        assert ending is Ending.RAISED or "it" in found, place
        raised += ending is Ending.RAISED
        if ending is Ending.BEYOND:
            break
    assert raised > 20
