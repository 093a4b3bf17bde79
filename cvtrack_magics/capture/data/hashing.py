"""SHA-256 of one file, as fast as one thread can hash."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from cvtrack_magics.errors import UsageProblem

_BLOCK = 4 << 20
SMALL = 1 << 20
_ATTEMPTS = 3
# Covers file systems with coarse time stamps, and small clock skew.
SETTLED_NS = 2_000_000_000
OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class FileHash(NamedTuple):
    """SHA-256 of one file, and the stat that tells whether it is still that file.

    ``mtime_ns`` is -1 when the file was written so recently that a later write might
    leave the same time stamp; such a file is hashed again next time.
    """

    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def sha256_file(path: str, on_bytes: Callable[[int], None] | None = None) -> FileHash:
    """Hash one file's content.

    Parameters
    ----------
    path : str
        A regular file of any size.
    on_bytes : callable, optional
        Called with the number of bytes hashed since its last call.

    Returns
    -------
    FileHash
        Equal to what ``sha256sum`` prints.

    Raises
    ------
    UsageProblem
        It cannot be read, or is being written to.
    """
    for _ in range(_ATTEMPTS):
        try:
            descriptor = os.open(path, OPEN)
            try:
                before = os.fstat(descriptor)
                started = time.time_ns()
                if before.st_size > 4 * _BLOCK:
                    digest, count = _overlapped(descriptor, on_bytes)
                else:
                    digest, count = _streamed(descriptor, on_bytes)
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unreadable(path, error) from None
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and count == after.st_size:
            return _file_hash(digest, after, started)
    raise UsageProblem(
        f"{path!r} is being written to while it is hashed.", "Wait until it is complete."
    )


def _file_hash(digest: str, stat: os.stat_result, started_ns: int) -> FileHash:
    settled = stat.st_mtime_ns < started_ns - SETTLED_NS
    mtime = stat.st_mtime_ns if settled else -1
    return FileHash(digest, stat.st_size, mtime, stat.st_ctime_ns, stat.st_ino)


def unreadable(path: str, error: OSError) -> UsageProblem:
    """Return the error for a file that the system refuses to read."""
    said = (error.strerror or str(error)).lower()
    return UsageProblem(
        f"{path!r} cannot be read: {said}.", "Every file counts; correct or remove this one."
    )


def _streamed(descriptor: int, on_bytes: Callable[[int], None] | None) -> tuple[str, int]:
    hasher = hashlib.sha256()
    count = 0
    while True:
        block = os.read(descriptor, SMALL)
        if not block:
            return hasher.hexdigest(), count
        hasher.update(block)
        count += len(block)
        if on_bytes:
            on_bytes(len(block))


def _overlapped(descriptor: int, on_bytes: Callable[[int], None] | None) -> tuple[str, int]:
    """Hash while a second thread reads ahead: the copy out of the page cache costs nothing."""
    free: SimpleQueue[bytearray | None] = SimpleQueue()
    full: SimpleQueue[tuple[bytearray, int] | BaseException] = SimpleQueue()
    for _ in range(3):
        free.put(bytearray(_BLOCK))

    def read() -> None:
        try:
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                while (block := free.get()) is not None:
                    length = file.readinto(block) or 0
                    full.put((block, length))
                    if not length:
                        return
        except BaseException as error:  # handed to the hashing thread, which raises it
            full.put(error)

    reader = threading.Thread(target=read, name="cvtrack-read", daemon=True)
    reader.start()
    hasher = hashlib.sha256()
    count = 0
    try:
        while True:
            item = full.get()
            if isinstance(item, BaseException):
                raise item
            block, length = item
            if not length:
                return hasher.hexdigest(), count
            hasher.update(memoryview(block)[:length])
            count += length
            free.put(block)
            if on_bytes:
                on_bytes(length)
    finally:
        free.put(None)
        reader.join()
