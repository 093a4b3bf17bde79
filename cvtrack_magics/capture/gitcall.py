"""The few git commands that describe a repository; each is one short process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.redact import redact

TIMEOUT = 10.0
DIFF_LIMIT = 1_000_000
# Names of objects that exist in every repository: the tree with nothing in it.
_EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


class GitUnavailable(Exception):
    """Git is not there, refused, or took too long; the message is for the user."""


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
    except OSError:
        return None
    for candidate in (here, *here.parents):
        # A file of that name stands in worktrees and submodules.
        if (candidate / ".git").exists():
            return candidate
    return None


def _run(root: Path, *arguments: str, limit: int | None = None) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise GitUnavailable("git is not on PATH: the code version was not recorded.")
    blocked = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF")
    environment = {k: v for k, v in os.environ.items() if k not in blocked}
    environment.update(
        GIT_OPTIONAL_LOCKS="0", GIT_PAGER="", GIT_TERMINAL_PROMPT="0", LC_ALL="C", LANGUAGE="C"
    )
    what = next(word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word))
    options = ["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
    try:
        process = subprocess.Popen(
            [program, *options, *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # A pipe that nobody reads while stdout is read would stop git when it is full.
            stderr=subprocess.PIPE if limit is None else subprocess.DEVNULL,
        )
    except OSError as error:
        raise GitUnavailable(f"git could not be started: {error.strerror}.") from None
    # A timer, because a read that stops at the limit has no timeout of its own.
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(TIMEOUT, stop)
    timer.daemon = True
    timer.start()
    try:
        with process:
            output, errors = _collect(process, limit)
    finally:
        timer.cancel()
    if late.is_set():
        raise GitUnavailable(f"git {what} took over {TIMEOUT:g} s in {root.name}: not recorded.")
    if process.returncode not in (0, 1) and (limit is None or len(output) < limit):
        first = errors.decode("utf-8", "replace").strip().partition("\n")[0]
        raise GitUnavailable(f"git {what} failed: {redact(first)}")
    return output


def _collect(process: subprocess.Popen[bytes], limit: int | None) -> tuple[bytes, bytes]:
    try:
        if limit is None or process.stdout is None:
            return process.communicate()
        output = process.stdout.read(limit)
        if len(output) == limit:
            process.kill()
            return output, b""
        return output, b""
    except BaseException:
        process.kill()
        raise


def read_status(root: Path) -> Status:
    """Read commit, branch, upstream and changed tracked files in one call."""
    output = _run(
        root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no", "--no-renames"
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


def read_remote(root: Path, upstream: str) -> str:
    """Return the URL of the upstream's remote, else origin, else the first, redacted."""
    output = _run(root, "config", "-z", "--get-regexp", r"^remote\..*\.url$")
    urls: dict[str, str] = {}
    for entry in output.decode("utf-8", "replace").split("\0"):
        key, _, url = entry.partition("\n")
        if url:
            urls.setdefault(key[len("remote.") : -len(".url")], url)
    for name in sorted(urls, key=len, reverse=True):
        if upstream.startswith(f"{name}/"):
            return redact(urls[name])
    return redact(urls.get("origin") or next(iter(urls.values()), ""))


def read_diff(root: Path, status: Status) -> str:
    """Return the changes of tracked files against the last commit.

    Notebooks are only named: their diff is mostly outputs, and the cells of this run
    are recorded on their own. Binary files are named by git. Cut at 1 MB, and says so.
    """
    base = "HEAD" if status.commit else _EMPTY_TREE[_hash_length(root)]
    output = _run(
        root,
        *("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"),
        *("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
        *("--ignore-submodules=none", "--submodule=short", base),
        *("--", ".", ":(exclude)*.ipynb"),
        limit=DIFF_LIMIT + 1,
    )
    text = output[:DIFF_LIMIT].decode("utf-8", "replace")
    if len(output) > DIFF_LIMIT:
        text = text[: text.rfind("\n") + 1] + "# The rest was left out: the diff is over 1 MB.\n"
    notebooks = [path for path in status.changed if path.endswith(".ipynb")]
    names = "".join(f"# Notebook changed, not shown here: {path}\n" for path in notebooks)
    return names.encode("utf-8", "replace").decode() + text


def _hash_length(root: Path) -> int:
    return 64 if _run(root, "rev-parse", "--show-object-format").strip() == b"sha256" else 40


def read_tracked(root: Path, paths: Sequence[Path]) -> set[Path]:
    """Return which of the files git tracks."""
    tracked: set[Path] = set()
    names = [path.relative_to(root).as_posix() for path in paths]
    for start in range(0, len(names), 200):  # stays far below the longest command line
        output = _run(
            root, "--literal-pathspecs", "ls-files", "-z", "--", *names[start : start + 200]
        )
        found = output.decode("utf-8", "surrogateescape").split("\0")
        tracked.update(root / name for name in found if name)
    return tracked
