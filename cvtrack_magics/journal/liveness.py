"""Which process holds a run open is known by a lock, not by its number and a clock.

Every process that keeps runs in a journal holds one lock file in it for as long as it lives.
The lock is the file system's own (``fcntl.lockf``): it goes with the process however that
ends, whatever the clock does, and in whatever namespace the process counts; a forked child
does not inherit it. Closing any descriptor of the file would drop it, so this process opens
its own file once and never again.

The file says which runs the process has open, innermost last, for the workers that it starts, and
which process it is, for workers that it started before.

Where the file system knows no locks across machines, a process on another machine still counts
as alive while its file was touched lately, by the file server's clock.
"""

from __future__ import annotations

import contextlib
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics import forks
from cvtrack_magics.journal.process_times import process_clock
from cvtrack_magics.journal.running import boot_id, is_running, process_mark
from cvtrack_magics.system import os, time

if sys.platform != "win32":
    import fcntl

    _lockf = fcntl.lockf  # as it is now, whatever code puts in its place

__all__ = [
    "FOLDER",
    "SILENT",
    "Shown",
    "all_shown",
    "beat",
    "boot_id",
    "held_by",
    "hold",
    "is_alive",
    "lock",
    "process_mark",
    "show",
    "shown",
]

FOLDER = "alive"
BEAT = 30.0  # seconds between two touches of the lock file
SILENT = 150.0  # seconds without a touch after which another machine counts as gone
STALE = 86_400.0  # seconds after which a lock file that nobody holds is tidied away
_KEYS = 4096  # bytes of a lock file that keys of open runs may take; written and read at once
_LATE, _BESIDE = "late=", "side-by-side"  # no key has such a character
_SPAN = "at="  # of a run: its key, and when it was opened and ended by the clock of processes
_SPANS = 24  # of the newest runs
_SPAN_WORD = re.compile(rf"{_SPAN}[0-9A-Za-z]+=\d{{1,18}}(?:-\d{{1,18}})?")
_MARK = "process="  # before what tells the process; no key has such a character


class Holder:
    """The lock of this process in one journal.

    Parameters
    ----------
    root : Path
        The journal.
    """

    def __init__(self, root: Path) -> None:
        self.pid = os.getpid()
        self.name = ""
        self._handle: int | None = None
        self._spans: dict[str, list[int]] = {}
        self._beaten = time.monotonic()
        folder = root.parent / FOLDER
        name = uuid.uuid4().hex
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _tidy(folder)
            handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return
        try:
            lock(handle)
        except OSError:  # a file system without locks
            os.close(handle)
            with contextlib.suppress(OSError):
                (folder / name).unlink()
            return
        self._handle, self.name = handle, name

    def beat(self) -> None:
        """Touch the lock file, now and then, for those who cannot see the lock."""
        if self._handle is not None and time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                os.utime(self._handle)

    def show(self, keys: Sequence[str], more: Sequence[str] = ()) -> None:
        """Write into the lock file which runs are open, the innermost last."""
        self._note_spans(keys)
        spans = [f"{_SPAN}{key}={'-'.join(map(str, at))}" for key, at in self._spans.items()]
        said = "\n".join([*spans, *more, *keys, _MARK + process_mark(self.pid)]).encode()[-_KEYS:]
        if self._handle is not None and hasattr(os, "pwrite"):
            with contextlib.suppress(OSError):
                os.pwrite(self._handle, said.ljust(_KEYS), 0)

    def _note_spans(self, keys: Sequence[str]) -> None:
        """Note when runs are opened and ended: what is started meanwhile is of them."""
        now = process_clock()
        for key, span in self._spans.items():
            if key not in keys and len(span) == 1:
                span.append(now)
        for key in keys:
            self._spans.setdefault(key, [now])
        ended = [key for key, span in self._spans.items() if len(span) > 1]
        for key in ended[: max(0, len(self._spans) - _SPANS)]:
            del self._spans[key]


class _Held:
    """The locks of this process, by journal."""

    def __init__(self) -> None:
        self._lock = forks.rlock()  # a signal's handler may ask while it is asked for
        self._holders: dict[Path, Holder] = {}

    def of(self, root: Path) -> Holder:
        with self._lock:
            found = self._here(root)
            if found is None:
                made = Holder(root)
                found = self._holders[root] = self._here(root) or made
            return found

    def _here(self, root: Path) -> Holder | None:
        found = self._holders.get(root)
        return found if found is not None and found.pid == os.getpid() else None

    def names(self) -> set[str]:
        return {h.name for h in list(self._holders.values()) if h.pid == os.getpid()}

    def beat(self) -> None:
        for holder in list(self._holders.values()):
            holder.beat()


_held = _Held()


def hold(root: Path) -> str:
    """Hold a lock in a journal for as long as this process lives; return its name.

    Empty where the journal is on a file system that cannot be written to or has no locks.
    """
    return _held.of(root).name


