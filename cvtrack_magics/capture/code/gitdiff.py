"""The uncommitted changes of a repository as one patch that ``git apply`` takes.

Text that is not UTF-8 and changed binaries stand in it as git's binary patches. What cannot be
in it is named at its top, file by file: a patch that was cut anywhere would restore nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.gitcall import Git, GitUnavailable, Status

_EACH = 200
"""Files that are looked at one by one, where they cannot be all at once."""
# names of objects that exist in every repository: the tree with nothing in it
_EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_WAYS = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative"),
    *("--binary", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3"),
    *("--ignore-submodules=dirty", "--submodule=short", f"-O{os.devnull}"),
)
_START = re.compile(rb"^(?=diff --git )", re.MULTILINE)
_KIND = re.compile(r"[\w.+-]+")


def read_diff(git: Git, status: Status, hidden: Mapping[str, str] | None = None) -> str:
    """Return the changes of tracked files against the last commit.

    Notebooks are only named: their diff is mostly outputs, and the cells of this run
    are recorded on their own. So are files that would make it larger than 1 MB, and those
    that git itself hides, with the mark for which it does.
    """
    notebooks = [path for path in status.changed if path.endswith(".ipynb")]
    paths = [path for path in status.changed if not path.endswith(".ipynb")]
    head = [f"# Notebook changed, not shown here: {named(path)}\n" for path in notebooks]
    marks = (hidden or {}).items()
    head += [f"# Hidden from git's own diff by {mark}: {named(path)}\n" for path, mark in marks]
    parts: list[str] = []
    left = gitcall.DIFF_LIMIT
    for path, part in _parts(git, status, paths):
        if isinstance(part, GitUnavailable):
            head.append(f"# Not in this patch: {named(path)} ({named(str(part))})\n")
        elif len(part) > left:
            head.append(f"# Not in this patch: {named(path)} (it would be over 1 MB)\n")
        else:
            left -= len(part)
            parts.append(part)
    return "".join([*head, *parts])


def named(path: str) -> str:
    """Return a name in one line, in which nothing can look like a part of a patch."""
    plain = path.encode("utf-8", "backslashreplace").decode()
    return plain if plain.isprintable() else ascii(plain)


def _parts(
    git: Git, status: Status, paths: list[str]
) -> Iterator[tuple[str, str | GitUnavailable]]:
    """Yield each changed file with its part of the patch, or why there is none."""
    if not paths:
        return
    base = "HEAD" if status.commit else _EMPTY_TREE[_hash_length(git)]
    excluded = (".", ":(exclude)*.ipynb")
    try:
        output = _diff(git, base, excluded, limit=gitcall.DIFF_LIMIT + 1)
        found = _START.split(output)[1:] if len(output) <= gitcall.DIFF_LIMIT else []
        names = _names(git, base, excluded) if found else []
    except GitUnavailable:
        found, names = [], []
    if found and len(found) == len(names):
        for name, part in zip(names, found, strict=True):
            yield name, _as_text(git, base, name, part)
        return
    for at, path in enumerate(paths):
        if at >= _EACH:
            yield path, GitUnavailable(f"one of {len(paths):,} files")
            continue
        try:
            literal = f":(top,literal){path}"
            part = _diff(git, base, (literal,), limit=gitcall.DIFF_LIMIT + 1)
        except GitUnavailable as error:
            yield path, error
        else:
            yield path, _as_text(git, base, path, part)


def _diff(git: Git, base: str, paths: tuple[str, ...], *, limit: int) -> bytes:
    return git.run("diff", *_WAYS, base, "--", *paths, limit=limit)


def _names(git: Git, base: str, paths: tuple[str, ...]) -> list[str]:
    output = git.run("diff", *_WAYS, "--name-only", "-z", base, "--", *paths)
    return output.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _as_text(git: Git, base: str, path: str, part: bytes) -> str | GitUnavailable:
    """Return a part of the patch as text; as a binary one where it is not UTF-8."""
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if len(part) > gitcall.DIFF_LIMIT:
        return GitUnavailable("it would be over 1 MB")
    try:
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            rules = Path(folder, "attributes")
            rules.write_text("* -diff\n", encoding="ascii")
            # a name that is not UTF-8 is escaped, as git does it by itself
            plain = git.with_options("core.quotePath=true", f"core.attributesFile={rules}")
            plain = plain.with_options(*_as_binary(git, path))
            literal = f":(top,literal){path}"
            again = _diff(plain, base, (literal,), limit=gitcall.DIFF_LIMIT + 1)
        return again.decode("utf-8")
    except (GitUnavailable, OSError):
        return GitUnavailable("it cannot be read again")
    except UnicodeDecodeError:
        return GitUnavailable("its text is not UTF-8")


def _as_binary(git: Git, path: str) -> list[str]:
    """Return what lets git show a file as binary whose attributes name a kind of text."""
    said = git.run("check-attr", "-z", "diff", "--", path).split(b"\0")
    kind = said[2].decode("utf-8", "replace") if len(said) > 2 else ""
    return [f"diff.{kind}.binary=true"] if _KIND.fullmatch(kind) else []


def _hash_length(git: Git) -> int:
    return 64 if git.run("rev-parse", "--show-object-format").strip() == b"sha256" else 40
