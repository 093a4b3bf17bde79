"""A checkout of a stranger starts nothing, and what is recorded of it restores it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.git import GitState, describe_git, git_records
from cvtrack_magics.records import Tag
from tests.capture.test_git import git


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\n")
    (folder / "b.txt").write_text("same\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    return folder


def program(repo: Path) -> str:
    path = repo / ".git" / "evil.sh"
    path.write_text(f"#!/bin/sh\necho ran >> {repo / 'RAN'}\n")
    path.chmod(0o755)
    return str(path)


def setting(key: str, attributes: str = "") -> Callable[[Path], None]:
    def prepare(repo: Path) -> None:
        git(repo, "config", key, program(repo))
        if attributes:
            (repo / ".gitattributes").write_text(attributes)

    return prepare


def hook(repo: Path) -> None:
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "pre-auto-gc"):
        (hooks / name).write_text(Path(program(repo)).read_text())
        (hooks / name).chmod(0o755)


def lazy(repo: Path) -> None:
    git(repo, "config", "extensions.partialClone", "origin")
    git(repo, "config", "core.repositoryformatversion", "1")
    git(repo, "config", "remote.origin.promisor", "true")
    git(repo, "config", "remote.origin.url", "ssh://host/x")
    git(repo, "config", "core.sshCommand", program(repo))
    name = git(repo, "rev-parse", "HEAD:a.txt")
    (repo / ".git" / "objects" / name[:2] / name[2:]).unlink()


HOSTILE: dict[str, Callable[[Path], None]] = {
    "file watcher": setting("core.fsmonitor"),
    "external diff": setting("diff.external"),
    "textconv": setting("diff.x.textconv", "* diff=x\n"),
    "diff command": setting("diff.x.command", "* diff=x\n"),
    "clean filter": setting("filter.x.clean", "* filter=x\n"),
    "filter process": setting("filter.x.process", "* filter=x\n"),
    "filter of a dotted name": setting("filter.x.y.z.clean", "* filter=x.y.z\n"),
    "lfs by the checkout": setting("filter.lfs.process", "* filter=lfs\n"),
    "pager": setting("pager.diff"),
    "alias": setting("alias.status"),
    "hooks": hook,
    "lazy fetch": lazy,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_of_a_checkout_runs(case: str, repo: Path) -> None:
    HOSTILE[case](repo)
    (repo / "a.txt").write_text("two\n")
    os.utime(repo / "b.txt", (1, 1))
    index = (repo / ".git" / "index").read_bytes()
    state = describe_git(repo, [])
    assert not (repo / "RAN").exists()
    assert state is not None
    assert state.commit
    assert state.dirty
    assert (repo / ".git" / "index").read_bytes() == index


def test_another_work_tree_is_not_read(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "private"
    other.mkdir()
    (other / "a.txt").write_text("the key of somebody else\n")
    git(repo, "config", "core.worktree", str(other))
    state = describe_git(repo, [])
    assert state is not None
    assert "the key" not in state.diff


CHANGES: dict[str, Callable[[Path], object]] = {
    "text": lambda r: (r / "a.py").write_text("x = 2\n"),
    "Latin-1": lambda r: (r / "latin.txt").write_bytes(b"caf\xe9 2\n"),
    "UTF-16": lambda r: (r / "wide.txt").write_bytes("zwei\n".encode("utf-16")),
    "binary": lambda r: (r / "m.bin").write_bytes(bytes(range(255, -1, -1)) * 9),
    "binary gone": lambda r: (r / "m.bin").unlink(),
    "mode": lambda r: (r / "a.py").chmod(0o755),
    "renamed": lambda r: git(r, "mv", "a.py", "b.py"),
    "no newline at the end": lambda r: (r / "a.py").write_bytes(b"x = 3"),
    "newline lost": lambda r: (r / "open.txt").write_bytes(b"was open\n"),
    "CRLF": lambda r: (r / "crlf.txt").write_bytes(b"one\r\nzwei\r\n"),
    "CRLF to LF": lambda r: (r / "crlf.txt").write_bytes(b"one\ntwo\n"),
    "odd name": lambda r: (r / 'a "b"\n+c.txt').write_text("two\n"),
    "é in a name": lambda r: (r / "é.txt").write_text("two\n"),
    "added": lambda r: ((r / "new.py").write_text("1\n"), git(r, "add", "new.py")),
    "emptied": lambda r: (r / "a.py").write_bytes(b""),
    "link": lambda r: ((r / "a.py").unlink(), (r / "a.py").symlink_to("m.bin")),
    "a name in Latin-1": lambda r: (named_in_latin_1(r).write_text("1\n"), git(r, "add", ".")),
    "Latin-1 of a kind": lambda r: of_a_kind(r, "latin.txt text diff=python\n"),
    "Latin-1 of a kind of its own": lambda r: of_a_kind(r, "*.txt diff=my.kind\n"),
    "an order that is not there": lambda r: (
        git(r, "config", "diff.orderFile", "nowhere"),
        (r / "a.py").write_text("x = 2\n"),
    ),
    "a commit that another stands in for": lambda r: (
        (r / "a.py").write_text("x = 2\n"),
        git(r, "commit", "-qam", "two"),
        git(r, "replace", "HEAD", "HEAD~1"),
        (r / "latin.txt").write_bytes(b"caf\xe9 2\n"),
    ),
}


def named_in_latin_1(repo: Path) -> Path:
    return Path(os.fsdecode(os.fsencode(repo) + b"/caf\xe9.py"))


def of_a_kind(repo: Path, attributes: str) -> None:
    (repo / ".gitattributes").write_text(attributes)
    git(repo, "add", ".")
    (repo / "latin.txt").write_bytes(b"caf\xe9 2\n")


@pytest.fixture
def mixed(repo: Path) -> Path:
    for name, content in {
        "a.py": b"x = 1\n", "latin.txt": b"caf\xe9 1\n", "wide.txt": "eins\n".encode("utf-16"),
        "m.bin": bytes(range(256)) * 9, "open.txt": b"was open", "crlf.txt": b"one\r\ntwo\r\n",
        'a "b"\n+c.txt': b"one\n", "é.txt": b"one\n",
    }.items():  # fmt: skip
        (repo / name).write_bytes(content)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "more")
    return repo


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.lstat().st_mode, os.readlink(path).encode())
        if path.is_symlink()
        else (path.lstat().st_mode, path.read_bytes())
        for path in folder.iterdir()
        if path.name != ".git"
    }


def restored(repo: Path, state: GitState | None, tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    assert state is not None
    git(tmp_path, "clone", "-q", str(repo), str(tmp_path / "fresh"))
    patch = tmp_path / "patch"
    patch.write_bytes(state.diff.encode("utf-8"))
    git(tmp_path / "fresh", "apply", str(patch))
    return tree(tmp_path / "fresh")


@pytest.mark.parametrize("case", [*CHANGES, "all"])
def test_git_apply_restores_the_tree(case: str, mixed: Path, tmp_path: Path) -> None:
    chosen = ("text", "Latin-1", "binary", "CRLF", "odd name", "é in a name", "added")
    for name in chosen if case == "all" else (case,):
        CHANGES[name](mixed)
    wanted = tree(mixed)
    assert restored(mixed, describe_git(mixed, []), tmp_path) == wanted


def test_a_missing_filter_loses_nothing_else(mixed: Path, tmp_path: Path) -> None:
    (mixed / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    git(mixed, "add", ".")
    git(mixed, "commit", "-qm", "lfs")
    git(mixed, "config", "filter.lfs.clean", "git-lfs-is-not-here %f")
    git(mixed, "config", "filter.lfs.required", "true")
    for name in ("text", "binary"):
        CHANGES[name](mixed)
    wanted = tree(mixed)
    state = describe_git(mixed, [])
    assert state is not None
    assert state.notices == ("git's filters 'lfs' were not run.",)
    assert restored(mixed, state, tmp_path) == wanted


def test_names_cannot_forge_parts_of_a_patch(repo: Path) -> None:
    name = "x\ndiff --git a/train.py b/train.py\n--- a.ipynb"
    (repo / "x\ndiff --git a").mkdir()
    path = repo / (name.replace("/", "-") + ".ipynb")
    path.write_text("{}")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "odd")
    path.write_text("[]")
    state = describe_git(repo, [])
    assert state is not None
    assert state.diff.count("\n") == 1
    assert state.diff.startswith("# Notebook changed, not shown here: 'x\\ndiff")


def test_changes_in_a_submodule_are_recorded(repo: Path, tmp_path: Path) -> None:
    allow = ("-c", "protocol.file.allow=always")
    git(tmp_path, "clone", "-q", str(repo), str(tmp_path / "inner"))
    git(repo, *allow, "submodule", "add", "-q", str(tmp_path / "inner"), "sub")
    git(repo, "commit", "-qm", "sub")
    (repo / "sub" / "a.txt").write_text("zwei\n")
    state = describe_git(repo, [])
    assert state is not None
    assert state.dirty
    assert [one.root for one in state.others] == [repo / "sub"]
    assert "+zwei" in state.others[0].diff


def stuck(repo: Path) -> None:
    """Let git take its time wherever it looks at files."""
    real = shutil.which("git")
    folder = repo.parent / "bin"
    folder.mkdir()
    fake = folder / "git"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *status*) sleep 60;; esac\nexec {real} "$@"\n')
    fake.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "index": lambda r: (r / ".git" / "index").write_bytes(b"DIRC nothing"),
    "a folder for an index": lambda r: (
        (r / ".git" / "index").unlink(),
        (r / ".git" / "index").mkdir(),
    ),
    "status takes long": stuck,
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_the_commit_is_known_where_changes_are_not(
    case: str, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, branch = git(repo, "rev-parse", "HEAD"), git(repo, "symbolic-ref", "--short", "HEAD")
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(gitcall, "TIMEOUT", 1.0)
    UNREADABLE[case](repo)
    state = describe_git(repo, [])
    assert state is not None
    assert (state.commit, state.branch, state.dirty) == (commit, branch, None)
    assert state.notices
    tags = {one.key: one.value for one in git_records(state) if isinstance(one, Tag)}
    assert tags == {"git_commit": commit, "git_branch": branch}


def test_a_hung_git_is_ended_with_all_it_started(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    pids = tmp_path / "pids"
    fake.write_text(f"#!/bin/sh\nsleep 3600 & echo $! >> {pids}\nwait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(gitcall, "TIMEOUT", 0.5)
    state = describe_git(repo, [repo / "a.txt"])
    assert state is not None
    assert [name for name, _ in state.untracked] == ["a.txt"]
    assert "took over" in state.notices[0]
    for pid in pids.read_text().split():
        for _ in range(100):
            done = subprocess.run(
                ["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False
            )
            if done.stdout.strip() in ("", "Z"):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("a process of git goes on")
