"""The code of a run by git: commit, branch, remote, uncommitted changes, own modules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from cvtrack_magics.artifacts.paths import DIFF, MODULES, REPOSITORIES, REPOSITORY_DIFFS
from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.gitdiff import named, read_diff
from cvtrack_magics.capture.code.githidden import Uncovered, uncovered
from cvtrack_magics.capture.code.modules import import_root, user_modules
from cvtrack_magics.records import Artifact, Notice, Tag

__all__ = ["GitState", "describe_git", "git_records", "user_modules"]

_MODULE_LIMIT = 1_000_000
_NAMED = 3
"""Hidden files that a notice names; the diff names all of them."""


@dataclass(frozen=True)
class GitState:
    """What git knows about the code of a run.

    Parameters
    ----------
    root : Path or None
        Top folder of the repository; ``None`` where the folder is in none.
    commit, branch, remote : str
        ``""`` where there is none (no commit yet, detached head, no remote);
        credentials in the remote are removed.
    dirty : bool or None
        Whether tracked files differ from the commit, those among them that git was told
        not to look at; ``None`` where git could not say.
    diff : str
        The difference, against the last commit; ``git apply`` takes it.
    untracked : tuple of (str, Path)
        The user's imported modules that no commit holds: name to record, and file.
    others : tuple of GitState
        The other repositories that imported modules come from.
    notices : tuple of str
        What could not be found out.
    """

    root: Path | None
    commit: str = ""
    branch: str = ""
    remote: str = ""
    dirty: bool | None = False
    diff: str = ""
    untracked: tuple[tuple[str, Path], ...] = ()
    others: tuple[GitState, ...] = ()
    notices: tuple[str, ...] = field(default=())


def describe_git(
    folder: Path, modules: Iterable[Path] = (), *, patience: float | None = None
) -> GitState | None:
    """Describe the repository around a folder, and where imported modules come from.

    Parameters
    ----------
    folder : Path
        Usually the notebook's folder.
    modules : iterable of Path
        Source files of the user's own modules, from `user_modules`.
    patience : float, optional
        Seconds for all calls of git together; otherwise 8.

    Returns
    -------
    GitState or None
        ``None`` when the folder is in no repository and there are no modules.
    """
    root = gitcall.find_root(folder)
    by_root: dict[Path | None, list[Path]] = {}
    for module in modules:
        try:
            path = module.resolve()
        except OSError:
            continue
        by_root.setdefault(gitcall.find_root(path.parent), []).append(path)
    loose = [(import_root(path), path) for path in by_root.pop(None, [])]
    untracked = [(path.relative_to(base), path) for base, path in loose]
    own = by_root.pop(root, []) if root is not None else []
    if root is None and not by_root and not untracked:
        return None
    until = time.monotonic() + (gitcall.TIMEOUT if patience is None else patience)
    state, *inner = _described(root, own, until) if root is not None else [GitState(None)]
    outer = [
        one for other, paths in by_root.items() if other for one in _described(other, paths, until)
    ]
    told = {one.root for one in outer}
    others = (*outer, *(one for one in inner if one.root not in told))
    names = [(PurePosixPath(*name.parts), path) for name, path in untracked]
    return GitState(
        root=state.root,
        commit=state.commit,
        branch=state.branch,
        remote=state.remote,
        dirty=state.dirty,
        diff=state.diff,
        untracked=_unique([*state.untracked, *((str(name), path) for name, path in names)]),
        others=others,
        notices=state.notices,
    )


def _described(root: Path, modules: list[Path], until: float) -> list[GitState]:
    """Return a repository, and behind it those of its submodules that have changes."""
    loose = tuple((path.relative_to(root).as_posix(), path) for path in modules)
    git = gitcall.Git(root, until)
    try:
        git = gitcall.opened(root, until)
        with uncovered(git) as seen:
            return _seen(seen, modules, until)
    except gitcall.GitUnavailable as problem:
        state = GitState(root, untracked=loose, notices=(str(problem),))
        return [_with_head(state, git)]


def _with_head(state: GitState, git: gitcall.Git) -> GitState:
    """Add the commit to what is known where git could not say what changed since."""
    try:
        head = gitcall.read_head(git)
    except gitcall.GitUnavailable:
        return state
    return replace(
        state,
        commit=head.commit,
        branch=head.branch,
        remote=gitcall.remote_of(git, ""),
        dirty=None,
    )


def _seen(seen: Uncovered, modules: list[Path], until: float) -> list[GitState]:
    git = seen.git
    root = git.root
    status = gitcall.read_status(git)
    hidden = {name: seen.marks[name] for name in status.changed if name in seen.marks}
    notices = [*git.notices, *filter(None, (seen.notice, _hidden_notice(hidden)))]
    untracked: list[Path] = []
    inner: list[GitState] = []
    diff = ""
    try:
        if modules:
            tracked = gitcall.read_tracked(git, modules)
            untracked = [path for path in modules if path not in tracked]
        if status.changed:
            diff = read_diff(git, status, hidden)
        for folder in gitcall.read_submodules(git):
            inner += [state for state in _described(folder, [], until) if _is_told(state)]
    except gitcall.GitUnavailable as problem:
        notices.append(str(problem))
        untracked = untracked or modules
    state = GitState(
        root,
        commit=status.commit,
        branch=status.branch,
        remote=gitcall.remote_of(git, status.upstream),
        dirty=bool(status.changed) or any(one.dirty for one in inner),
        diff=diff,
        untracked=tuple((path.relative_to(root).as_posix(), path) for path in untracked),
        notices=tuple(notices),
    )
    return [state, *inner]


def _hidden_notice(hidden: Mapping[str, str]) -> str:
    if not hidden:
        return ""
    names = [f"{named(name)} ({mark})" for name, mark in list(hidden.items())[:_NAMED]]
    more = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
    return (
        f"git hides changes of {', '.join(names)}{more}: they are recorded as uncommitted "
        "changes all the same."
    )


def _is_told(state: GitState) -> bool:
    return state.dirty or bool(state.notices)


def _unique(named: list[tuple[str, Path]]) -> tuple[tuple[str, Path], ...]:
    seen: dict[str, Path] = {}
    for name, path in named:
        wanted, number = name, 2
        while wanted in seen and seen[wanted] != path:
            wanted = f"{number}/{name}"
            number += 1
        seen[wanted] = path
    return tuple(seen.items())


def git_records(state: GitState | None) -> list[Tag | Artifact | Notice]:
    """Return a `GitState` as records.

    Returns
    -------
    list of Tag, Artifact and Notice
        Tags ``git_commit``, ``git_branch``, ``git_remote``, ``git_dirty``; the diff as
        ``code/uncommitted.diff``; modules that no commit holds under
        ``code/modules/``; other repositories as ``code/repositories.json`` and
        ``code/repositories/<name>.diff``.
    """
    if state is None:
        return []
    records: list[Tag | Artifact | Notice] = []
    if state.root is not None and (state.commit or not state.notices):
        labels = {
            "git_commit": state.commit or "none yet",
            "git_branch": state.branch,
            "git_remote": state.remote,
            "git_dirty": "" if state.dirty is None else str(state.dirty).lower(),
        }
        records += [Tag(key, text) for key, text in labels.items() if text]
    if state.diff:
        records.append(Artifact(DIFF, content=state.diff))
    records += _module_records(state.untracked, MODULES)
    names: dict[str, int] = {}
    for other in state.others:
        name = other.root.name if other.root else "repository"
        names[name] = names.get(name, 0) + 1
        label = name if names[name] == 1 else f"{name}-{names[name]}"
        if other.diff:
            records.append(Artifact(f"{REPOSITORY_DIFFS}/{label}.diff", content=other.diff))
        records += _module_records(other.untracked, f"{MODULES}/{label}")
    if state.others:
        listed = [_as_row(other) for other in state.others]
        text = json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
        records.append(Artifact(REPOSITORIES, content=text))
    said = [*state.notices, *(text for other in state.others for text in other.notices)]
    records += [Notice(text) for text in said]
    return records


def _as_row(state: GitState) -> dict[str, object]:
    return {
        "folder": str(state.root),
        "commit": state.commit,
        "branch": state.branch,
        "remote": state.remote,
        "dirty": state.dirty,
    }


def _module_records(
    modules: tuple[tuple[str, Path], ...], folder: str
) -> list[Tag | Artifact | Notice]:
    records: list[Tag | Artifact | Notice] = []
    for name, path in modules:
        try:
            if path.stat().st_size > _MODULE_LIMIT:
                records.append(Notice(f"Module {name} is over 1 MB and was not copied."))
                continue
            # Read now: the file may be edited while the run goes on.
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            records.append(Notice(f"Module {name} could not be read: {error.strerror}."))
            continue
        records.append(Artifact(f"{folder}/{name}", content=text))
    return records
