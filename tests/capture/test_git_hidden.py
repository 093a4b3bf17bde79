"""What git was told not to look at is uncommitted code all the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtrack_magics.capture.code.git import describe_git, git_records
from cvtrack_magics.records import Notice
from tests.capture.test_git import git
from tests.capture.test_git_hostile import restored, tree

MARKS = ["skip-worktree", "assume-unchanged"]
FILES = {
    "a.py": b"x = 1\n",
    "crlf.txt": b"one\r\ntwo\r\n",
    "m.bin": bytes(range(256)) * 9,
}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    return folder


def hide(folder: Path, mark: str, *names: str) -> None:
    git(folder, "update-index", f"--{mark}", *names)


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "text": ("a.py", lambda f: f.write_bytes(b"x = 2\n")),
    "text of the same size and time": ("a.py", lambda f: rewritten(f, b"x = 3\n")),
    "CRLF": ("crlf.txt", lambda f: f.write_bytes(b"one\r\nzwei\r\n")),
    "binary": ("m.bin", lambda f: f.write_bytes(bytes(range(255, -1, -1)) * 9)),
    "mode": ("a.py", lambda f: f.chmod(0o755)),
    "deleted": ("a.py", lambda f: f.unlink()),
}


def rewritten(path: Path, content: bytes) -> None:
    was = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("marks", [*MARKS, "both"])
@pytest.mark.parametrize("case", CHANGES)
def test_a_hidden_change_is_recorded(case: str, marks: str, code: Path, tmp_path: Path) -> None:
    name, change = CHANGES[case]
    for mark in MARKS if marks == "both" else (marks,):
        hide(code, mark, name)
    change(code / name)
    index = (code / ".git" / "index").read_bytes()
    wanted = tree(code)
    state = describe_git(code, [])
    assert state is not None
    assert state.dirty
    mark = "skip-worktree" if marks == "both" else marks
    assert f"# Hidden from git's own diff by {mark}: {name}\n" in state.diff
    said = [one.text for one in git_records(state) if isinstance(one, Notice)]
    assert len(said) == 1
    assert f"{name} ({mark})" in said[0]
    assert restored(code, state, tmp_path) == wanted
    assert (code / ".git" / "index").read_bytes() == index


@pytest.mark.parametrize("mark", MARKS)
def test_what_is_as_committed_is_no_change(mark: str, code: Path) -> None:
    hide(code, mark, *FILES)
    os.utime(code / "a.py", (1, 1))
    state = describe_git(code, [])
    assert state is not None
    assert (state.dirty, state.diff, state.notices) == (False, "", ())


@pytest.mark.parametrize("changed", [False, True])
def test_what_a_sparse_checkout_left_out_is_no_change(changed: bool, code: Path) -> None:
    git(code, "config", "core.sparseCheckout", "true")
    git(code, "config", "sparse.expectFilesOutsideOfPatterns", "true")
    hide(code, "skip-worktree", "a.py", "m.bin")
    (code / "m.bin").unlink()
    if changed:
        (code / "a.py").write_bytes(b"x = 2\n")
    state = describe_git(code, [])
    assert state is not None
    assert state.dirty == changed
    assert ("+x = 2" in state.diff) == changed
    assert "m.bin" not in state.diff


def test_many_hidden_changes_are_all_named(code: Path) -> None:
    names = [f"n{at:03}.py" for at in range(300)]
    for name in names:
        (code / name).write_bytes(b"1\n")
    git(code, "add", ".")
    git(code, "commit", "-qm", "many")
    hide(code, "assume-unchanged", *names)
    for name in names:
        (code / name).write_bytes(b"22\n")
    state = describe_git(code, [])
    assert state is not None
    assert state.diff.count("# Hidden from git's own diff by assume-unchanged: ") == 300
    assert state.diff.count("\n+22\n") == 300
    assert "and 297 more" in state.notices[0]


@pytest.mark.parametrize("mark", MARKS)
def test_a_linked_worktree_has_marks_of_its_own(mark: str, code: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(code, "worktree", "add", "-q", str(linked))
    hide(linked, mark, "a.py")
    for folder in (code, linked):
        (folder / "a.py").write_bytes(b"x = 2\n")
    said = f"# Hidden from git's own diff by {mark}: a.py\n"
    for folder, hidden in ((code, False), (linked, True)):
        state = describe_git(folder, [])
        assert state is not None
        assert "+x = 2" in state.diff
        assert (said in state.diff) == hidden


@pytest.mark.parametrize("mark", MARKS)
def test_a_hidden_change_in_a_submodule_is_recorded(mark: str, code: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(code), "sub")
    git(outer, "commit", "-qm", "with a submodule")
    hide(outer / "sub", mark, "a.py")
    (outer / "sub" / "a.py").write_bytes(b"x = 2\n")
    state = describe_git(outer, [])
    assert state is not None
    (inner,) = state.others
    assert inner.dirty
    assert f"# Hidden from git's own diff by {mark}: a.py\n" in inner.diff
    assert "+x = 2" in inner.diff


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("changed", [False, True])
def test_line_ends_that_git_converts_are_no_change(changed: bool, mark: str, code: Path) -> None:
    git(code, "config", "core.autocrlf", "true")
    (code / "a.py").unlink()
    git(code, "checkout", "-q", "a.py")
    assert (code / "a.py").read_bytes() == b"x = 1\r\n"
    hide(code, mark, "a.py")
    (code / "a.py").write_bytes(b"x = 2\r\n" if changed else b"x = 1\r\n")
    state = describe_git(code, [])
    assert state is not None
    assert state.dirty == changed
    assert ("+x = 2" in state.diff) == changed


def test_where_nothing_is_marked_one_more_call_of_git_is_made(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    calls = tmp_path / "calls"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho " $* " >> "{calls}"\nexec "{real}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    state = describe_git(code, [])
    assert state is not None
    assert not state.dirty
    said = calls.read_text()
    assert said.count(" ls-files -v ") == 1
    assert " update-index " not in said
    assert " --git-path " not in said
