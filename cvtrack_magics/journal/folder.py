"""One run's folder: whose it is, what is in it, and how much of that the store has."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import psutil

from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.acknowledged import Acknowledgements, Sent
from cvtrack_magics.journal.stored import files_by_header, read_regular
from cvtrack_magics.plainjson import dumps, loads
from cvtrack_magics.private import is_private

__all__ = ["RunFolder", "RunNote", "Sent", "Unreadable", "me", "read_folders", "read_journal"]

CREATED_TOLERANCE = 2.0  # seconds; the clock behind a process's age is coarse
NOTE = "run.json"
CLAIM = "claim"
HEALED = "healed"
NEW, REMOVED = ".new-", ".removed-"
STALE = 86_400.0  # seconds after which a folder that was not made to its end is deleted
FORMAT = 3


@dataclass(frozen=True, slots=True)
class RunNote:
    """What a run is called, where it belongs, and which process holds it open.

    ``uri`` is the tracking URI without credentials. ``started`` is Unix milliseconds.
    ``run_id`` is empty until the store has the run. ``guest`` marks a run that other code
    opened; that code ends it. ``owner`` is the lock file that its process holds
    (:mod:`cvtrack_magics.journal.liveness`), ``boot`` the start of the machine it runs on.
    ``stretch`` counts how often the run was opened, from 1: it may be resumed.
    """

    key: str
    name: str
    uri: str
    started: int
    host: str
    pid: int
    created: float
    experiment: str = ""
    experiment_id: str = ""
    parent_key: str = ""
    parent_run_id: str = ""
    run_id: str = ""
    guest: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    boot: str = ""
    stretch: int = 1
    format: int = FORMAT

    @property
    def alive(self) -> bool:
        """Whether the process of a note without a lock still runs.

        A process on another host cannot be seen, so it counts as alive.
        """
        if self.host != socket.gethostname():
            return True
        try:
            process = psutil.Process(self.pid)
            passed = abs(process.create_time() - self.created)
            same = passed < CREATED_TOLERANCE or not self.created
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError, OverflowError):
            return False


def me() -> tuple[str, int, float]:
    """Return host, process id and creation time of this process; 0 where that is not told."""
    created = 0.0
    with suppress(psutil.Error, OSError):  # no file can be opened any more
        created = psutil.Process().create_time()
    return socket.gethostname(), os.getpid(), created


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder in the journal that is no run this version can read, and why."""

    path: Path
    why: str


class RunFolder:
    """A folder in the journal.

    Parameters
    ----------
    path : Path
        The folder.
    note : RunNote
        What its ``run.json`` says.
    """

    def __init__(self, path: Path, note: RunNote) -> None:
        self.path = path
        self.note = note
        self._claim: int | None = None
        self._acknowledgements = Acknowledgements(path, note.format)

    @classmethod
    def make(cls, root: Path, note: RunNote) -> RunFolder:
        """Make the folder of a new run; raises :class:`OSError` when it cannot be made."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = root / f"{NEW}{note.key}"
        path.mkdir(mode=0o700)
        try:
            folder = cls(path, note)
            folder.change()
            return cls(path.rename(root / note.key), note)  # nobody finds it without its note
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise

    def change(self, **values: object) -> None:
        """Change what the note says, at once and as a whole."""
        self.note = replace(self.note, **values)  # type: ignore[arg-type]
        handle, name = tempfile.mkstemp(dir=self.path, prefix=NOTE)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(_text_of(self.note))
            Path(name).replace(self.path / NOTE)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def acknowledge(self, sent: Sent) -> None:
        """Note how much the store has; a kill in between leaves the old or the new."""
        self._acknowledgements.write(sent)

    def acknowledged(self) -> Sent:
        """Return how much the store has."""
        return self._acknowledgements.read()

    @property
    def alive(self) -> bool:
        """Whether the process that holds the run open still lives."""
        if self.note.owner:
            return liveness.is_alive(self.path.parent, self.note.owner, self.note.boot)
        return self.note.alive

    def claim(self) -> bool:
        """Make sure that no other process sends this run meanwhile; False when one does.

        The claim ends with the process that made it, however that ends.
        """
        handle = self._claimed()
        if handle is None:
            return False
        try:
            self.note = read_note(self.path)
        except (OSError, ValueError, TypeError):  # sent and removed just before
            os.close(handle)
            return False
        self._claim = handle
        return True

    def _claimed(self) -> int | None:
        try:
            handle = os.open(self.path / CLAIM, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:  # no room for the file, or a disk that is only read
            return _lock_to_read(self.path / NOTE)
        try:
            liveness.lock(handle)
        except OSError:
            os.close(handle)
            return None
        return handle

    def segments(self) -> dict[str, list[tuple[int, Path]]]:
        """Return number and file of each segment that is still there, by stream."""
        return files_by_header(self.path)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        with suppress(OSError):  # it may be sent and removed meanwhile
            for path in self.path.rglob("*"):
                with suppress(OSError):
                    total += path.stat().st_size
        return total

    @property
    def last_change(self) -> int:
        """When the process that held the run last wrote here, in Unix milliseconds."""
        times = []
        with suppress(OSError):
            for path in self.path.iterdir():
                if path.suffix in (".rows", ".jsonl"):
                    with suppress(OSError):
                        times.append(path.stat().st_mtime)
        return int(max(times, default=self.note.started / 1000) * 1000)

    def remove(self) -> None:
        """Delete the folder, which leaves the journal first and at once.

        Nobody may find it half deleted, and take what is sent for what waits. Where nothing
        can be deleted the store has the run all the same; the next look at the journal finds
        it sent.
        """
        with suppress(OSError):
            gone = self.path.with_name(REMOVED + self.path.name)
            self.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        self.let_go()

    def set_aside(self, root: Path, lines: list[str]) -> Path:
        """Move the folder out of the journal, with what could not be read of it; return where."""
        target = root / self.path.name
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):
            (self.path / "damage.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.path.rename(target)
        self.let_go()
        return target

    def leave(self) -> None:
        """Leave the folder to its process, which sleeps on another machine and may wake."""
        with suppress(OSError):
            (self.path / HEALED).touch()
        self.let_go()

    @property
    def left(self) -> bool:
        """Whether the run was ended for a process that may wake."""
        return (self.path / HEALED).exists()

    def let_go(self) -> None:
        """End the claim."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None


