"""What a promotion changes, described before it is done.

A promotion begins with an intention, a tag of the registered model that says all of it. The
champion's alias is the first thing that others act upon, and it moves in one step: once it
has moved the rest follows, before that everything is taken back. Both are computed from what
is found, so it does not matter who does it, and how often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cvtrack_magics.release.promotion.ledger import (
    PROMOTED,
    ROLLED_BACK,
    UNDONE,
    Entry,
    encode,
    from_json,
    is_id,
    loaded,
    to_json,
)
from cvtrack_magics.store.registry import Registry, Version

CHAMPION = "champion"
PREVIOUS = "previous"
NONE, STAGING, PRODUCTION, ARCHIVED = "None", "Staging", "Production", "Archived"
INTENT = "cvtrack.intent."
MARK = "cvtrack.rolled_back"
NOTE = "cvtrack.champion"
"""Tag of the registered model that names its champion: it outlives the version."""


@dataclass(frozen=True, slots=True)
class Found:
    """A registered model as it is; ``versions`` are by number."""

    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]
    versions: Mapping[str, Version]

    @property
    def has_stages(self) -> bool:
        """Whether any version was ever moved to a stage."""
        return any(version.stage != NONE for version in self.versions.values())

    @property
    def in_production(self) -> tuple[str, ...]:
        """The versions in the stage Production, the oldest first."""
        return tuple(n for n, version in self.versions.items() if version.stage == PRODUCTION)


def look(registry: Registry, name: str) -> Found:
    """Read a registered model.

    Raises
    ------
    UsageProblem
        There is none of this name.
    """
    tags, aliases = registry.tags(name), registry.aliases(name)
    return Found(name, aliases, tags, {v.version: v for v in registry.versions(name)})


def champion_of(found: Found) -> Version | None:
    """Return the version with the alias ``champion``; without it, the newest in Production."""
    number = found.aliases.get(CHAMPION) or next(reversed(found.in_production), "")
    return found.versions.get(number)


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias is to stand for a version, or is to go."""

    alias: str
    version: str | None

    def __str__(self) -> str:
        to = "taken away" if self.version is None else f"→ version {self.version}"
        return f"{self.alias} {to}"

    def perform(self, registry: Registry, name: str) -> None:
        """Do it."""
        if self.version is None:
            registry.delete_alias(name, self.alias)
        else:
            registry.set_alias(name, self.alias, self.version)


@dataclass(frozen=True, slots=True)
class Stage:
    """A version is to be in a stage."""

    version: str
    stage: str

    def __str__(self) -> str:
        return f"version {self.version} → {self.stage}"

    def perform(self, registry: Registry, name: str) -> None:
        """Do it."""
        registry.set_stage(name, self.version, self.stage)


@dataclass(frozen=True, slots=True)
class Label:
    """A tag is to be set or, without a value, removed; without a version it is the model's."""

    what: str
    key: str
    value: str | None
    version: str | None = None

    def __str__(self) -> str:
        return self.what

    def perform(self, registry: Registry, name: str) -> None:
        """Do it."""
        if self.value is None:
            registry.delete_tag(name, self.key, self.version)
        else:
            registry.set_tag(name, self.key, self.value, self.version)


Change: TypeAlias = Alias | Stage | Label


@dataclass(frozen=True, slots=True)
class Intent:
    """A change of the champion that has begun.

    Attributes
    ----------
    entry : Entry
        The record that will be kept of it; its ``after`` is the new champion.
    stages : bool
        Whether stages are moved too.
    stage_before : str
        The stage in which the new champion was.
    previous : str or None
        What the alias ``previous`` is to stand for.
    """

    entry: Entry
    stages: bool
    stage_before: str
    previous: str | None

    @property
    def key(self) -> str:
        """The key of its tag."""
        return INTENT + self.entry.id

    def announced(self) -> Label:
        """Return the change with which it all begins."""
        seen: dict[str, Any] = {
            "version": self.entry.version,
            "entry": to_json(self.entry),
            "stages": self.stages,
            "stage_before": self.stage_before,
            "previous": self.previous,
        }
        value = json.dumps(seen, separators=(",", ":"))
        return Label("intention written", self.key, value)

    def over(self) -> Label:
        """Return the change with which it all ends."""
        return Label("intention fulfilled", self.key, None)


