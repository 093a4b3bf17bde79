"""One run's folder: whose it is, what is in it, and how much of that the store has."""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.acknowledged import Acknowledgements, Sent
from cvtrack_magics.journal.run_note import NOTE, RunNote, me, read_note, text_of_note
from cvtrack_magics.journal.running import claim_without_locks
from cvtrack_magics.journal.stored import files_by_header
from cvtrack_magics.private import is_private
from cvtrack_magics.system import os, time

CLAIM = "claim"
_TAKEN = (errno.EACCES, errno.EAGAIN)  # of a lock; what else is said is of a disk without locks
HEALED = "healed"
__all__ = [
    "RunFolder",
    "RunNote",
    "Sent",
    "Unreadable",
    "me",
    "read_folders",
    "read_journal",
    "read_note",
]

NEW, REMOVED = ".new-", ".removed-"
STALE = 86_400.0  # seconds after which a folder that was not made to its end is deleted


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
                file.write(text_of_note(self.note))
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
        except OSError as error:
            os.close(handle)
            is_taken = sys.platform == "win32" or error.errno in _TAKEN
            return None if is_taken else claim_without_locks(self.path / f"{CLAIM}.made")
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
            with suppress(OSError):  # where it stands for the lock
                os.unlink(self.path / f"{CLAIM}.made")


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
