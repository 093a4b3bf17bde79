"""``run.json``: what a run is called, where it belongs, and which process holds it open."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from zlib import crc32

import psutil

from cvtrack_magics.journal.stored import read_regular
from cvtrack_magics.plainjson import dumps, loads
from cvtrack_magics.system import os

CREATED_TOLERANCE = 2.0  # seconds; the clock behind a process's age is coarse
NOTE = "run.json"
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


def text_of_note(note: RunNote) -> str:
    """Return what :func:`read_note` reads."""
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
