"""Segments as memory: a file where there is room on disk, plain memory where not."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from cvtrack_magics.journal import contents
from cvtrack_magics.journal.rows import SegmentReader, header
from cvtrack_magics.system import exists, os

Made = TypeVar("Made")

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
        self.shift = shift
        self.end = 0  # where the rows end, once no more are added
        head, self.seed = header(shift, size, place_of(path))
        self.first = len(head)
        self.data = self._held(path, size, head)
        if path is not None:
            contents.note_segment(path)

    def _held(self, path: Path | None, size: int, head: bytes) -> mmap.mmap:
        if path is not None:
            return _reserved(path, size, head, lambda file: mmap.mmap(file, size))
        data = mmap.mmap(-1, size)
        data[: len(head)] = head
        return data

    def drop(self) -> None:
        """Forget the segment: every reader is done with it, and the store has it."""
        with suppress(BufferError):  # an array still looks at it; it goes with the array
            self.data.close()
        if self.path is not None:
            _delete(self.path)


class WrittenSegment(Segment):
    """A segment in memory whose rows are written into its file as well.

    For file systems where a page that has its place on disk is written to another one:
    whoever writes to a mapped page there is ended (SIGBUS) when the disk is full. A write
    says so instead. An attribute of the file that forbids such copies (``chattr +C``) would
    do, until somebody makes a snapshot of it, or a copy that shares its blocks.

    ``kept`` is the offset up to which the rows are in the file. Bytes that are there are
    never changed, only written again: so a write that was interrupted is made once more.

    Parameters
    ----------
    path, size, shift
        As for :class:`Segment`.
    """

    def __init__(self, path: Path, size: int, shift: int) -> None:
        self._file: _File | None = None
        super().__init__(path, size, shift)
        self.kept = self.first

    def _held(self, path: Path | None, size: int, head: bytes) -> mmap.mmap:
        data = super()._held(None, size, head)
        assert path is not None
        self._file = _reserved(path, size, head, _File)
        return data

    def save(self, end: int) -> None:
        """Write the rows up to an offset into the file; raises :class:`OSError`."""
        file = self._file
        while file is not None and self.kept < end:
            start = self.kept
            self.kept = start + os.pwrite(file.number, self.data[start:end], start)

    def give_up(self) -> None:
        """Write no more rows into the file, and blank the part of one that is there."""
        file, self._file = self._file, None
        if file is None:
            return
        reader = SegmentReader(self.data, verify=False)
        for _ in reader.read(self.kept):
            pass
        part, self.kept = self.kept - reader.at, reader.at
        try:
            os.pwrite(file.number, bytes(part), reader.at)
        except OSError as error:  # then it is damage to a reader, which passes it over
            if not of_the_system(error):
                raise

    def settle(self) -> None:
        """Let go of the memory, once all rows are in the file and no more are added."""
        if self._file is None or self.kept < self.end:
            return
        try:
            self.data = mmap.mmap(self._file.number, len(self.data), access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # somebody cut the file: memory has the rows
            if isinstance(error, OSError) and not of_the_system(error):
                raise
        self._file = None

    def drop(self) -> None:
        """Forget the segment; its memory goes with who looks at it last."""
        assert self.path is not None
        _delete(self.path)


def place_of(path: Path | None) -> str:
    """Return what a segment's header says of where it belongs; empty for one in memory."""
    return f"{path.parent.name}/{path.stem}" if path is not None else ""


def _delete(path: Path) -> None:
    contents.note_sent(path)
    _unlink(path)


def _unlink(path: Path) -> None:
    """Delete a file; one that stays, on a disk that takes no changes, is read again at most."""
    try:
        os.unlink(path)
    except OSError as error:
        if not of_the_system(error):
            raise


class _File:
    """An open file that is closed by nobody but its last user.

    Its number would else be that of another file to a call that was interrupted.
    """

    def __init__(self, file: int) -> None:
        self.number = os.dup(file)
        self.close = partial(os.close, self.number)

    # no line of Python runs in it: what a signal's handler raises there would reach nobody
    __del__ = property(attrgetter("close"))


def _reserved(path: Path, size: int, head: bytes, use: Callable[[int], Made]) -> Made:
    """Make a file whose every byte has its place on disk; return what is made of it.

    Writing to a mapped page that has none ends the process (SIGBUS) when the disk is
    full; a write of zeros says so here instead. The file gets its name last, so one without
    a header is a damaged one.
    """
    if exists(path):
        raise FileExistsError(path)
    new = path.with_suffix(".new")
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        left = size - os.write(file, head)
        while left:
            left -= os.write(file, _ZEROS[:left])
        made = use(file)
        os.rename(new, path)
        return made
    except BaseException:
        _unlink(new)
        raise
    finally:
        os.close(file)
