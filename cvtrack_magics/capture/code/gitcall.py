"""The few git commands that describe a repository; each is one short process.

None of them starts anything: no hooks, no file watcher, no fetch of what a partial clone
lacks, no filters that a checkout's own configuration names, no look into submodules by git
itself, and the index is not written.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cvtrack_magics.programs import Program
from cvtrack_magics.redact import redact
from cvtrack_magics.variables import variables

TIMEOUT = 8.0
"""Seconds for all that git is asked of a run; its end waits a little longer than that."""
HEAD_TIMEOUT = 1.0
"""Seconds for the commit alone, where the rest has taken them all."""
DIFF_LIMIT = 1_000_000
# what would lead git to another repository, or start programs
_BLOCKED = frozenset(
    (
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF",
        "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_ATTR_SOURCE", "GIT_DIFF_OPTS",
        "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE",
    )
)  # fmt: skip
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # no clone has what stands in for a commit here
    "GIT_ALLOW_PROTOCOL": "none",  # the same for gits before 2.44
    "GIT_PAGER": "",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}
_OPTIONS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.quotePath=false",
    "diff.autoRefreshIndex=false",
    f"diff.orderFile={os.devnull}",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
)
_ASKED = r"^((remote|filter)\..*|core\.sparsecheckout)$"
_OFF = ("false", "no", "off", "0")


class GitUnavailable(Exception):
    """Git is not there, refused, or took too long; the message is for the user."""


@dataclass(frozen=True)
class Git:
    """How git is called for one repository.

    Parameters
    ----------
    root : Path
        Top folder of the work tree.
    until : float
        When all calls must be over, by the monotonic clock.
    options : tuple of str
        Settings that stand above those of the repository.
    remotes : tuple of (str, str)
        Names and URLs.
    notices : tuple of str
        What is not done for this repository.
    sparse : bool
        Whether files of the index that are not on disk were left out on purpose.
    index : Path or None
        The index to use; None for that of the repository.
    """

    root: Path
    until: float
    options: tuple[str, ...] = _OPTIONS
    remotes: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    sparse: bool = False
    index: Path | None = None

    def run(self, *arguments: str, limit: int | None = None, given: bytes = b"") -> bytes:
        """Return what git says; raise :class:`GitUnavailable` where it says nothing.

        With a limit, so many bytes of it: git is ended when there are more. What is given is
        what git reads.
        """
        program = shutil.which("git")
        if program is None:
            raise GitUnavailable("git is not on PATH: the code version was not recorded.")
        environment = {k: v for k, v in variables().items() if k not in _BLOCKED} | _QUIET
        # where the folder's own .git is none, another one above is not meant
        environment["GIT_CEILING_DIRECTORIES"] = str(self.root.parent)
        if self.index is not None:
            environment["GIT_INDEX_FILE"] = str(self.index)
        settings = [word for option in self.options for word in ("-c", option)]
        what = next(word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word))
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as words:
            words.write(given)
            words.seek(0)
            try:
                process = Program(
                    [program, "--no-pager", f"--work-tree={self.root}", *settings, *arguments],
                    cwd=self.root,
                    env=environment,
                    stdin=words if given else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,  # so that all it started can be ended with it
                )
            except OSError as error:
                raise GitUnavailable(f"git could not be started: {error.strerror}.") from None
            output, late = _collected(process, limit, self.until)
            if late:
                raise GitUnavailable(
                    f"git {what} took over {TIMEOUT:g} s in {self.root.name}: not recorded."
                )
            if process.returncode not in (0, 1) and (limit is None or len(output) < limit):
                errors.seek(0)
                lines = errors.read(20_000).decode("utf-8", "replace").strip().splitlines()
                said = next((line for line in lines if line.startswith("fatal:")), None)
                first = said or (lines[0] if lines else f"status {process.returncode}")
                raise GitUnavailable(f"git {what} failed: {redact(first)}")
        return output

    def with_options(self, *options: str) -> Git:
        """Return the same with further settings."""
        return replace(self, options=(*self.options, *options))


def _collected(
    process: subprocess.Popen[bytes], limit: int | None, until: float
) -> tuple[bytes, bool]:
    """Return what a process writes, and whether it took too long; nothing of it goes on."""
    found: list[bytes] = []
    assert process.stdout is not None
    stream = process.stdout

    def read() -> None:
        with suppress(OSError, ValueError):
            found.append(stream.read() if limit is None else stream.read(limit))

    # a thread, because what git started may keep the pipe open when git itself is gone
    reader = threading.Thread(target=read, name="cvtrack-git", daemon=True)
    late = True
    try:
        reader.start()
        reader.join(max(until - time.monotonic(), 0.05))
        if not reader.is_alive():
            full = limit is not None and len(b"".join(found)) == limit
            if not full:
                process.wait(max(until - time.monotonic(), 0.05))
            late = False
    except subprocess.TimeoutExpired:
        pass
    finally:
        _end(process)
        reader.join(1.0)
        if not reader.is_alive():
            stream.close()
    return b"".join(found), late


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


@dataclass(frozen=True)
class Status:
    """Commit, branch and upstream (``""`` where none), and tracked files that changed."""

    commit: str
    branch: str
    upstream: str
    changed: tuple[str, ...]


def find_root(folder: Path) -> Path | None:
    """Return the top folder of the repository around a folder, without starting git."""
    try:
        here = folder.resolve()
    except (OSError, RuntimeError):
        return None
    for candidate in (here, *here.parents):
        # A file of that name stands in worktrees and submodules.
        if (candidate / ".git").exists():
            return candidate
    return None


def opened(root: Path, until: float | None = None) -> Git:
    """Return how git is called for a repository.

    Filters that the checkout's own configuration names are switched off: starting a run must
    not start them. Those of the user's configuration (``git lfs install``) are used where
    their program is there.
    """
    git = Git(root, time.monotonic() + TIMEOUT if until is None else until)
    output = git.run("config", "-z", "--show-scope", "--get-regexp", _ASKED)
    words = output.decode("utf-8", "surrogateescape").split("\0")
    remotes: dict[str, str] = {}
    sparse = False
    own: dict[str, bool] = {}  # filters, and whether they are the user's
    for scope, entry in zip(words[::2], words[1::2], strict=False):
        key, _, value = entry.partition("\n")
        part, _, rest = key.partition(".")
        name, _, last = rest.rpartition(".")
        if key == "core.sparsecheckout":
            sparse = value.lower() not in _OFF
        elif part == "remote" and last == "url" and value:
            remotes.setdefault(name, value)
        elif part == "filter" and last in ("clean", "process"):
            trusted = scope in ("system", "global", "command") and _is_there(value)
            own[name] = own.get(name, True) and trusted
    off = sorted(name for name, trusted in own.items() if not trusted)
    options = [
        f"filter.{name}.{key}={value}"
        for name in off
        for key, value in (("clean", ""), ("process", ""), ("smudge", ""), ("required", "false"))
    ]
    # an = in a filter's name would make the option another one
    if any("=" in name for name in off):
        raise GitUnavailable("A git filter has an = in its name: not recorded.")
    said = f"git's filters {', '.join(map(ascii, off[:3]))} were not run." if off else ""
    return replace(
        git.with_options(*options),
        remotes=tuple(remotes.items()),
        notices=(said,) if said else (),
        sparse=sparse,
    )


def _is_there(command: str) -> bool:
    words = command.split()
    return bool(words) and shutil.which(words[0]) is not None


def read_status(git: Git) -> Status:
    """Read commit, branch, upstream and changed tracked files in one call."""
    output = git.run(
        *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no", "--no-renames"),
        "--ignore-submodules=dirty",
    )
    commit = branch = upstream = ""
    changed: list[str] = []
    for entry in output.decode("utf-8", "surrogateescape").split("\0"):
        if entry.startswith("# branch.oid "):
            commit = entry[13:]
        elif entry.startswith("# branch.head "):
            branch = entry[14:]
        elif entry.startswith("# branch.upstream "):
            upstream = entry[18:]
        elif entry.startswith("1 "):
            changed.append(entry.split(" ", 8)[8])
        elif entry.startswith("u "):
            changed.append(entry.split(" ", 10)[10])
    return Status(
        commit="" if commit == "(initial)" else commit,
        branch="" if branch == "(detached)" else branch,
        upstream=upstream,
        changed=tuple(changed),
    )


def read_head(git: Git) -> Status:
    """Read commit and branch alone, where what changed could not be found out in time."""
    git = replace(git, until=max(git.until, time.monotonic() + HEAD_TIMEOUT), index=None)
    commit, branch = (
        git.run(*words).decode("utf-8", "surrogateescape").strip()
        for words in (("rev-parse", "--verify", "HEAD^{commit}"), ("symbolic-ref", "-q", "HEAD"))
    )
    return Status(commit, branch.removeprefix("refs/heads/"), "", ())


def remote_of(git: Git, upstream: str) -> str:
    """Return the URL of the upstream's remote, else origin, else the first, redacted."""
    urls = dict(git.remotes)
    for name in sorted(urls, key=len, reverse=True):
        if upstream.startswith(f"{name}/"):
            return redact(urls[name])
    return redact(urls.get("origin") or next(iter(urls.values()), ""))


def read_submodules(git: Git) -> list[Path]:
    """Return the folders of submodules that are checked out, at most 50."""
    if not (git.root / ".gitmodules").is_file():
        return []
    output = git.run("config", "-z", "--file", ".gitmodules", "--get-regexp", r"\.path$")
    found = []
    for entry in output.decode("utf-8", "surrogateescape").split("\0"):
        path = git.root / entry.partition("\n")[2]
        inside = path.resolve().is_relative_to(git.root) and path != git.root
        if entry and inside and (path / ".git").exists():
            found.append(path)
    return found[:50]


def read_tracked(git: Git, paths: Sequence[Path]) -> set[Path]:
    """Return which of the files git tracks."""
    tracked: set[Path] = set()
    names = [path.relative_to(git.root).as_posix() for path in paths]
    for start in range(0, len(names), 200):  # stays far below the longest command line
        output = git.run("--literal-pathspecs", "ls-files", "-z", "--", *names[start : start + 200])
        found = output.decode("utf-8", "surrogateescape").split("\0")
        tracked.update(git.root / name for name in found if name)
    return tracked
