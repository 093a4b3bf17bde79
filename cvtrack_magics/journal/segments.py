"""Segments as memory: a mapped file where there is room on disk, plain memory where not."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

from cvtrack_magics.journal.rows import header

FIRST_BYTES = 1 << 16  # about 1,200 calls of log() with four metrics
MORE_BYTES = 1 << 20
_ZEROS = bytes(1 << 16)


def of_the_system(error: OSError) -> bool:
    """Whether the system said it, and not a signal's handler that came in between.

    A time-out that a handler raises is an :class:`OSError` too; it has no number.
    """
    return error.errno is not None


class Segment:
    """One stretch of a stream of rows.

    Parameters
    ----------
    path : Path or None
        The file; None keeps the segment in memory only.
    size : int
        Bytes.
    shift : int
        Nanoseconds to add to the monotonic clock to get Unix time.

    Raises
    ------
    OSError
        The file cannot be made, or there is no room for it.
    """

    def __init__(self, path: Path | None, size: int, shift: int) -> None:
        self.path = path
        self.end = 0  # where the rows end, once no more are added
        head = header(shift, size)
        if path is None:
            self.data = mmap.mmap(-1, size)
            self.data[: len(head)] = head
        else:
            self.data = _reserved(path, size, head)

    def drop(self) -> None:
        """Forget the segment: every reader is done with it, and the store has it."""
        with suppress(BufferError):  # an array still looks at it; it goes with the array
            self.data.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _reserved(path: Path, size: int, head: bytes) -> mmap.mmap:
    """Make a file whose every byte has its place on disk.

    Writing to a mapped page that has none ends the process (SIGBUS) when the disk is
    full; a write of zeros says so here instead. The file gets its name last, so one without
    a header is a damaged one.
    """
    if path.exists():
        raise FileExistsError(path)
    new = path.with_suffix(".new")
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        left = size - os.write(file, head)
        while left:
            left -= os.write(file, _ZEROS[:left])
        data = mmap.mmap(file, size)
        new.rename(path)
        return data
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
