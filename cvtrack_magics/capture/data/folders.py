"""Identity of a folder: every file hashed, and only changed ones the next time."""

from __future__ import annotations

import os
import stat as modes
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.capture.data import hashcache
from cvtrack_magics.capture.data.manifest import escape, manifest_digest
from cvtrack_magics.capture.data.manyfiles import Hashed, Progress, sha256_files
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
class Listing:
    """Relative names of files, and what was passed over, a line each."""

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
    listing = list_files(str(root))
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
    safe = _sorted(names)
    known = hashcache.load(cache, root)
    if known is None:
        return _fresh(root, names, safe, cache, progress, notices)
    stats = [_stat(f"{root}{os.sep}{name}") for name in names]
    now = hashcache.pack(_row(s) for s in stats)
    if now == known.stats and _names(known.manifest) == safe:
        size = sum([s.st_size for s in stats])
        return FolderIdentity(known.digest, known.manifest, len(names), size, 0, notices)
    before = known.by_name()
    results: list[Hashed | None] = []
    for index, name in enumerate(safe):
        packed, sha256 = before.get(name, (b"", ""))
        same = packed == now[32 * index : 32 * index + 32]
        results.append((sha256, *_row(stats[index])) if same else None)
    stale = [index for index, result in enumerate(results) if result is None]
    paths = [f"{root}{os.sep}{names[index]}" for index in stale]
    fresh = iter(sha256_files(paths, [stats[index].st_size for index in stale], progress))
    whole = [next(fresh) if result is None else result for result in results]
    return _finish(root, safe, whole, cache, len(stale), notices)


def _row(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _sorted(names: list[str]) -> list[str]:
    """Sort names in place by their escaped form, and return those."""
    text = "".join(names)
    if text.isascii() and text.isprintable() and "\\" not in text:
        names.sort()
        return names
    pairs = sorted((escape(name), name) for name in names)
    names[:] = [name for _, name in pairs]
    return [safe for safe, _ in pairs]


def _names(manifest: str) -> list[str]:
    return [line.rpartition("\t")[2] for line in manifest.split("\n")[:-1]]


def _fresh(  # noqa: PLR0917
    root: str,
    names: list[str],
    safe: list[str],
    cache: Path | None,
    progress: Progress | None,
    notices: tuple[str, ...],
) -> FolderIdentity:
    paths = [f"{root}{os.sep}{name}" for name in names]
    # With many files the stat costs more than knowing the sizes saves.
    sizes = [_stat(path).st_size for path in paths] if len(paths) <= _FEW else None
    results = sha256_files(paths, sizes, progress)
    return _finish(root, safe, results, cache, len(names), notices)


def _finish(  # noqa: PLR0917
    root: str,
    safe: list[str],
    results: list[Hashed],
    cache: Path | None,
    hashed: int,
    notices: tuple[str, ...],
) -> FolderIdentity:
    manifest = "".join([f"{r[0]}\t{r[1]}\t{name}\n" for r, name in zip(results, safe, strict=True)])
    digest = manifest_digest(manifest)
    if cache is not None:
        stats = hashcache.pack(result[1:] for result in results)
        hashcache.save(cache, root, hashcache.Known(digest, stats, manifest))
    total = sum([result[1] for result in results])
    return FolderIdentity(digest, manifest, len(safe), total, hashed, notices)


def _stat(path: str) -> os.stat_result:
    try:
        found = os.stat(path)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise UsageProblem(
            f"{path!r} cannot be read: {said}.", "Every file counts; correct or remove this one."
        ) from None
    return found


def list_files(root: str) -> Listing:
    """Return relative names of all files under a folder, without a stat for plain ones."""
    listing = Listing([], [])
    stack = [(root, "")]
    while stack:
        folder, prefix = stack.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        listing.names.append(prefix + entry.name)
                    elif entry.is_dir(follow_symlinks=False) or _special(
                        entry, root, prefix, listing
                    ):
                        stack.append((entry.path, f"{prefix}{entry.name}/"))
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise UsageProblem(
                f"The folder {folder!r} cannot be read: {said}.", "Check its permissions."
            ) from None
    # What LMDB keeps of its readers differs each time the data is opened.
    for name in [each for each in listing.names if each.rpartition("/")[2] == "lock.mdb"]:
        if f"{name[: -len('lock.mdb')]}data.mdb" in listing.names:
            listing.names.remove(name)
            listing.skipped.append(f"{name!r} is no data but LMDB's list of readers: skipped.")
    return listing


def _special(entry: os.DirEntry[str], root: str, prefix: str, listing: Listing) -> bool:
    """Sort in a link, pipe or device; say whether it is a folder to go into."""
    name = prefix + entry.name
    kind = _stat(entry.path).st_mode
    if modes.S_ISREG(kind):
        listing.names.append(name)
    elif not modes.S_ISDIR(kind):
        listing.skipped.append(f"{name!r} is neither a file nor a folder: skipped.")
    elif _leads_back(entry.path, root, prefix):
        listing.skipped.append(f"The link {name!r} leads back to a folder above it: skipped.")
    else:
        return True
    return False


def _leads_back(link: str, root: str, prefix: str) -> bool:
    """Say whether a link's target is a folder we came through to reach it."""
    target = os.path.realpath(link)
    parts = prefix.split("/")[:-1]
    above = [os.path.join(root, *parts[:depth]) for depth in range(len(parts) + 1)]
    inside = os.path.realpath(above[-1])
    if inside == target or inside.startswith(target.rstrip(os.sep) + os.sep):
        return True
    return target in {os.path.realpath(path) for path in above}
