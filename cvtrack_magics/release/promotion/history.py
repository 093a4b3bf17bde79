"""What the records say: who was champion, why, and to what one may go back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cvtrack_magics.release.promotion.ledger import PASSED, PROMOTED, ROLLED_BACK, Entry, decode
from cvtrack_magics.release.promotion.plan import PREVIOUS, Found, champion_of, look
from cvtrack_magics.store.registry import Registry, Version

_COPY = re.compile(r"models:/[^/]+/\d+$")  # the source of a version that was copied
GAP = 1_000_000  # changes whose versions, and records with them, may have been deleted


@dataclass(frozen=True, slots=True)
class Why:
    """Why a version is in production.

    Attributes
    ----------
    version : str
        The champion; empty where there is none.
    change : Entry or None
        The promotion or rollback that made it champion; None when no record says so.
    verdict : Entry or None
        The verdict of the gate on which it rests.
    line : str
        All that in words.
    """

    version: str
    change: Entry | None
    verdict: Entry | None
    line: str


def history(registry: Registry, name: str) -> list[Entry]:
    """Return all records of a model's versions, the oldest first.

    Raises
    ------
    UsageProblem
        There is no such model.
    """
    return entries_of(look(registry, name).versions.values())


def entries_of(versions: Iterable[Version]) -> list[Entry]:
    """Return the records that versions have, by time.

    A copy of a version comes with the records of its original, which speak of another model:
    those from before it was made are not its own.
    """
    found = (
        entry
        for version in versions
        for key, value in version.tags.items()
        if _is_own(version, entry := decode(key, value, version.version))
    )
    return sorted((entry for entry in found if entry is not None), key=lambda e: (e.time, e.id))


def _is_own(version: Version, entry: Entry | None) -> bool:
    if entry is None or not _COPY.match(version.source):
        return True
    return entry.time.timestamp() * 1000 >= version.created


def changes_in(entries: Iterable[Entry]) -> list[Entry]:
    """Return promotions and rollbacks in the order in which they took place.

    One whose turn is far beyond the number of records is somebody else's writing: it would take
    all turns there are, and no later change could be told from it.
    """
    changes = [entry for entry in entries if entry.what in (PROMOTED, ROLLED_BACK)]
    most = len(changes) + GAP
    return sorted((e for e in changes if e.turn <= most), key=lambda e: (e.turn, e.time, e.id))


def why(registry: Registry, name: str) -> Why:
    """Say why the champion is the champion.

    Raises
    ------
    UsageProblem
        There is no such model.
    """
    found = look(registry, name)
    entries = entries_of(found.versions.values())
    champion = champion_of(found)
    if champion is None:
        return Why("", None, None, f"{name!r} has no champion.")
    number = champion.version
    change = last_change(entries, number)
    if change is None:
        line = f"Version {number} is the champion of {name!r}, and no record says why."
        return Why(number, None, None, line)
    rests_on = change if change.what == PROMOTED else _promotion_of(entries, number)
    verdict_id = "" if rests_on is None else rests_on.verdict
    verdict = next((e for e in entries if e.id == verdict_id and e.what == PASSED), None)
    return Why(number, change, verdict, _line(name, number, change, verdict))


def passed_verdicts(version: Version) -> list[Entry]:
    """Return the verdicts that a version passed, the newest first."""
    passed = [entry for entry in entries_of([version]) if entry.what == PASSED]
    return sorted(passed, key=lambda entry: entry.id, reverse=True)


def last_change(entries: Iterable[Entry], champion: str) -> Entry | None:
    """Return the last change of the champion; None when it led to another one."""
    last = next(reversed(changes_in(entries)), None)
    return last if last is not None and last.after == champion else None


def _promotion_of(entries: Iterable[Entry], version: str) -> Entry | None:
    made = [e for e in changes_in(entries) if e.what == PROMOTED and e.after == version]
    return next(reversed(made), None)


def _line(name: str, number: str, change: Entry, verdict: Entry | None) -> str:
    when = f"{change.time:%Y-%m-%d %H:%M:%S} UTC"
    instead = f", replacing version {change.before}" if change.before else ""
    how = "promoted" if change.what == PROMOTED else "brought back"
    parts = [f"Version {number} of {name!r} was {how} by {change.who} at {when}{instead}"]
    if change.reason:
        parts.append(f"because: {change.reason}")
    if verdict is not None:
        figures = ", ".join(f"{key} {value}" for key, value in verdict.figures.items())
        parts.append(f"its verdict of {verdict.time:%Y-%m-%d %H:%M} passed")
        parts += [part for part in (verdict.summary, figures) if part]
        parts += [f"commit {verdict.commit[:12]}"] if verdict.commit else []
    return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Line:
    """The champions one may go back to, the present one last, and who was rolled back."""

    champions: tuple[str, ...]
    bad: frozenset[str]

    def rolled_back_to(self, version: str) -> Line:
        """Return what remains when the last one was rolled back to a version."""
        line = list(self.champions)
        _cut_to(line, version)
        return Line(tuple(line), self.bad.union(self.champions[-1:]))


def line_of(entries: Iterable[Entry], champion: str) -> Line:
    """Replay all changes up to the present champion.

    A promotion adds the new champion to the line, a rollback removes the last one and
    remembers it as bad until it is promoted again. Where the champion was moved by hand in
    between, the line is cut there, or goes on from there.
    """
    line: list[str] = []
    bad: set[str] = set()
    for change in changes_in(entries):
        _cut_to(line, change.before)
        if change.what == ROLLED_BACK:
            _cut_to(line, change.after)
            bad.add(change.before)
        else:
            line += [change.after] if line[-1:] != [change.after] else []
            bad.discard(change.after)
    _cut_to(line, champion)
    return Line(tuple(line), frozenset(bad))


def _cut_to(line: list[str], champion: str) -> None:
    """Make a version the last of the line, wherever it stands."""
    while champion in line and line[-1] != champion:
        line.pop()
    if champion and champion not in line:
        line.append(champion)


def back_to(line: Line, found: Found) -> str | None:
    """Return the version that a rollback of the line's last one leads to; None without one."""
    unfit = {*line.champions[-1:], *line.bad}
    earlier = [n for n in line.champions if n in found.versions and n not in unfit]
    if earlier:
        return earlier[-1]
    by_hand = found.aliases.get(PREVIOUS, "")
    return by_hand if by_hand in found.versions and by_hand not in unfit else None


def turns_so_far(versions: Mapping[str, Version]) -> int:
    """Return the number of the last change; 0 when there was none."""
    return max((entry.turn for entry in changes_in(entries_of(versions.values()))), default=0)
