"""SHA-256 of files: as fast as one thread can hash, and many files on all cores."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from cvtrack_magics.errors import UsageProblem

Progress = Callable[[int, int], None]

_BLOCK = 4 << 20
_SMALL = 1 << 20
_CHUNK = 256
_ATTEMPTS = 3
_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class FileHash:
    """SHA-256 of one file, and the stat that tells whether it is still that file.

    ``mtime_ns`` is -1 when the file was written so recently that a later write might
    leave the same time stamp; such a file is hashed again next time.
    """

    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def workers() -> int:
    """Return how many threads hash: the cores of this process, at most 8."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return max(1, min(cores, 8))


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
            descriptor = os.open(path, _OPEN)
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
            raise _unreadable(path, error) from None
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and count == after.st_size:
            return _file_hash(digest, after, started)
    raise UsageProblem(
        f"{path!r} is being written to while it is hashed.", "Wait until it is complete."
    )


def _file_hash(digest: str, stat: os.stat_result, started_ns: int) -> FileHash:
    # Two seconds cover file systems with coarse time stamps and small clock skew.
    settled = stat.st_mtime_ns < started_ns - 2_000_000_000
    mtime = stat.st_mtime_ns if settled else -1
    return FileHash(digest, stat.st_size, mtime, stat.st_ctime_ns, stat.st_ino)


def _unreadable(path: str, error: OSError) -> UsageProblem:
    said = (error.strerror or str(error)).lower()
    return UsageProblem(
        f"{path!r} cannot be read: {said}.", "Every file counts; correct or remove this one."
    )


def _streamed(descriptor: int, on_bytes: Callable[[int], None] | None) -> tuple[str, int]:
    hasher = hashlib.sha256()
    count = 0
    while True:
        block = os.read(descriptor, _SMALL)
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


def sha256_files(
    paths: Sequence[str], sizes: Sequence[int] | None = None, progress: Progress | None = None
) -> list[FileHash]:
    """Hash many files on all cores, in chunks that cost less to hand out than to hash.

    Parameters
    ----------
    paths : sequence of str
        Regular files.
    sizes : sequence of int, optional
        Their bytes, if known: large files are then started first, and progress
        counts bytes instead of files.
    progress : callable, optional
        Called with what is done and the total, at most ten times a second, from this
        thread.

    Returns
    -------
    list of FileHash
        In the order of ``paths``.

    Raises
    ------
    UsageProblem
        A file cannot be read or is being written to.
    """
    order = list(range(len(paths)))
    chunk = _CHUNK
    if sizes is not None:
        order.sort(key=lambda index: -sizes[index])
    if len(order) < _CHUNK * 2 * workers():
        chunk = max(1, len(order) // (8 * workers()))
    total = sum(sizes) if sizes is not None else len(paths)
    results: list[FileHash | None] = [None] * len(paths)
    board = _Board(total, progress, count_files=sizes is None)

    def work(part: list[int]) -> None:
        buffer = bytearray(_SMALL)
        for index in part:
            if board.stopped:
                return
            results[index] = _hash_one(paths[index], buffer, board)

    parts = [order[start : start + chunk] for start in range(0, len(order), chunk)]
    if len(parts) <= 1 and progress is None:
        for part in parts:
            work(part)
    else:
        _in_threads(work, parts, board)
    return [result for result in results if result is not None]


def _in_threads(work: Callable[[list[int]], None], parts: list[list[int]], board: _Board) -> None:
    with ThreadPoolExecutor(workers(), thread_name_prefix="cvtrack-hash") as pool:
        futures = [pool.submit(work, part) for part in parts]
        try:
            for future in futures:
                while board.shows and not future.done():
                    board.show()
                    time.sleep(0.05)
                future.result()
            board.show(last=True)
        except BaseException:
            board.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Board:
    """What the hashing threads have done so far; shown by the calling thread."""

    def __init__(self, total: int, progress: Progress | None, count_files: bool) -> None:
        self.stopped = False
        self.shows = progress is not None
        self._total = total
        self._progress = progress
        self._count_files = count_files
        self._bytes = 0
        self._files = 0
        self._lock = threading.Lock()
        self._next = 0.0

    def add_bytes(self, count: int) -> None:
        if self.stopped:
            raise InterruptedError("hashing was stopped")
        if self.shows:
            with self._lock:
                self._bytes += count

    def add_file(self, size: int) -> None:
        if self.shows:
            with self._lock:
                self._files += 1
                self._bytes += size

    def show(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is not None and (last or now >= self._next):
            self._next = now + 0.1
            done = self._files if self._count_files else self._bytes
            self._progress(self._total if last else min(done, self._total), self._total)


def _hash_one(path: str, buffer: bytearray, board: _Board) -> FileHash:
    """Hash a file that fits the buffer with four system calls; others the long way."""
    started = time.time_ns()
    try:
        descriptor = os.open(path, _OPEN)
        try:
            count = _read_into(descriptor, buffer)
            stat = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from None
    settled = stat.st_mtime_ns < started - 2_000_000_000
    if count != stat.st_size or not settled:
        # Larger than the buffer, or touched just now: read with a check before and after.
        return sha256_file(path, board.add_bytes)
    digest = hashlib.sha256(memoryview(buffer)[:count]).hexdigest()
    board.add_file(count)
    return FileHash(digest, count, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


if hasattr(os, "readv"):

    def _read_into(descriptor: int, buffer: bytearray) -> int:
        return os.readv(descriptor, [buffer])

else:  # Windows

    def _read_into(descriptor: int, buffer: bytearray) -> int:
        block = os.read(descriptor, len(buffer))
        buffer[: len(block)] = block
        return len(block)
