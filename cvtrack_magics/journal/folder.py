"""One run's folder: whose it is, what is in it, and how much of that the store has."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from cvtrack_magics.private import is_private

CREATED_TOLERANCE = 2.0  # seconds; the clock behind a process's age is coarse
NOTE = "run.json"
SENT = "sent.bin"
CLAIM = "claim"
FORMAT = 1
_SENT = struct.Struct("<6Q")


@dataclass(frozen=True, slots=True)
class RunNote:
    """What a run is called, where it belongs, and which process holds it open.

    ``uri`` is the tracking URI without credentials. ``started`` is Unix milliseconds.
    ``run_id`` is empty until the store has the run. ``guest`` marks a run that other code
    opened; that code ends it.
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
    format: int = FORMAT

    @property
    def alive(self) -> bool:
        """Whether the process that holds the run open still runs.

        A process on another host cannot be seen, so it counts as alive.
        """
        if self.host != socket.gethostname():
            return True
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CREATED_TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def me() -> tuple[str, int, float]:
    """Return host, process id and creation time of this process."""
    return socket.gethostname(), os.getpid(), psutil.Process().create_time()


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of a run the store has acknowledged.

    ``facts`` is the number of the last batch; the others are, for each of the two
    streams of points, the segment and the offset in it up to which all is there.
    ``points`` is their number.
    """

    facts: int = 0
    points: int = 0
    main: tuple[int, int] = (0, 0)
    other: tuple[int, int] = (0, 0)


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

    @classmethod
    def make(cls, root: Path, note: RunNote) -> RunFolder:
        """Make the folder of a new run; raises :class:`OSError` when it cannot be made."""
        path = root / note.key
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        try:
            folder = cls(path, note)
            folder.change()
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return folder

    def change(self, **values: object) -> None:
        """Change what the note says, at once and as a whole."""
        self.note = replace(self.note, **values)  # type: ignore[arg-type]
        handle, name = tempfile.mkstemp(dir=self.path, prefix=NOTE)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({**asdict(self.note), "tags": dict(self.note.tags)}, file)
            Path(name).replace(self.path / NOTE)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def acknowledge(self, sent: Sent) -> None:
        """Note how much the store has; a kill in between leaves the old or the new."""
        handle = os.open(self.path / SENT, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(handle, _SENT.pack(sent.facts, sent.points, *sent.main, *sent.other))
        finally:
            os.close(handle)

    def acknowledged(self) -> Sent:
        """Return how much the store has."""
        try:
            facts, points, *places = _SENT.unpack((self.path / SENT).read_bytes()[: _SENT.size])
        except (OSError, struct.error):
            return Sent()
        return Sent(facts, points, (places[0], places[1]), (places[2], places[3]))

    def claim(self) -> bool:
        """Make sure that no other process sends this run meanwhile; False when one does.

        The claim ends with the process that made it, however that ends.
        """
        try:
            handle = os.open(self.path / CLAIM, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            _lock(handle)
            self.note = read_note(self.path)
        except (OSError, ValueError, TypeError):  # taken, or sent and removed just before
            os.close(handle)
            return False
        self._claim = handle
        return True

    def segments(self, stream: str) -> list[tuple[int, Path]]:
        """Return number and file of each segment of a stream that is still there."""
        found = []
        for path in sorted(self.path.glob(f"{stream}-*.rows")):
            with suppress(ValueError):
                found.append((int(path.stem.rsplit("-", 1)[1]), path))
        return found

    @property
    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for path in self.path.rglob("*"):
            with suppress(OSError):
                total += path.stat().st_size
        return total

    @property
    def last_change(self) -> int:
        """When the process that held the run last wrote here, in Unix milliseconds."""
        written = [path for path in self.path.iterdir() if path.suffix in (".rows", ".jsonl")]
        times = [path.stat().st_mtime for path in written]
        return int(max(times, default=self.note.started / 1000) * 1000)

    def remove(self) -> None:
        """Delete the folder; the note goes last, so that a half-deleted one is still known."""
        for path in sorted(self.path.iterdir(), key=lambda item: item.name == NOTE):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None
        with suppress(OSError):
            self.path.rmdir()


def read_note(path: Path) -> RunNote:
    """Return the note of a run's folder; raises when there is none that can be read."""
    return RunNote(**json.loads((path / NOTE).read_text(encoding="utf-8")))


def _lock(handle: int) -> None:
    """Lock a file for this process, without waiting; a forked child does not inherit it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_folders(root: Path) -> list[RunFolder]:
    """Return the runs kept in a journal, the first opened first.

    What is not the user's own alone, or of a format that only a newer version knows, is
    passed over.
    """
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        with suppress(OSError, ValueError, TypeError, RecursionError):
            if not is_private(path):
                continue
            note = read_note(path)
            if note.format <= FORMAT and note.key == path.name:
                found.append(RunFolder(path, note))
    return sorted(found, key=lambda item: (item.note.started, item.note.key))