def intents_in(tags: Mapping[str, str]) -> Iterator[tuple[str, Intent | None]]:
    """Yield the intentions in a model's tags by key, the oldest first; None if unreadable."""
    for key in sorted(key for key in tags if key.startswith(INTENT)):
        yield key, _intent(key.removeprefix(INTENT), loaded(tags[key]))


def _intent(entry_id: str, found: Mapping[str, Any]) -> Intent | None:
    version, previous = str(found.get("version", "")), found.get("previous")
    inner = found.get("entry")
    if not is_id(entry_id) or not isinstance(inner, dict):
        return None
    entry = from_json(entry_id, version, inner)
    if entry is None or entry.what not in (PROMOTED, ROLLED_BACK) or not entry.after:
        return None
    stage_before = str(found.get("stage_before"))
    if stage_before not in (NONE, STAGING, PRODUCTION, ARCHIVED):
        return None
    return Intent(
        entry,
        stages=found.get("stages") is True,
        stage_before=stage_before,
        previous=None if previous is None else str(previous),
    )


def has_moved(intent: Intent, found: Found) -> bool:
    """Whether the champion is the one intended."""
    new = intent.entry.after
    return found.aliases.get(CHAMPION) == new and new in found.versions


def is_fulfilled(intent: Intent, found: Found) -> bool:
    """Whether there is nothing left to change but the record."""
    in_place = not intent.stages or found.in_production == (intent.entry.after,)
    return has_moved(intent, found) and in_place


def forward(intent: Intent, found: Found) -> Iterator[Change]:
    """Yield what is still to be done for an intention, in its order.

    At no moment are two versions in Production, whatever the moment at which it breaks off.
    """
    new = found.versions[intent.entry.after]
    if intent.stages and new.stage not in (STAGING, PRODUCTION):
        yield Stage(new.version, STAGING)
    if not has_moved(intent, found):
        yield Alias(CHAMPION, new.version)
    note = _note_of(intent.entry)
    if found.tags.get(NOTE) != note:
        yield Label("champion noted", NOTE, note)
    previous = intent.previous if intent.previous in found.versions else None
    if found.aliases.get(PREVIOUS) != previous:
        yield Alias(PREVIOUS, previous)
    if intent.stages:
        yield from (Stage(n, ARCHIVED) for n in found.in_production if n != new.version)
        if new.stage != PRODUCTION:
            yield Stage(new.version, PRODUCTION)
    yield from _marks(intent.entry, found)
    yield from _kept(intent.entry, found)
    yield intent.over()


def backward(intent: Intent, found: Found, repaired: str) -> Iterator[Change]:
    """Yield what takes back an intention whose champion has not moved."""
    new = found.versions.get(intent.entry.after)
    if intent.stages and new is not None and (new.stage, intent.stage_before) in _TAKEN_BACK:
        yield Stage(new.version, intent.stage_before)
    yield from _kept(replace(intent.entry, what=UNDONE, repaired=repaired), found)
    yield intent.over()


_TAKEN_BACK = {(STAGING, NONE), (STAGING, ARCHIVED)}


def _note_of(entry: Entry) -> str:
    said = {"version": entry.after, "turn": entry.turn, "id": entry.id, "who": entry.who}
    return json.dumps(said, separators=(",", ":"))


def _marks(entry: Entry, found: Found) -> Iterator[Label]:
    marked = [n for n, version in found.versions.items() if MARK in version.tags]
    if entry.what == ROLLED_BACK and entry.before in found.versions:
        if entry.before not in marked:
            said = f"{entry.time:%Y-%m-%d %H:%M} UTC by {entry.who}: {entry.reason}"
            yield Label(f"version {entry.before} marked", MARK, said, entry.before)
    elif entry.what == PROMOTED and entry.after in marked:
        yield Label(f"version {entry.after} no longer marked", MARK, None, entry.after)


def _kept(entry: Entry, found: Found) -> Iterator[Label]:
    """Yield the record, unless it is there: it is written once."""
    version = found.versions.get(entry.version)
    if version is not None and entry.key not in version.tags:
        yield Label("record kept", entry.key, encode(entry), version.version)
