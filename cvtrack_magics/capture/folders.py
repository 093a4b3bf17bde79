"""Identity of a folder: every file hashed, and only changed ones the next time."""

from __future__ import annotations

import os
import stat as modes
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.capture import hashcache
from cvtrack_magics.capture.hashing import FileHash, Progress, sha256_files
from cvtrack_magics.capture.manifest import escape, manifest_digest
from cvtrack_magics.errors import UsageProblem

_FEW = 2000


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """SHA-256 of the manifest, the manifest, and what it covers (sizes in bytes)."""

    digest: str
    manifest: str
    files: int
    size: int
    hashed: int
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class _Listing:
    names: list[str]
    skipped: list[str]


def identify_folder(
    root: Path, cache: Path | None = None, progress: Progress | None = None
) -> FolderIdentity:
    """Hash every file under a folder.

    Parameters
    ----------
    root : Path
        The folder. Links to files and folders are followed; a folder that contains
        itself by a link is visited once.
    cache : Path, optional
        Folder of the cache. A file whose size, times and inode are as they were is
        not read again.
    progress : callable, optional
        Called with what is done and the total: bytes, or files when there are many.

    Raises
    ------
    UsageProblem
        The folder is empty, or a file in it cannot be read.
    """
    listing = _list(str(root))
    if not listing.names:
        raise UsageProblem(f"There is no file in {str(root)!r}.", "Name a folder that holds data.")
    return identify_files(str(root), listing.names, cache, progress, tuple(listing.skipped))


def identify_files(
    root: str,
    names: list[str],
    cache: Path | None = None,
    progress: Progress | None = None,
    notices: tuple[str, ...] = (),
) -> FolderIdentity:
    """Hash the named files under a folder; see `identify_folder`.

    Parameters
    ----------
    root : str
        Folder the names are relative to.
    names : list of str
        Relative paths, forward slashes.
    cache, progress, notices
        As in `identify_folder`.
    """
    names.sort(key=escape)
    known = hashcache.load(cache, root)
    if known is None:
        return _fresh(root, names, cache, progress, notices)
    stats = [_stat(os.path.join(root, name)) for name in names]
    signature = _signature(names, stats)
    if signature == known.signature:
        files, size = len(names), sum(s.st_size for s in stats)
        return FolderIdentity(known.digest, known.manifest, files, size, 0, notices)
    before = known.by_signature()
    lines = signature.split("\n")
    stale = [index for index, line in enumerate(lines[:-1]) if line not in before]
    paths = [os.path.join(root, names[index]) for index in stale]
    fresh = sha256_files(paths, [stats[index].st_size for index in stale], progress)
    results: list[FileHash] = []
    renewed = dict(zip(stale, fresh, strict=True))
    for index, line in enumerate(lines[:-1]):
        if index in renewed:
            results.append(renewed[index])
        else:
            s = stats[index]
            results.append(
                FileHash(before[line], s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
            )
    return _finish(root, names, results, cache, len(stale), notices)


def _fresh(
    root: str,
    names: list[str],
    cache: Path | None,
    progress: Progress | None,
    notices: tuple[str, ...],
) -> FolderIdentity:
    paths = [f"{root}{os.sep}{name}" for name in names]
    # With many files the stat costs more than knowing the sizes saves.
    sizes = [_stat(path).st_size for path in paths] if len(paths) <= _FEW else None
    results = sha256_files(paths, sizes, progress)
    return _finish(root, names, results, cache, len(names), notices)


def _finish(
    root: str,
    names: list[str],
    results: list[FileHash],
    cache: Path | None,
    hashed: int,
    notices: tuple[str, ...],
) -> FolderIdentity:
    safe = [escape(name) for name in names]
    manifest = "".join(
        [f"{r.sha256}\t{r.size}\t{name}\n" for r, name in zip(results, safe, strict=True)]
    )
    digest = manifest_digest(manifest)
    if cache is not None:
        signature = "".join(
            [
                f"{r.size} {r.mtime_ns} {r.ctime_ns} {r.inode} {name}\n"
                for r, name in zip(results, safe, strict=True)
            ]
        )
        hashcache.save(cache, root, hashcache.Known(digest, signature, manifest))
    total = sum([r.size for r in results])
    return FolderIdentity(digest, manifest, len(names), total, hashed, notices)


def _signature(names: list[str], stats: list[os.stat_result]) -> str:
    return "".join(
        [
            f"{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {escape(name)}\n"
            for s, name in zip(stats, names, strict=True)
        ]
    )


def _stat(path: str) -> os.stat_result:
    try:
        found = os.stat(path)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise UsageProblem(
            f"{path!r} cannot be read: {said}.", "Every file counts; correct or remove this one."
        ) from None
    return found


def _list(root: str) -> _Listing:
    """Relative names of all files under a folder, without a stat for plain ones."""
    listing = _Listing([], [])
    stack: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(root, "", (_identity(root),))]
    while stack:
        folder, prefix, above = stack.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        listing.names.append(prefix + entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        # Only a link can lead back up, so plain folders cost no stat.
                        stack.append((entry.path, f"{prefix}{entry.name}/", above))
                    else:
                        _add_special(entry, prefix, above, stack, listing)
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise UsageProblem(
                f"The folder {folder!r} cannot be read: {said}.", "Check its permissions."
            ) from None
    return listing


def _add_special(
    entry: os.DirEntry[str],
    prefix: str,
    above: tuple[tuple[int, int], ...],
    stack: list[tuple[str, str, tuple[tuple[int, int], ...]]],
    listing: _Listing,
) -> None:
    name = prefix + entry.name
    kind = _stat(entry.path).st_mode
    if modes.S_ISREG(kind):
        listing.names.append(name)
    elif modes.S_ISDIR(kind):
        target = os.path.realpath(entry.path)
        inside = os.path.realpath(os.path.dirname(entry.path))
        identity = _identity(entry.path)
        if identity in above or inside == target or inside.startswith(target + os.sep):
            listing.skipped.append(f"The link {name!r} leads back to a folder above it: skipped.")
        else:
            stack.append((entry.path, f"{name}/", (*above, identity)))
    else:
        listing.skipped.append(f"{name!r} is neither a file nor a folder: skipped.")


def _identity(path: str) -> tuple[int, int]:
    found = _stat(path)
    return found.st_dev, found.st_ino
