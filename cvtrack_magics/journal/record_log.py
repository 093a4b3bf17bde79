"""Params, tags, datasets, artifacts and the end of a run, as lines of JSON and files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvtrack_magics import forks
from cvtrack_magics.journal import contents
from cvtrack_magics.journal.batch_files import FILES, lay_out
from cvtrack_magics.journal.fact_lines import Batch, batch_of, ends_of, entry_of, line_of, why
from cvtrack_magics.journal.segments import of_the_system
from cvtrack_magics.journal.stored import Damage, read_regular
from cvtrack_magics.records import Artifact, End, LoggedModel, Record
from cvtrack_magics.system import os

FILE = "facts.jsonl"


@dataclass(frozen=True, slots=True)
class FactsRead:
    """What a run's folder holds of batches, and what of it could not be read."""

    batches: tuple[Batch, ...]
    damage: tuple[Damage, ...] = ()
    ends: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The segment, and the offset in it, that each stream got to, where the run had its end."""
    end: End | None = None
    told: contents.Contents = field(default_factory=contents.Contents)
    """What the folder was given, whether or not it is there."""


class FactLog:
    """Appends batches to a run's folder.

    Parameters
    ----------
    folder : Path or None
        The run's folder; None keeps the batches in memory.
    no_room : callable
        Told when something could not be written; the batch then lives in memory.
    """

    def __init__(self, folder: Path | None, no_room: Callable[[OSError], None]) -> None:
        self._folder = folder
        self._no_room = no_room
        self._lock = forks.rlock()  # a signal may come into it, and end the run
        self._count = 0
        self._written = 0

    def add(
        self,
        records: Sequence[Record],
        end: End | None = None,
        ends: Mapping[str, tuple[int, int]] | None = None,
    ) -> Batch:
        """Keep a batch; return it as it is to be sent.

        ``ends`` says with the end which segment, and which offset in it, the run's streams
        got to: what is missing there afterwards is damage.
        """
        with self._lock:
            number = self._count + 1
            if self._folder is None:
                self._count = number
                return Batch(number, tuple(records), None, end)
            files = self._folder / FILES / f"{number:06d}"
            plain = [item for item in records if not isinstance(item, Artifact)]
            artifacts = [item for item in records if isinstance(item, Artifact)]
            try:
                self._count = number
                checks = lay_out(artifacts, files)
                kept = files if artifacts else None
                self._append(number, [*plain, *([end] if end else [])], kept, checks, ends or {})
                contents.note_facts(self._folder, number, end)
            except BaseException as error:
                if isinstance(error, OSError) and of_the_system(error):
                    self._no_room(error)
                    shutil.rmtree(files, ignore_errors=True)
                    return Batch(number, tuple(records), None, end)
                if self._written != number:
                    if self._count == number:  # what is not there must not be looked for
                        self._count -= 1
                    shutil.rmtree(files, ignore_errors=True)
                raise
            return Batch(number, tuple(plain), kept, end)

    def _append(
        self,
        number: int,
        items: Iterable[Record | End],
        files: Path | None,
        checks: Mapping[str, int],
        ends: Mapping[str, tuple[int, int]],
    ) -> None:
        assert self._folder is not None
        line = memoryview(
            line_of(self._folder, number, items, files=files, checks=checks, ends=ends)
        )
        handle = os.open(self._folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            start = os.fstat(handle).st_size
            try:
                while line:
                    line = line[os.write(handle, line) :]
                self._written = number
            except BaseException:
                if self._count == number:  # else a handler has added behind it meanwhile
                    os.ftruncate(handle, start)
                raise
        finally:
            os.close(handle)


def read_batches(folder: Path) -> list[Batch]:
    """Return the batches of a run's folder, as far as they can be read."""
    return list(read_facts(folder).batches)


