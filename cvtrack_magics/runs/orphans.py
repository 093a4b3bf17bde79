"""Runs whose process died: found at the next load and ended as KILLED.

Each open run is noted in a small file that names its process. Nothing inside a
process can act when it is killed, so the next one that loads the extension does.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

CREATED_TOLERANCE = 2.0  # seconds; the clock behind a process's age is coarse


@dataclass(frozen=True, slots=True)
class OpenNote:
    """Who holds a run open. ``uri`` is the tracking URI without credentials."""

    run_id: str
    name: str
    uri: str
    host: str
    pid: int
    created: float

    @property
    def alive(self) -> bool:
        """Whether the process that opened the run still runs.

        A process on another host cannot be seen, so it counts as alive.
        """
        if self.host != socket.gethostname():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.created) < CREATED_TOLERANCE
        except psutil.Error:
            return False


def note_open(folder: Path, run_id: str, name: str, uri: str) -> Path:
    """Note that this process has a run open; return the note's file."""
    note = OpenNote(
        run_id=run_id,
        name=name,
        uri=uri,
        host=socket.gethostname(),
        pid=os.getpid(),
        created=psutil.Process().create_time(),
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{run_id}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
    temporary.replace(path)
    return path


def read_notes(folder: Path) -> list[tuple[Path, OpenNote]]:
    """Return the notes in a folder; a file that is not one of ours is passed over."""
    notes = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        with suppress(OSError, ValueError, TypeError):
            notes.append((path, OpenNote(**json.loads(path.read_text(encoding="utf-8")))))
    return notes


def settle_orphans(folder: Path, kill: Callable[[str, str, int], bool]) -> list[str]:
    """End the runs of dead processes and forget their notes.

    Parameters
    ----------
    folder : Path
        Where the notes are.
    kill : callable
        ``kill(uri, run_id, ended)`` ends a run that still counts as running; raises
        when the store cannot be reached, and the note then stays for the next time.

    Returns
    -------
    list of str
        The names of the runs that were ended.
    """
    ended = []
    for path, note in read_notes(folder):
        if note.alive:
            continue
        with suppress(Exception):
            last_seen = int(path.stat().st_mtime * 1000)
            if kill(note.uri, note.run_id, last_seen):
                ended.append(note.name)
            path.unlink(missing_ok=True)
    return ended
