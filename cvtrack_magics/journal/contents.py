"""What a run's folder was given, noted in a file beside it: what is gone is missed.

A segment or a line of facts that was deleted leaves no gap that can be seen where nothing comes
behind it. So each one is noted here when it is there, and again when the store has it. A note
that is lost only means that less is missed; it is never needed to read what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from cvtrack_magics.journal.checked_lines import checked_line, read_checked
from cvtrack_magics.journal.stored import read_regular, segment_of
from cvtrack_magics.records import End
from cvtrack_magics.system import os

FILE = "contents.jsonl"


@dataclass(frozen=True, slots=True)
class Contents:
    """What was in a run's folder at one time or another.

    ``facts`` is the number of the last batch, ``end`` the run's end. ``segments`` has the
    numbers of each stream's segments, ``sent`` of those that were deleted since the store has
    them.
    """

    facts: int = 0
    end: End | None = None
    segments: Mapping[str, frozenset[int]] = field(default_factory=dict)
    sent: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def missing(self, files: Mapping[str, Sequence[tuple[int, Path]]]) -> list[str]:
        """Name the segments that are neither sent nor among the files, given by stream."""
        return [
            f"segment {name}-{number:06d} is missing"
            for name, made in self.segments.items()
            for number in sorted(made - self.sent.get(name, frozenset()))
            if number not in dict(files.get(name, ()))
        ]


def note_segment(path: Path) -> None:
    """Note that a segment was made."""
    _add(path.parent, {"made": path.name})


def note_sent(path: Path) -> None:
    """Note that the store has all of a segment, which is deleted next."""
    _add(path.parent, {"sent": path.name})


def note_facts(folder: Path, number: int, end: End | None) -> None:
    """Note that a batch of facts was added, with the run's end or without."""
    said: dict[str, Any] = {"facts": number}
    if end is not None:
        said["end"] = [end.outcome, end.ended]
    _add(folder, said)


def _add(folder: Path, said: Mapping[str, Any]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    # what was left half written is ended by the first sign
    line = b"\n" + checked_line(said, _seed(folder))
    try:
        handle = os.open(folder / FILE, flags, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
    except OSError as error:  # no room: then nothing is missed, and all that is there is sent
        if error.errno is None:  # a signal's handler said it, and not the system
            raise


def _seed(folder: Path) -> int:
    """Return what a line's check begins with: one of another run is none of this one's."""
    return crc32(os.fsencode(folder.name))


def read_contents(folder: Path) -> Contents:
    """Return what a run's folder was given, as far as that can be read."""
    facts, end = 0, None
    made: dict[str, set[int]] = {}
    sent: dict[str, set[int]] = {}
    seed = _seed(folder)
    for line in (read_regular(folder / FILE) or b"").split(b"\n"):
        said = read_checked(line, seed)
        for key, found in (("made", made), ("sent", sent)):
            segment = segment_of(str(said.get(key, "")))
            if segment is not None:
                found.setdefault(segment[0], set()).add(segment[1])
        number = said.get("facts")
        facts = max(facts, number) if isinstance(number, int) else facts
        with suppress(KeyError, ValueError, TypeError):
            outcome, ended = said["end"]
            end = End(str(outcome), int(ended))  # type: ignore[arg-type]
    segments = {name: frozenset(numbers) for name, numbers in made.items()}
    return Contents(facts, end, segments, {k: frozenset(v) for k, v in sent.items()})
