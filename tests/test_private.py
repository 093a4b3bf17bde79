"""A state folder that others can write to is not used, and nothing planted in one is believed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from cvtrack_magics.config import CvTrack
from cvtrack_magics.journal.folder import RunFolder, RunNote, me, read_folders
from cvtrack_magics.private import is_private, private_folder

OTHER = 20_002
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="another user's files take root to make")


def note(key: str = "e" * 32) -> RunNote:
    host, pid, created = me()
    return RunNote(key, "x", "http://127.0.0.1:9", 1, host, pid, created)


def wide(path: Path, mode: int = 0o777) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def wide_parent(path: Path) -> None:
    wide(path)
    wide(path.parent)


UNFIT: dict[str, tuple[Callable[[Path], None], str]] = {
    "writable by all": (wide, "can be written to by others"),
    "writable by a group": (lambda p: wide(p, 0o770), "can be written to by others"),
    "sticky": (lambda p: wide(p, 0o1777), "can be written to by others"),
    "journal writable": (lambda p: wide(p / "journal"), "has a folder journal/"),
    "hashes writable": (lambda p: wide(p / "hashes"), "has a folder hashes/"),
    "journal is a link": (
        lambda p: (p.mkdir(0o700), (p / "journal").symlink_to(p.parent)),  # type: ignore[dict-item]
        "is a link",
    ),
    "parent writable": (wide_parent, "which can be written to by others"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_folder_that_others_can_write_to_is_replaced(case: str, tmp_path: Path) -> None:
    prepare, said = UNFIT[case]
    (tmp_path / "top").mkdir(mode=0o700)
    wanted = tmp_path / "top" / "state"
    prepare(wanted)
    config = CvTrack(state_folder=str(wanted))
    assert config.state != wanted
    assert config.state == config.state
    assert stat.S_IMODE(config.state.stat().st_mode) == 0o700
    assert said in config.state_problem
    assert str(wanted) in config.state_problem
    assert "\n" not in config.state_problem


@ROOT
@pytest.mark.parametrize("part", ["", "journal", ".."])
def test_a_folder_of_somebody_else_is_replaced(part: str, tmp_path: Path) -> None:
    wanted = tmp_path / "top" / "state"
    (wanted / "journal").mkdir(parents=True, mode=0o700)
    os.chown(wanted / part, OTHER, OTHER)
    found, said = private_folder(wanted)
    assert found != wanted
    assert "belongs to somebody else (user 20002)" in said


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755, 0o711, 0o500])
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_of_ones_own_is_used(mode: int, linked: bool, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    real.chmod(mode)
    wanted = tmp_path / "link" if linked else real
    if linked:
        wanted.symlink_to(real)
    assert private_folder(wanted) == (wanted, "")


def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        found, said = private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert not said
    for folder in (found, found.parent, found.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


PLANTED: dict[str, Callable[[Path], object]] = {
    "a link among the files": lambda f: (f / "files" / "key").symlink_to("/etc/passwd"),
    "a linked folder": lambda f: (f / "files" / "home").symlink_to("/"),
    "a link to itself": lambda f: (f / "files" / "loop").symlink_to("loop"),
    "a FIFO": lambda f: os.mkfifo(f / "files" / "fifo"),
    "a linked note": lambda f: (
        (f / "run.json").rename(f.parent / "note"),
        (f / "run.json").symlink_to(f.parent / "note"),
    ),
    "a FIFO for a note": lambda f: ((f / "run.json").unlink(), os.mkfifo(f / "run.json")),
    "a folder others can write to": lambda f: f.chmod(0o777),
    "a file others can write to": lambda f: (f.chmod(0o755), (f / "run.json").chmod(0o666)),
    "deep nonsense": lambda f: (f / "run.json").write_text("[" * 200_000),
    "null": lambda f: (f / "run.json").write_text("null"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_run_is_passed_over_and_its_neighbour_is_read(case: str, tmp_path: Path) -> None:
    root = tmp_path / "journal"
    RunFolder.make(root, note("a" * 32))
    planted = RunFolder.make(root, note("b" * 32)).path
    (planted / "files").mkdir()
    PLANTED[case](planted)
    assert [folder.note.key for folder in read_folders(root)] == ["a" * 32]


@ROOT
@pytest.mark.parametrize("part", ["", "run.json", "files", "files/x"])
def test_a_run_of_somebody_else_is_passed_over(part: str, tmp_path: Path) -> None:
    root = tmp_path / "journal"
    folder = RunFolder.make(root, note()).path
    (folder / "files").mkdir()
    (folder / "files" / "x").write_text("x")
    assert is_private(folder)
    os.chown(folder / part, OTHER, OTHER)
    assert not is_private(folder)
    assert read_folders(root) == []


def test_a_wide_umask_does_not_lose_ones_own_runs(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        folder = RunFolder.make(tmp_path / "journal", note()).path
        (folder / "files").mkdir(mode=0o777)
        (folder / "files" / "x").write_text(json.dumps(asdict(note())))
    finally:
        os.umask(before)
    assert len(read_folders(tmp_path / "journal")) == 1


def test_the_session_says_it_once(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "cvtrack_magics"
    wide(shared)
    code = (
        "from cvtrack_magics import mlsync\n"
        "print(mlsync().items)\n"
        "from cvtrack_magics.run.current import get_session\n"
        "print(get_session().journal)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_STATE_HOME": str(shared.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout + done.stderr
    assert said.count("can be written to by others") == 1
    assert not (shared / "journal").exists()
