"""Plans, played on a model of the registry, and broken off after every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cvtrack_magics.release.promotion.ledger import PROMOTED, ROLLED_BACK, UNDONE, Entry, decode
from cvtrack_magics.release.promotion.plan import (
    INTENT,
    Alias,
    Change,
    Found,
    Intent,
    Stage,
    backward,
    forward,
    has_moved,
    intents_in,
)
from cvtrack_magics.store.registry import Version

STAGES = ("None", "Staging", "Production", "Archived")
NUMBERS = ("1", "2", "3", "4")


def applied(found: Found, changes: Iterable[Change]) -> Found:
    """Return the model after some changes."""
    for change in changes:
        aliases, tags, versions = dict(found.aliases), dict(found.tags), dict(found.versions)
        if isinstance(change, Alias):
            aliases.pop(change.alias, None)
            if change.version is not None:
                aliases[change.alias] = change.version
        elif isinstance(change, Stage):
            versions[change.version] = replace(versions[change.version], stage=change.stage)
        else:
            owned = tags if change.version is None else dict(versions[change.version].tags)
            owned.pop(change.key, None)
            if change.value is not None:
                owned[change.key] = change.value
            if change.version is not None:
                versions[change.version] = replace(versions[change.version], tags=owned)
        found = Found(found.name, aliases, tags, versions)
    return found


@st.composite
def models(draw: st.DrawFn) -> Found:
    """Models with at most one version in Production."""
    stages = draw(st.lists(st.sampled_from(STAGES), min_size=4, max_size=4))
    for n in [n for n, stage in enumerate(stages) if stage == "Production"][1:]:
        stages[n] = "Archived"
    aliases = draw(
        st.dictionaries(
            st.sampled_from(["champion", "previous", "other"]), st.sampled_from(NUMBERS)
        )
    )
    versions = {
        n: Version("m", n, "", stage=stage) for n, stage in zip(NUMBERS, stages, strict=True)
    }
    return Found("m", aliases, {}, versions)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Found, Intent]:
    """A model, and a change of its champion."""
    found = draw(models())
    before = found.aliases.get("champion", "")
    after = draw(st.sampled_from([n for n in NUMBERS if n != before]))
    what = draw(st.sampled_from([PROMOTED, ROLLED_BACK])) if before else PROMOTED
    entry = Entry(
        "20250102T030405.678901Z-0a1b2c3d",
        what,
        version=after if what == PROMOTED else before,
        who="ana",
        turn=1,
        before=before,
        after=after,
    )
    previous = before or None if what == PROMOTED else draw(st.sampled_from([None, *NUMBERS]))
    stages = draw(st.booleans())
    return found, Intent(entry, stages, found.versions[after].stage, previous)


def repaired(found: Found) -> Found:
    """Return the model as the next call leaves it."""
    for _, intent in intents_in(found.tags):
        assert intent is not None
        changes = (
            forward(intent, found) if has_moved(intent, found) else backward(intent, found, "bob")
        )
        found = applied(found, changes)
    return found


@settings(deadline=None)
@given(cases())
def test_wherever_it_breaks_off_the_next_call_leaves_all_of_it_or_nothing(
    case: tuple[Found, Intent],
) -> None:
    start, intent = case
    changes = [intent.announced(), *forward(intent, start)]
    whole = applied(start, changes)
    entry = intent.entry
    for done in range(len(changes) + 1):
        broken = applied(start, changes[:done])
        assert len(broken.in_production) <= 1
        after = repaired(broken)
        assert not [key for key in after.tags if key.startswith(INTENT)]
        if has_moved(intent, broken):
            assert after == whole
        else:
            assert after.aliases == start.aliases
            assert {n: v.stage for n, v in after.versions.items()} == {
                n: v.stage for n, v in start.versions.items()
            }
            if done:
                kept = decode(entry.key, after.versions[entry.version].tags[entry.key], "1")
                assert kept is not None
                assert (kept.what, kept.repaired) == (UNDONE, "bob")


@settings(deadline=None)
@given(cases())
def test_the_end_is_as_intended(case: tuple[Found, Intent]) -> None:
    start, intent = case
    end = applied(start, [intent.announced(), *forward(intent, start)])
    assert end.aliases.get("champion") == intent.entry.after
    assert end.aliases.get("previous") == intent.previous
    assert end.aliases.get("other") == start.aliases.get("other")
    stages = {n: v.stage for n, v in end.versions.items()}
    if intent.stages:
        assert end.in_production == (intent.entry.after,)
        for n in start.in_production:
            assert stages[n] == ("Production" if n == intent.entry.after else "Archived")
    else:
        assert stages == {n: v.stage for n, v in start.versions.items()}


@settings(deadline=None)
@given(cases())
def test_a_version_goes_to_production_through_staging(case: tuple[Found, Intent]) -> None:
    start, intent = case
    stages = [c.stage for c in forward(intent, start) if isinstance(c, Stage)]
    if intent.stages and start.versions[intent.entry.after].stage in ("None", "Archived"):
        assert stages[0] == "Staging"
        assert stages[-1] == "Production"


@settings(deadline=None)
@given(cases())
def test_a_plan_may_be_carried_out_twice(case: tuple[Found, Intent]) -> None:
    start, intent = case
    once = applied(start, forward(intent, start))
    assert applied(once, forward(intent, once)) == once
    assert len(list(forward(intent, once))) == 1


@settings(deadline=None)
@given(cases())
def test_an_intention_comes_back_as_it_was_written(case: tuple[Found, Intent]) -> None:
    start, intent = case
    announced = applied(start, [intent.announced()])
    assert list(intents_in(announced.tags)) == [(intent.key, intent)]
