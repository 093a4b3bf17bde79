"""A journal that is read while another process writes, sends and removes its folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cvtrack_magics.delivery.recovery import left_behind
from cvtrack_magics.journal import folder as folders
from cvtrack_magics.journal.folder import RunFolder, read_journal, tidy
from tests.test_private import note

BUSY = """
import sys, time
from dataclasses import replace
from pathlib import Path
from cvtrack_magics.journal.folder import RunFolder, Sent
from tests.test_private import note
root, until = Path(sys.argv[1]), time.monotonic() + 3
living = RunFolder.make(root, note("a" * 32))
(living.path / "files").mkdir()
print("ready", flush=True)
count = 0
while time.monotonic() < until:
    count += 1
    segment = living.path / f"main-{count:06d}.rows"
    batch = living.path / "files" / str(count)
    segment.write_bytes(bytes(64)); batch.mkdir(); (batch / "x.png").write_bytes(b"x")
    living.acknowledge(Sent(count, count, {"main": (count, 0)}))
    living.change(run_id=str(count))
    other = RunFolder.make(root, note(f"{count:032x}"))
    (other.path / "main-000000.rows").write_bytes(bytes(64))
    assert other.claim()
    other.remove()
    segment.unlink(); (batch / "x.png").unlink(); batch.rmdir()
print(count, flush=True)
"""


def test_what_comes_and_goes_hides_nothing_and_stops_nobody(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert busy.stdout is not None
    assert busy.stdout.readline() == "ready\n"
    looks = 0
    while busy.poll() is None:
        found, others = read_journal(root)
        assert "a" * 32 in {one.note.key for one in found}
        assert not others
        for one in found:
            assert one.size >= 0
            assert one.last_change > 0
        looks += 1
    count = int(busy.stdout.read())
    assert min(looks, count) > 20
    assert [path.name for path in root.iterdir() if not path.name.startswith(".")] == ["a" * 32]


def claims(path: Path) -> bool:
    """Whether another process can claim a folder that it found."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from cvtrack_magics.journal.folder import RunFolder\n"
        "from tests.test_private import note\n"
        "sys.exit(RunFolder(Path(sys.argv[1]), note()).claim())"
    )
    return bool(subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode)


def test_who_finds_a_run_before_it_is_removed_cannot_claim_it_afterwards(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    mine = RunFolder.make(root, note("a" * 32))
    assert claims(mine.path)
    assert mine.claim()
    assert not claims(mine.path)
    theirs = read_journal(root)[0][0]
    mine.remove()
    assert not claims(mine.path)
    assert theirs.size == 0
    assert not list(root.iterdir())


def test_a_deletion_that_a_kill_cut_short_is_finished_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "journal"
    mine = RunFolder.make(root, note("a" * 32))
    (mine.path / "main-000000.rows").write_bytes(bytes(64))
    with monkeypatch.context() as patch:
        patch.setattr(folders.shutil, "rmtree", lambda *_, **__: None)
        mine.remove()
    assert read_journal(root) == ([], [])
    assert len(list(root.iterdir())) == 1
    assert left_behind(root, ()) == []
    assert not list(root.iterdir())


def test_only_what_was_removed_or_never_made_is_tidied_away(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    RunFolder.make(root, note("a" * 32))
    for name in (".locks", ".new-being-made", ".new-never-made"):
        (root / name).mkdir()
    os.utime(root / ".new-never-made", (0, 0))
    tidy(root)
    assert sorted(path.name for path in root.iterdir()) == [".locks", ".new-being-made", "a" * 32]
    shutil.rmtree(root)
    tidy(root)
