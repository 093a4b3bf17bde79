"""Changes that git was told not to look for: uncommitted code as any other.

``git update-index --skip-worktree`` and ``--assume-unchanged`` keep a file out of status and
diff. Git looks at it here through a copy of the index without those marks, by its own rules for
line ends and filters; the repository's index stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from cvtrack_magics.capture.code.gitcall import Git, GitUnavailable

_ANSWER = 64_000_000
"""Bytes of git's list of tracked files that are looked through: about a million names."""
_SHARE = 0.5
"""Of the time that is left: what git says without this must not be lost for it."""
# ls-files writes a mark of one letter: S for skip-worktree, and a small one for assume-unchanged
_MARKED = re.compile(rb"(?:\A|(?<=\0))([a-zS]) ([^\0]+)")


@dataclass(frozen=True)
class Uncovered:
    """How git is called so that it sees what it was told not to look for.

    Parameters
    ----------
    git : Git
        To ask for status and diff, while the block runs.
    marks : mapping of str to str
        The files that git would not look at, and which mark is on each.
    notice : str
        Why they are not seen; ``""`` where they are.
    """

    git: Git
    marks: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""


@contextmanager
def uncovered(git: Git) -> Iterator[Uncovered]:
    """Let git see the files that are marked skip-worktree or assume-unchanged.

    What a sparse checkout left out is no change: a file with skip-worktree that is not on
    disk keeps its mark there.
    """
    with tempfile.TemporaryDirectory(prefix="cvtrack-", ignore_cleanup_errors=True) as folder:
        yield _looked(git, Path(folder, "index"))


def _looked(git: Git, index: Path) -> Uncovered:
    left = max(git.until - time.monotonic(), 0.0)
    brief = replace(git, until=git.until - left * _SHARE)
    try:
        skipped, assumed = _marked(brief)
        if not skipped and not assumed:
            return Uncovered(git)
        _copy_index(brief, index)
        opened = replace(brief.with_options("core.splitIndex=false"), index=index)
        for mark, names in (("skip-worktree", skipped), ("assume-unchanged", assumed)):
            if names:
                opened.run("update-index", "-z", f"--no-{mark}", "--stdin", given=_lines(names))
    except (GitUnavailable, OSError) as problem:
        said = problem.strerror if isinstance(problem, OSError) else str(problem)
        return Uncovered(
            git,
            notice="Changes of files marked skip-worktree or assume-unchanged were not looked "
            f"for: {said}",
        )
    marks = dict.fromkeys(assumed, "assume-unchanged") | dict.fromkeys(skipped, "skip-worktree")
    return Uncovered(replace(git, index=index), marks)


def _marked(git: Git) -> tuple[list[str], list[str]]:
    """Return the files that are skipped though they may have changes, and those assumed same."""
    output = git.run("ls-files", "-v", "-z", limit=_ANSWER)
    if len(output) >= _ANSWER:
        raise GitUnavailable("the repository has too many files.")
    is_there = _Presence(git.root)
    skipped: list[str] = []
    assumed: list[str] = []
    for mark, name in _MARKED.findall(output):
        path = os.fsdecode(name)
        if mark in b"sS":
            if git.sparse and not is_there(path):
                continue
            skipped.append(path)
        if mark != b"S":
            assumed.append(path)
    return skipped, assumed


class _Presence:
    """Whether a file is in a work tree, and not behind a link that leads elsewhere."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._folders: dict[str, bool] = {".": True}

    def __call__(self, name: str) -> bool:
        path = PurePosixPath(name)
        return self._has(path.parent) and os.path.lexists(os.path.join(self._root, name))

    def _has(self, folder: PurePosixPath) -> bool:
        known = self._folders.get(str(folder))
        if known is None:
            here = os.path.join(self._root, folder)
            known = self._has(folder.parent) and os.path.isdir(here) and not os.path.islink(here)
            self._folders[str(folder)] = known
        return known


def _copy_index(git: Git, index: Path) -> None:
    said = os.fsdecode(git.run("rev-parse", "--git-path", "index")).removesuffix("\n")
    # with its time: git tells by it which files may have changed since they were looked at
    shutil.copy2(git.root / said, index)


def _lines(names: list[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)
