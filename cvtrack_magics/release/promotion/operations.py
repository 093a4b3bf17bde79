"""The gate's acts: promoting, rolling back, repairing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.promotion.history import (
    back_to,
    entries_of,
    line_of,
    passed_verdicts,
    turns_so_far,
)
from cvtrack_magics.release.promotion.ledger import (
    PASSED,
    PROMOTED,
    ROLLED_BACK,
    Entry,
    fitting,
    new_id,
    plain,
)
from cvtrack_magics.release.promotion.lock import PATIENT, Say, Terms, silent
from cvtrack_magics.release.promotion.plan import PREVIOUS, Intent, champion_of, is_fulfilled, look
from cvtrack_magics.release.promotion.transaction import require_champion, section
from cvtrack_magics.release.promotion.verdicts import Keep, record_verdict
from cvtrack_magics.store.registry import Registry, Version

Unproved: TypeAlias = Callable[[Version, list[Entry]], str]
"""Says why a version cannot be returned to, from it and the verdicts that it passed."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A change of the champion that took place.

    Attributes
    ----------
    name, version : str
        The registered model and its champion now.
    before : str
        The champion before; empty where there was none.
    previous : str
        What the alias ``previous`` stands for now: where a rollback would lead, or nothing.
    stages : bool
        Whether stages were moved too.
    entry : Entry
        The record of it.
    repaired : tuple of str
        What was found half done and brought to its end first.
    """

    name: str
    version: str
    before: str
    previous: str
    stages: bool
    entry: Entry
    repaired: tuple[str, ...] = ()


def promote(
    registry: Registry,
    name: str,
    version: str,
    *,
    expected_champion: str | None,
    verdict: Mapping[str, Any],
    who: str,
    stage: bool | None = None,
    keep: Keep | None = None,
    step: Say = silent,
    terms: Terms = PATIENT,
) -> Promotion:
    """Make a version the champion, and record the verdict that says so.

    Parameters
    ----------
    registry, name, version : Registry, str, str
        The version to promote.
    expected_champion : str or None
        The champion against which the verdict was made; None where there was none.
    verdict, who, keep
        As :func:`record_verdict` has them; the verdict is recorded even when the promotion
        does not take place.
    stage : bool, optional
        Whether to move stages too; by default where any version is in one.
    step : callable
        Told in a few words, before each step, what is done.
    terms : Terms
        How long to wait for other promotions.

    Raises
    ------
    UsageProblem
        The verdict is a refusal, there is no such version, or it is the champion already.
    PromotionConflict
        The champion is another one by now; nothing was changed.
    PromotionBusy
        Another promotion did not end in time; nothing was changed.
    PromotionLost
        This process slept so long that others may have gone on; the next call repairs.
    """
    judged = record_verdict(registry, name, version, verdict, who=who, keep=keep)
    if judged.what != PASSED:
        raise UsageProblem(
            f"The gate refused version {version} of {name!r}, so it is not promoted."
        )
    with section(registry, name, judged.who, terms, step) as ours:
        found = look(registry, name)
        before = require_champion(found, expected_champion, "Run the gate again.")
        new = found.versions.get(version)
        if new is None:
            raise UsageProblem(f"{name!r} has no version {version} any more.")
        replaces = before not in ("", version)
        entry = replace(
            judged,
            id=new_id(),
            what=PROMOTED,
            turn=turns_so_far(found.versions) + 1,
            before=before,
            after=version,
            verdict=judged.id,
        )
        intent = Intent(
            entry=fitting(entry),
            stages=found.has_stages if stage is None else stage,
            stage_before=new.stage,
            previous=before if replaces else found.aliases.get(PREVIOUS),
        )
        if is_fulfilled(intent, found):
            raise UsageProblem(f"Version {version} is the champion of {name!r} already.")
        ours.carry_out(intent, found)
        return _promotion(name, intent, ours.repaired)


def rollback(
    registry: Registry,
    name: str,
    *,
    who: str,
    reason: str,
    expected_champion: str | None = None,
    unproved: Unproved = lambda *_: "",
    step: Say = silent,
    terms: Terms = PATIENT,
) -> Promotion:
    """Make the champion before this one the champion again, and mark this one.

    Called again it goes back by one more. A version that was rolled back is never returned
    to, until it is promoted again.

    Parameters
    ----------
    registry, name : Registry, str
        The registered model.
    who, reason : str
        Who asks for it, and why.
    expected_champion : str, optional
        The version to be rolled back; by default the champion at the time of the call.
    unproved : callable, optional
        Says why the version that is returned to cannot be, from it and from the verdicts that
        it passed, the newest first; ``""`` where it can.
    step, terms
        As in :func:`promote`.

    Raises
    ------
    UsageProblem
        There is no champion, nothing to go back to, or nothing that is proved.
    PromotionConflict, PromotionBusy, PromotionLost
        As in :func:`promote`.
    """
    if expected_champion is None:
        now = champion_of(look(registry, name))
        if now is None:
            raise UsageProblem(f"{name!r} has no champion to roll back.")
        expected_champion = now.version
    who = plain(who, 120)
    with section(registry, name, who, terms, step) as ours:
        found = look(registry, name)
        before = require_champion(found, expected_champion, "Look at its history first.")
        line = line_of(entries_of(found.versions.values()), before)
        after = back_to(line, found)
        if after is None:
            raise UsageProblem(
                f"There is nothing to roll {name!r} back to from version {before}.",
                "--promote makes another version the champion.",
            )
        why = unproved(found.versions[after], passed_verdicts(found.versions[after]))
        if why:
            raise UsageProblem(
                f"{name!r} cannot be rolled back to version {after}: {why}",
                f"%mlgate {name} --version {after} … --promote judges it now.",
            )
        entry = Entry(
            id=new_id(),
            what=ROLLED_BACK,
            version=before,
            who=who,
            turn=turns_so_far(found.versions) + 1,
            before=before,
            after=after,
            reason=plain(reason, 400),
        )
        intent = Intent(
            entry=fitting(entry),
            stages=found.has_stages,
            stage_before=found.versions[after].stage,
            previous=back_to(line.rolled_back_to(after), found),
        )
        ours.carry_out(intent, found)
        return _promotion(name, intent, ours.repaired)


def repair(
    registry: Registry,
    name: str,
    *,
    who: str,
    step: Say = silent,
    terms: Terms = PATIENT,
) -> tuple[str, ...]:
    """Bring to its end, or take back, what a killed process left half done.

    Every :func:`promote` and :func:`rollback` begins with it.

    Returns
    -------
    tuple of str
        What was found and done, a line each; empty when all was well.
    """
    with section(registry, name, plain(who, 120), terms, step) as ours:
        return ours.repaired


def _promotion(name: str, intent: Intent, repaired: tuple[str, ...]) -> Promotion:
    return Promotion(
        name=name,
        version=intent.entry.after,
        before=intent.entry.before,
        previous=intent.previous or "",
        stages=intent.stages,
        entry=intent.entry,
        repaired=repaired,
    )