def _text_of(note: RunNote) -> str:
    entry = {**asdict(note), "tags": dict(note.tags)}
    checks = {"check": _check_of(entry), "uri_check": crc32(note.uri.encode())}
    return dumps({**entry, **checks})


def _check_of(entry: Mapping[str, Any]) -> int:
    """Return the CRC-32 of a note; the store's address has one of its own."""
    plain = {k: v for k, v in entry.items() if k not in ("check", "uri_check", "uri")}
    return crc32(dumps(plain, sort_keys=True).encode())


def _same_store(entry: Mapping[str, Any]) -> bool:
    """Whether the address is as it was written, or that of a store that is there.

    A store may be moved, and the address with it; a damaged one would make a new store.
    """
    uri = str(entry.get("uri"))
    if entry.get("uri_check") == crc32(uri.encode("utf-8", "replace")):
        return True
    return uri.startswith("sqlite:///") and Path(uri[len("sqlite:///") :]).is_file()


def read_note(path: Path) -> RunNote:
    """Return the note of a run's folder.

    Raises
    ------
    OSError, ValueError, TypeError
        There is none, or it cannot be read; the text says why.
    """
    data = read_regular(path / NOTE)
    if data is None:
        raise OSError(f"its {NOTE} cannot be read")
    try:
        entry = loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"its {NOTE} is damaged") from None
    if not isinstance(entry, dict):
        raise TypeError(f"its {NOTE} is damaged")
    version = entry.get("format", 1)
    if not isinstance(version, int) or version > FORMAT:
        raise ValueError(f"a newer version of cvtrack_magics made it (format {version})")
    if version >= 2 and not (entry.get("check") == _check_of(entry) and _same_store(entry)):
        raise ValueError(f"its {NOTE} is damaged")
    names = {item.name for item in fields(RunNote)}
    try:
        known = {key: value for key, value in entry.items() if key in names}
        note = RunNote(**{**known, "format": version})
    except TypeError:
        raise TypeError(f"its {NOTE} is not whole") from None
    if not _is_sound(note):
        raise TypeError(f"its {NOTE} is damaged")
    return note


def _is_sound(note: RunNote) -> bool:
    texts = [note.key, note.name, note.uri, note.host, note.experiment, note.experiment_id]
    texts += [note.parent_key, note.parent_run_id, note.run_id, note.owner, note.boot]
    return (
        all(isinstance(item, str) for item in texts)
        and isinstance(note.started, int)
        and isinstance(note.pid, int)
        and isinstance(note.stretch, int)
        and isinstance(note.created, (int, float))
        and isinstance(note.tags, Mapping)
        and all(isinstance(item, str) for pair in note.tags.items() for item in pair)
    )


def _lock_to_read(path: Path) -> int | None:
    """Lock a file that can only be read, as a claim on a disk that takes no more."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def read_journal(root: Path) -> tuple[list[RunFolder], list[Unreadable]]:
    """Return the runs kept in a journal, the first opened first, and what is none.

    A folder that cannot be read never hides the others.
    """
    found, others = [], []
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return [], []
    for name in names:
        path = root / name
        if name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        try:
            if not is_private(path):
                raise PermissionError("it is not your own alone")
            note = read_note(path)
        except (OSError, ValueError, TypeError) as error:
            if _has_files(path):
                others.append(Unreadable(path, str(error)))
            continue
        if note.key == name:
            found.append(RunFolder(path, note))
        else:
            others.append(Unreadable(path, f"its {NOTE} is that of another folder"))
    return sorted(found, key=lambda item: (item.note.started, item.note.key)), others


def _has_files(path: Path) -> bool:
    try:
        return any(path.iterdir())
    except OSError:  # it is gone by now, or cannot be looked into
        return path.exists()


def tidy(root: Path) -> None:
    """Delete what is left of folders whose process ended while it made or deleted them."""
    for path in root.glob(f"{REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in root.glob(f"{NEW}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > STALE:
                shutil.rmtree(path, ignore_errors=True)


def read_folders(root: Path) -> list[RunFolder]:
    """Return the runs kept in a journal, the first opened first."""
    return read_journal(root)[0]
