"""What was listed of an experiment's runs, kept on this disk until it is listed again.

A run that has ended can still be tagged, measured, renamed, deleted or brought back, one that
began earlier can arrive later, and no store says which. So what is kept here is only taken for
what the store has where nothing at all was written to the store since, which the file of an
SQLite database tells; of any other store it is what was there the last time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.limits import file_bytes
from cvtrack_magics.private import unfit
from cvtrack_magics.store.resuming import StoredSoFar
from cvtrack_magics.store.uris import absolute, sqlite_file
from cvtrack_magics.text import utf8

FORMAT = 1
LARGEST = 64_000_000  # bytes of a file
MOST = 8  # files, the oldest of which goes
_COUNTER = slice(24, 28)
"""Where SQLite counts, in the head of a database, what was committed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Runs as they were listed.

    ``state`` is what `state_of` said of the store before; ``read`` when, in Unix seconds.
    """

    state: str
    read: float
    runs: tuple[StoredSoFar, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The content of a file; ``key`` says of what, for names of files are digests."""

    format: int
    key: tuple[str, ...]
    listed: Listed


def state_of(uri: str) -> str:
    """Return what changes with anything that is written to a store; empty where nothing tells."""
    file = sqlite_file(absolute(uri)) if uri.startswith("sqlite") else None
    if file is None:
        return ""
    try:
        if _beside(file, "-journal").exists():  # somebody is writing, or was killed at that
            return ""
        with file.open("rb") as database:
            counted = database.read(_COUNTER.stop)[_COUNTER].hex()
        return f"{counted} {_stat(file)} {_stat(_beside(file, '-wal'))}"
    except OSError:
        return ""


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(f"{file.name}{suffix}")


def _stat(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return "-"
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


class RunCache:
    """Lists of runs on this disk.

    Parameters
    ----------
    folder : callable
        Returns one of the user's alone; what others could have written to is not read.

    Attributes
    ----------
    made : dict
        What was made of lists in this process, with the state that the store had.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._where = folder
        self.made: dict[Hashable, tuple[str, Any]] = {}

    @property
    def _folder(self) -> Path:
        return self._where()

    def remember(self, asked: Hashable, state: str, made: Any) -> None:
        """Keep in memory what was made of a list."""
        if len(self.made) >= MOST:
            self.made.clear()
        self.made[asked] = state, made

    def load(self, key: tuple[str, ...]) -> Listed | None:
        """Return what was kept under a key; None where there is nothing that can be read."""
        import msgspec

        path = self._path(key)
        try:
            if unfit(self._folder) or unfit(path):
                return None
            content = file_bytes(path, LARGEST)
            head, body = content[:32], content[32:]
            if hashlib.sha256(body).digest() != head:
                return None
            kept = msgspec.msgpack.decode(body, type=_Kept)
        except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return None
        return kept.listed if (kept.format, kept.key) == (FORMAT, key) else None

    def save(self, key: tuple[str, ...], listed: Listed) -> None:
        """Keep a list, whole or not at all; a disk that is full is no error."""
        import msgspec

        body = msgspec.msgpack.encode(_Kept(FORMAT, key, listed))
        if len(body) > LARGEST:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if unfit(self._folder):
                return
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=self._folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(body).digest() + body)
                os.replace(temporary, self._path(key))
            except OSError:
                os.unlink(temporary)
            self._tidy()

    def _path(self, key: tuple[str, ...]) -> Path:
        name = hashlib.sha256(utf8(repr(key))).hexdigest()
        return self._folder / f"{name[:32]}.runs"

    def _tidy(self) -> None:
        there = sorted(self._folder.glob("*.runs"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in there[MOST:]:
            old.unlink(missing_ok=True)


def key_of(uri: str, experiment_id: str, wanted: str, most: int) -> tuple[str, ...]:
    """Return what a list of runs is kept under: the store by a digest, for it can hold secrets."""
    store = hashlib.sha256(utf8(absolute(uri))).hexdigest()
    return (store, experiment_id, wanted, str(most))
