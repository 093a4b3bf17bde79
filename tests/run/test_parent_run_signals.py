"""A worker's look for its process above, and signals that come while it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics.journal import liveness
from cvtrack_magics.run import parent_run as module
from cvtrack_magics.run.parent_run import Above


def test_a_look_ends_where_each_of_its_parts_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / liveness.FOLDER).mkdir()
    looks: list[int] = []
    here = Above()
    here._said = ""

    def handler_comes(*_: object) -> list[int]:
        looks.append(1)
        assert len(looks) < 50, "each look begins another"
        here.look(tmp_path / "journal")  # what log() in a handler does
        return [1]

    monkeypatch.setattr(module, "_started_by", handler_comes)
    monkeypatch.setattr(liveness, "held_by", lambda *_: handler_comes() and None)
    here.look(tmp_path / "journal")
    here.look(tmp_path / "journal")
    assert len(looks) == 3  # by whom it was started, once; who holds the journal, twice


def test_a_look_that_raises_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / liveness.FOLDER).mkdir()
    here = Above()
    here._said = ""

    def interrupted() -> list[int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_started_by", interrupted)
    with pytest.raises(KeyboardInterrupt):
        here.look(tmp_path / "journal")
    monkeypatch.setattr(module, "_started_by", lambda: [1])
    monkeypatch.setattr(liveness, "held_by", lambda *_: tmp_path / "lock")
    here.look(tmp_path / "journal")
    assert here.told
