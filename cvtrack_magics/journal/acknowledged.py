"""How much of a run the store has acknowledged, noted so that a kill leaves the old or the new."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from cvtrack_magics.journal.stored import read_regular
from cvtrack_magics.plainjson import dumps, loads
from cvtrack_magics.system import os

FILE = "acknowledged.bin"
FILE_1 = "sent.bin"
LARGE = "acknowledged.large"
SLOT = 8192
_HEAD = struct.Struct("<IQI")  # CRC-32 of what follows, number of the note, its length
_FORMAT_1 = struct.Struct("<6Q")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of a run the store has acknowledged.

    ``facts`` is the number of the last batch, ``points`` how many points there are.
    ``streams`` gives, for each stream of points, the segment and the offset in it up to
    which all is there.
    """

    facts: int = 0
    points: int = 0
    streams: Mapping[str, Place] = field(default_factory=dict)

    def place(self, stream: str) -> Place:
        """Return the segment, and the offset in it, that a stream is sent up to."""
        return self.streams.get(stream, (0, 0))


class Acknowledgements:
    """The file in a run's folder that says how much the store has.

    Two slots are written in turn, each with its number and a CRC-32; the newest whole one
    counts. A note that is larger than a slot, of a run of some hundred workers, is a file of its
    own, which is replaced. A note that is lost or damaged only means that more is sent again,
    which a store takes as the same.

    The CRC-32 is begun with that of the folder's name, since a note of another run would say
    that this one's points are in the store. Formats 1 and 2 begin it with nothing.

    Parameters
    ----------
    folder : Path
        The run's folder.
    version : int
        The format of the journal.
    """

    def __init__(self, folder: Path, version: int = 3) -> None:
        self._folder = folder
        self._number = 0
        self._version = version
        self._seed = crc32(os.fsencode(folder.name)) if version > 2 else 0

    def write(self, sent: Sent) -> None:
        """Note how much the store has; raises :class:`OSError`."""
        text = dumps([sent.facts, sent.points, dict(sent.streams)]).encode()
        self._number += 1
        body = _HEAD.pack(0, self._number, len(text))[4:] + text
        check = struct.pack("<I", crc32(body, self._seed))
        if len(text) > SLOT - _HEAD.size:
            new = self._folder / f"{LARGE}.new"
            new.write_bytes(check + body)
            new.replace(self._folder / LARGE)
            return
        handle = os.open(self._folder / FILE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.lseek(handle, self._number % 2 * SLOT, os.SEEK_SET)
            os.write(handle, check + body)
        finally:
            os.close(handle)

    def read(self) -> Sent:
        """Return how much the store has, as far as that can be read."""
        data = read_regular(self._folder / FILE) or b""
        found = [self._slot(data[start : start + SLOT]) for start in (0, SLOT)]
        found.append(self._slot(read_regular(self._folder / LARGE) or b""))
        newest = max((item for item in found if item is not None), default=None, key=_number)
        if newest is None:
            return _read_format_1(self._folder) if self._version < 3 else Sent()
        self._number = newest[0]
        return newest[1]

    def _slot(self, data: bytes) -> tuple[int, Sent] | None:
        if len(data) < _HEAD.size:
            return None
        check, number, length = _HEAD.unpack_from(data)
        end = _HEAD.size + length
        if end > len(data) or check != crc32(data[4:end], self._seed):
            return None
        try:
            facts, points, streams = loads(data[_HEAD.size : end])
            places = {str(name): (int(at[0]), int(at[1])) for name, at in streams.items()}
            return number, Sent(int(facts), int(points), places)
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
            return None


def _number(item: tuple[int, Sent]) -> int:
    return item[0]


def _read_format_1(folder: Path) -> Sent:
    data = (read_regular(folder / FILE_1) or b"")[: _FORMAT_1.size]
    if len(data) < _FORMAT_1.size:
        return Sent()
    facts, points, *places = _FORMAT_1.unpack(data)
    if max(facts, points, *places) >= 1 << 32:
        return Sent()  # no run has as much; the file is damaged, and has no check to say so
    return Sent(facts, points, {"main": (places[0], places[1]), "other": (places[2], places[3])})
