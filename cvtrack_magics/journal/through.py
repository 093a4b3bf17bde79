"""Streams on a disk where no mapped page holds its place: each row is written to its file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cvtrack_magics.journal.points import NoRoom, Stream
from cvtrack_magics.journal.segments import Segment, WrittenSegment, of_the_system
from cvtrack_magics.system import os

# What statfs(2) says of file systems that write a page to a place it did not have: always,
# or once a snapshot, a shared copy (XFS, OCFS2) or a layer below (overlay) may be in the way.
_COPYING = {
    0x9123683E: "btrfs",
    0xCA451A4E: "bcachefs",
    0x2FC12FC1: "zfs",
    0x58465342: "xfs",
    0x7461636F: "ocfs2",
    0x794C7630: "overlay",
    0xF2F52010: "f2fs",
    0x3434: "nilfs2",
}


def copies_on_write(folder: Path) -> bool:
    """Whether a page that was written once may find no room when it is written again.

    Not asked of the file, since it may be shared later: ``cp`` does that on XFS by itself.
    A system that says nothing is taken for one where it has its place.
    """
    if sys.platform == "darwin":  # APFS, which takes a snapshot for each backup
        return True
    return sys.platform == "linux" and _type_of(folder) in _COPYING


def _type_of(folder: Path) -> int:
    """Return the number of a folder's file system; 0 where it cannot be had."""
    try:
        import ctypes

        said = (ctypes.c_long * 64)()  # larger than any system's struct, which begins with it
        failed = ctypes.CDLL(None).statfs(os.fsencode(folder), said)
    except (ImportError, AttributeError):  # a Python, or a C library, without
        return 0
    return 0 if failed else said[0] & 0xFFFFFFFF


def stream_in(folder: Path | None, name: str, no_room: NoRoom) -> Stream:
    """Return a stream as the file system of its folder needs it.

    Parameters
    ----------
    folder, name, no_room
        As for :class:`Stream`.
    """
    if folder is not None and copies_on_write(folder):
        return WrittenStream(folder, name, no_room)
    return Stream(folder, name, no_room)


class WrittenStream(Stream):
    """A stream whose rows are in memory first, and in the file before ``log()`` returns.

    Rows that found no room stay in memory, as do those of the next segment; the one after
    that is tried on disk again.

    Parameters
    ----------
    folder, name, no_room
        As for :class:`Stream`.

    Notes
    -----
    The row is there once ``at`` has moved, as in any stream. An exception that arrives
    before it is in the file as well leaves it to the next call, which writes it along.
    """

    _make = WrittenSegment

    def __init__(self, folder: Path | None, name: str, no_room: NoRoom) -> None:
        super().__init__(folder, name, no_room)
        self._full = False

    def write(self, metrics: dict[str, Any], step: int, *args: Any, **kwargs: Any) -> bool:
        """Add a row of floats, and write it into the file."""
        done = super().write(metrics, step, *args, **kwargs)
        if done:
            self._save()
        return done

    def add(self, names: tuple[str, ...], values: list[float], step: int, clock: int) -> None:
        """Add a row, and write it into the file."""
        super().add(names, values, step, clock)
        self._save()

    def on_disk(self) -> int:
        """Return the offset in the current segment up to which its file has the rows."""
        self._save()
        segment = self.segment
        return segment.kept if isinstance(segment, WrittenSegment) else self.at

    def _save(self) -> None:
        segment = self.segment
        if not isinstance(segment, WrittenSegment):
            return
        try:
            segment.save(segment.end or self.at)  # a handler's row may have begun another
        except OSError as error:
            if not of_the_system(error):
                raise
            # told first: whatever arrives in between, nobody is left to believe in the file
            self._no_room(error)
            self._full = True
            if segment is self.segment:
                self.clock_moved()
            segment.give_up()

    def _next_segment(self, least: int) -> None:
        left = self.segment
        self._save()
        super()._next_segment(least)
        if isinstance(left, WrittenSegment):
            left.settle()

    def _on_disk(self, folder: Path, number: int, size: int) -> tuple[int, Segment]:
        if self._full:
            self._full = False
            return number, Segment(None, size, self._shift)
        return super()._on_disk(folder, number, size)
