"""Champions that were and are not: a model that lost its own never counts as one without.

A store deletes a version's tags and aliases with it, so a promotion leaves a note on the
registered model too. Models that were promoted before have only what other versions keep.
"""

from __future__ import annotations

from dataclasses import dataclass

from cvtrack_magics.release.promotion.history import changes_in, entries_of
from cvtrack_magics.release.promotion.ledger import is_id, loaded, plain, time_of
from cvtrack_magics.release.promotion.plan import (
    ARCHIVED,
    CHAMPION,
    NOTE,
    PREVIOUS,
    Found,
    champion_of,
)

_MOST_NAMED = 5  # versions that are named in a line


@dataclass(frozen=True, slots=True)
class Seen:
    """Who was made champion last, as far as anything says; ``turn`` counts the changes."""

    turn: int
    version: str
    words: str


def lost_champion(found: Found) -> str:
    """Say what became of a champion that there was and is not; empty where none ever was."""
    if champion_of(found) is not None:
        return ""
    aliased = found.aliases.get(CHAMPION)
    if aliased:
        return f"the alias {CHAMPION} stands for version {aliased}, which is not there any more"
    last = _last(found)
    if last is None:
        return _traces(found)
    is_there = last.version in found.versions
    became = f"its alias {CHAMPION} was taken away since" if is_there else "was deleted since"
    return f"{last.words}, and {became}"


def _traces(found: Found) -> str:
    """Say what a champion leaves that no record names."""
    if PREVIOUS in found.aliases:
        before = found.aliases[PREVIOUS]
        return f"version {before} is the champion before the last, and the last is not there"
    stored = [number for number, version in found.versions.items() if version.stage == ARCHIVED]
    if not stored:
        return ""
    several = f"versions {', '.join(stored)} are" if stored[1:] else f"version {stored[0]} is"
    return f"{several} in the stage {ARCHIVED}, and whether one was the champion is not known"


def _deleted(found: Found) -> str:
    """Say which versions there were: releases that left no note may have promoted one."""
    numbers = {int(number) for number in found.versions}
    gone = sorted({*range(1, max(numbers, default=0))} - numbers)
    if not gone:
        return ""
    named = ", ".join(map(str, gone[:_MOST_NAMED])) + ", …" * (len(gone) > _MOST_NAMED)
    several = f"versions {named} were" if gone[1:] else f"version {named} was"
    return f"{several} deleted, and whether one of the deleted was the champion is not known"


def doubt_of(found: Found) -> str:
    """Say what speaks against the champion being the one that was promoted; mostly nothing.

    Of a model without a champion: against there never having been one.
    """
    champion, last = champion_of(found), _last(found)
    if champion is None:
        return _deleted(found)
    if last is not None and last.version != champion.version:
        return f"{last.words}, and version {champion.version} was made champion by hand since"
    if champion.stage == ARCHIVED:
        return f"the champion, version {champion.version}, is in the stage {ARCHIVED}"
    return ""


def _last(found: Found) -> Seen | None:
    changes = changes_in(entries_of(found.versions.values()))
    seen = [_seen(change.turn, change.after, change.id, change.who) for change in changes[-1:]]
    said = loaded(found.tags.get(NOTE, ""))
    turn, version, key = said.get("turn"), said.get("version"), said.get("id")
    if isinstance(turn, int) and isinstance(version, str) and is_id(key):
        seen.append(_seen(turn, plain(version, 20), str(key), plain(said.get("who"), 120)))
    return max(seen, key=lambda item: item.turn, default=None)


def _seen(turn: int, version: str, key: str, who: str) -> Seen:
    words = f"version {version} was made champion on {time_of(key):%Y-%m-%d} by {who}"
    return Seen(turn, version, words)
