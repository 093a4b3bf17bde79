"""A notebook that is killed while its ranks train leaves no process, and its run is KILLED."""

from __future__ import annotations

from pathlib import Path

from tests.run.ranks.kills import Try, play


def test_a_killed_notebook_leaves_no_rank(store: str, tmp_path: Path) -> None:
    assert play(Try("killed", "kernel", 2.0), tmp_path, store) == []
