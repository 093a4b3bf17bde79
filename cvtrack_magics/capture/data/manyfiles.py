"""SHA-256 of many files, on all cores."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence

from cvtrack_magics import forks
from cvtrack_magics.capture.data.hashing import OPEN, SETTLED_NS, SMALL, sha256_file, unreadable

Progress = Callable[[int, int], None]
Hashed = tuple[str, int, int, int, int]
"""The fields of `FileHash`; building the named form of it would be felt in 20,000 files."""

_CHUNK = 256


def workers() -> int:
    """Return how many threads hash: the cores of this process, at most 8."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return max(1, min(cores, 8))


def sha256_files(
    paths: Sequence[str], sizes: Sequence[int] | None = None, progress: Progress | None = None
) -> list[Hashed]:
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
    list of tuple
        The fields of `FileHash`, in the order of ``paths``.

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
    results: list[Hashed | None] = [None] * len(paths)
    board = _Board(total, progress, count_files=sizes is None)

    def work(part: list[int]) -> None:
        _hash_part(paths, part, results, board)

    parts = [order[start : start + chunk] for start in range(0, len(order), chunk)]
    if len(parts) <= 1 and progress is None:
        for part in parts:
            work(part)
    else:
        _in_threads(work, parts, board)
    return [result for result in results if result is not None]


def _in_threads(work: Callable[[list[int]], None], parts: list[list[int]], board: _Board) -> None:
    from concurrent.futures import ThreadPoolExecutor

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
        self._lock = forks.rlock()
        self._next = 0.0

    def add_bytes(self, count: int) -> None:
        if self.stopped:
            raise InterruptedError("hashing was stopped")
        if self.shows:
            with self._lock:
                self._bytes += count

    def add_file(self) -> None:
        with self._lock:
            self._files += 1

    def show(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is not None and (last or now >= self._next):
            self._next = now + 0.1
            done = self._files if self._count_files else self._bytes
            self._progress(self._total if last else min(done, self._total), self._total)


def _read_first(descriptor: int, buffers: list[bytearray]) -> int:
    block = os.read(descriptor, len(buffers[0]))
    buffers[0][: len(block)] = block
    return len(block)


_readv = getattr(os, "readv", _read_first)  # Windows has none


def _hash_part(
    paths: Sequence[str], part: list[int], results: list[Hashed | None], board: _Board
) -> None:
    """Hash some files: four system calls each, or the long way for large or fresh ones.

    One plain loop, because a function call a file would cost as much as a system call.
    """
    buffer = bytearray(SMALL)
    view, buffers = memoryview(buffer), [buffer]
    settled = time.time_ns() - SETTLED_NS
    sha256, fstat, close, readv = hashlib.sha256, os.fstat, os.close, _readv
    for index in part:
        if board.stopped:
            return
        path = paths[index]
        try:
            descriptor = os.open(path, OPEN)
            try:
                count = readv(descriptor, buffers)
                stat = fstat(descriptor)
            finally:
                close(descriptor)
        except OSError as error:
            raise unreadable(path, error) from None
        mtime = stat.st_mtime_ns
        if count != stat.st_size or mtime >= settled:
            # Larger than the buffer, or touched just now: checked before and after.
            results[index] = sha256_file(path, board.add_bytes)
        else:
            digest = sha256(view[:count]).hexdigest()
            results[index] = (digest, count, mtime, stat.st_ctime_ns, stat.st_ino)
            if board.shows:
                board.add_bytes(count)
        if board.shows:
            board.add_file()