def show(
    root: Path,
    keys: Sequence[str],
    late: Mapping[str, str] | None = None,
    *,
    beside: bool = False,
) -> Path | None:
    """Say which runs this process has open, the innermost last.

    Parameters
    ----------
    root : Path
        The journal.
    keys : sequence of str
        The runs.
    late : mapping of str to str, optional
        The journals of what workers log to runs that have ended, by the keys of those.
    beside : bool
        Whether threads or tasks have runs open side by side.

    Returns
    -------
    Path or None
        The lock file, which says so; None where there is none.
    """
    holder = _held.of(root)
    more = [f"{_LATE}{key}={journal}" for key, journal in (late or {}).items()]
    holder.show(keys, [*more, *([_BESIDE] if beside else [])])
    return root.parent / FOLDER / holder.name if holder.name else None


def shown(path: Path) -> list[str]:
    """Return what the process that holds a lock file has open, the innermost run last.

    A process must not ask for its own file: closing it drops the lock.
    """
    return [key for key in _words(path) if key.isalnum()]


@dataclass(frozen=True)
class Shown:
    """What a process says of its runs: see :func:`show`."""

    keys: tuple[str, ...]
    late: Mapping[str, str]
    beside: bool
    spans: tuple[str, ...]
    """When each run was opened and, where it has, ended, by :func:`process_clock`."""

    def open_at(self, moment: int) -> list[str]:
        """Return the runs that were open at a moment, the innermost first."""
        found: list[tuple[int, str]] = []
        for word in filter(_SPAN_WORD.fullmatch, self.spans):
            key, _, at = word.removeprefix(_SPAN).partition("=")
            opened, *ended = map(int, at.split("-"))
            if opened <= moment and (not ended or moment <= ended[0]):
                found.append((opened, key))
        return [key for _, key in sorted(found, key=lambda one: one[0])][::-1]


def all_shown(path: Path) -> Shown:
    """Return all that the process says which holds a lock file; not for its own."""
    words = _words(path)
    late = [word.removeprefix(_LATE).split("=") for word in words if word.startswith(_LATE)]
    return Shown(
        tuple(word for word in words if word.isalnum()),
        {pair[0]: pair[1] for pair in late if len(pair) == 2},
        _BESIDE in words,
        tuple(word for word in words if word.startswith(_SPAN)),
    )


def held_by(root: Path, marks: Sequence[str]) -> Path | None:
    """Return the lock file that the first of some other processes holds that holds one.

    Parameters
    ----------
    root : Path
        The journal.
    marks : sequence of str
        What :func:`process_mark` says of the processes.
    """
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for path in (root.parent / FOLDER).iterdir():
            if path.name in _held.names():
                continue  # opening the file here would drop the lock
            said = [word for word in _words(path) if word.startswith(_MARK)]
            mark = said[-1].removeprefix(_MARK) if said else ""
            if mark in marks and is_alive(root, path.name, boot_id()):
                found[mark] = path
    return next((found[mark] for mark in marks if mark in found), None)


def _words(path: Path) -> list[str]:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            said = os.read(handle, _KEYS)
        finally:
            os.close(handle)
    except OSError:
        return []
    return said.decode("ascii", "replace").split()


def beat() -> None:
    """Show other machines that this process lives."""
    _held.beat()


def is_alive(root: Path, name: str, boot: str) -> bool:
    """Say whether the process that holds a lock file still lives.

    Parameters
    ----------
    root : Path
        The journal.
    name : str
        The lock file, as :func:`hold` returned it.
    boot : str
        :func:`boot_id` of the machine that the process runs on.
    """
    if name in _held.names():
        return True  # opening the file here would drop the lock
    path = root.parent / FOLDER / Path(name).name
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return False
    try:
        lock(handle, shared=True)
    except OSError:
        return True
    else:
        return _runs_on(handle) if boot == boot_id() else _touched_lately(root, handle)
    finally:
        os.close(handle)


def _runs_on(handle: int) -> bool:
    """Whether the process that a lock file names lives, though nobody holds the lock.

    Any close of the file drops the lock, as a backup does that the process makes itself, and a
    copy of the file has none. Who has the process's number is that process where it began
    before the last run that the file tells of; one that is started later may get the number.
    """
    words = os.pread(handle, _KEYS, 0).decode("ascii", "replace").split()
    mark = next((word.removeprefix(_MARK) for word in words[::-1] if _MARK in word), "")
    spans = filter(_SPAN_WORD.fullmatch, words)
    opened = max((int(word.split("=")[2].partition("-")[0]) for word in spans), default=0)
    return mark.partition("/")[0] != str(os.getpid()) and is_running(mark, opened)


def _touched_lately(root: Path, handle: int) -> bool:
    probe = root.parent / FOLDER / f"now-{uuid.uuid4().hex}"
    now = time.time()
    with contextlib.suppress(OSError):
        probe.touch()
        now = probe.stat().st_mtime  # the file server's clock
        probe.unlink()
    return now - os.fstat(handle).st_mtime < SILENT


def lock(handle: int, *, shared: bool = False) -> None:
    """Lock a file for this process without waiting; raises :class:`OSError` when it is taken.

    A shared lock only needs a descriptor to read from, and is refused while somebody holds
    the other kind.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        _lockf(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _tidy(folder: Path) -> None:
    """Remove the lock files of processes that are gone for long."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > STALE
            if old and not is_alive(folder.parent / "journal", path.name, boot_id()):
                path.unlink()