def read_facts(folder: Path, after: int = 0) -> FactsRead:
    """Return the batches of a run's folder; what is damaged is passed over and named.

    Parameters
    ----------
    folder : Path
        The run's folder.
    after : int
        Number of the last batch whose files were sent; those are not looked at.
    """
    told = contents.read_contents(folder)
    data = read_regular(folder / FILE) if os.path.lexists(folder / FILE) else b""
    if data is None:
        return FactsRead((), (Damage(FILE, 0, "cannot be read"),), end=told.end, told=told)
    batches: dict[int, Batch] = {}
    damage: list[Damage] = []
    ends: dict[str, tuple[int, int]] = {}
    *lines, last = data.split(b"\n")
    for line in lines:
        entry = entry_of(line)
        ends = ends_of(folder, entry) or ends
        batch = None if entry is None else batch_of(folder, entry, after, damage)
        if batch is None:
            damage.append(Damage(FILE, len(line), why(folder, entry)))
        else:  # a line that is there twice is the same batch
            batches.setdefault(batch.number, batch)
    if last:  # a line is added by one write, so this is no kill's doing
        damage.append(Damage(FILE, len(last), "are damaged"))
    newest = max([*batches, told.facts, after])
    damage += _lacking(batches, newest, after)
    damage += _files_without_line(folder, newest + 1)
    end = next((batch.end for batch in reversed(batches.values()) if batch.end), told.end)
    return FactsRead(tuple(batches.values()), tuple(damage), ends, end, told)


def _lacking(found: Collection[int], newest: int, after: int) -> list[Damage]:
    """Name the batches that are gone; of those that the store has, only the end is missed."""
    gone = set(range(1, newest + 1)) - set(found)
    lost = sum(number > after for number in gone)
    if lost:
        return [Damage(FILE, 0, f"lacks {lost} of {newest} batches of params, tags and files")]
    if gone:
        return [Damage(FILE, 0, f"lacks {len(gone)} of {newest} batches, which the store has")]
    return []


class GrowingFacts:
    """The batches of a run that another process still adds to.

    Parameters
    ----------
    folder : Path
        The run's folder.
    after : int
        Number of the last batch that the store has; it and those before it are passed over.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self._folder = folder
        self._after = after
        self._at = 0
        self._seen: set[int] = set()
        self.damage: list[Damage] = []
        self.end: End | None = None
        """The run's end, also where the batch that it came with is passed over."""
        self.models: list[Record] = []
        """The models that the run began, also of batches that are passed over."""
        self.ends: Mapping[str, tuple[int, int]] = {}

    def look(self) -> list[Batch]:
        """Return the batches that were added since the last time."""
        found: list[Batch] = []
        for line in self._lines():
            entry = entry_of(line)
            self.ends = ends_of(self._folder, entry) or self.ends
            batch = None
            if entry is not None:
                batch = batch_of(self._folder, entry, self._after, self.damage)
            if batch is None:
                self.damage.append(Damage(FILE, len(line), why(self._folder, entry)))
                continue
            self.end = batch.end or self.end
            self.models += [item for item in batch.records if isinstance(item, LoggedModel)]
            if batch.number > self._after and batch.number not in self._seen:
                self._seen.add(batch.number)
                found.append(batch)
        return found

    def lacking(self, newest: int) -> list[Damage]:
        """Name the batches up to one that were never seen, once no more are added."""
        return _lacking({*range(1, self._after + 1), *self._seen}, newest, self._after)

    def _lines(self) -> list[bytes]:
        try:
            size = (self._folder / FILE).stat().st_size if self._at else 0
            if size < self._at:  # nobody cuts it: another file is in its place
                self.damage.append(Damage(FILE, self._at, "were there, and the file was replaced"))
                self._at = 0
            with open(self._folder / FILE, "rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            if self._at:
                self.damage.append(Damage(FILE, self._at, "were there, and the file is gone"))
                self._at = 0
            return []
        whole, newline, _ = data.rpartition(b"\n")  # the last line may be under way
        self._at += len(whole) + len(newline)
        return whole.split(b"\n") if newline else []


def _files_without_line(folder: Path, expected: int) -> list[Damage]:
    """Name batches whose files are there and whose lines are not.

    One may lack its line because the process ended in between: it was never acknowledged.
    """
    try:
        numbers = sorted(int(path.name) for path in (folder / FILES).iterdir())
    except (OSError, ValueError):
        return []
    late = [number for number in numbers if number >= expected]
    if late in ([], [expected]):
        return []
    return [Damage(FILE, 0, f"lacks the lines of {len(late)} batches or more")]
