"""Folders that nobody but the user can write to, checked as ssh checks its own."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_PARTS = ("journal", "hashes", "checkpoints", "runs")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_CHECKED = os.name == "posix"
"""Windows keeps a profile's folders private by lists of its own, which are not looked at."""


def private_folder(wanted: Path) -> tuple[Path, str]:
    """Return a folder as it is wanted, made where there is none, or a private one instead.

    Parameters
    ----------
    wanted : Path
        May be a link of the user's own; links below it are never followed.

    Returns
    -------
    Path
        The folder, or a new one for this session where others could write to that one.
    str
        Why it is another one, in one line; empty where it is the wanted one.

    Raises
    ------
    OSError
        It cannot be made.
    """
    path = _resolved(wanted)
    why = _unfit_above(path)
    if not why:
        _make(path)
        why = unfit(path) or _unfit_below(path)
    if not why:
        return wanted, ""
    instead = Path(tempfile.mkdtemp(prefix="cvtrack-state-"))
    return instead, (
        f"The state folder {wanted} {why}: {instead} is used in this session. "
        f"chmod 700 {wanted}, or set %config CvTrack.state_folder to a folder of your own."
    )


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:  # a loop of links, before Python 3.13
        raise OSError(str(error)) from error


def _make(path: Path) -> None:
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def _unfit_below(path: Path) -> str:
    """Return what is wrong with the folders in it that are there already."""
    for name in _PARTS:
        with suppress(FileNotFoundError):
            why = unfit(path / name)
            if why:
                return f"has a folder {name}/ that {why}"
    return ""


def unfit(path: Path) -> str:
    """Return why a folder or file is not the user's own alone; empty where it is."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "is a link"
    if not _CHECKED:
        return ""
    if found.st_uid != os.geteuid():
        return f"belongs to somebody else (user {found.st_uid})"
    if found.st_mode & _OTHERS_WRITE:
        return "can be written to by others"
    return ""


def _unfit_above(path: Path) -> str:
    """Return why somebody else could put another folder in this one's place."""
    if not _CHECKED:
        return ""
    for folder in path.parents:
        try:
            found = folder.stat()
        except OSError:
            continue  # not there yet, and made private then
        if found.st_uid not in (0, os.geteuid()):
            return f"lies in {folder}, which belongs to somebody else (user {found.st_uid})"
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"lies in {folder}, which can be written to by others"
    return ""


def is_private(folder: Path) -> bool:
    """Whether a folder and all in it is the user's own: folders and files, and no links.

    What somebody else made, or could have changed, is not believed.
    """
    try:
        mode = folder.lstat().st_mode
        if unfit(folder) or not stat.S_ISDIR(mode):
            return False
        # where nobody else can enter, it does not matter what the user's umask gave the files
        closed = not mode & (stat.S_IRWXG | stat.S_IRWXO)
        for place, folders, files in os.walk(folder, onerror=_raise):
            for name in (*folders, *files):
                if not _is_own(Path(place, name), closed):
                    return False
    except OSError:
        return False
    return True


def _is_own(path: Path, closed: bool) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:  # sent and removed since it was listed
        return True
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return False
    if not _CHECKED:
        return True
    return found.st_uid == os.geteuid() and (closed or not found.st_mode & _OTHERS_WRITE)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
