"""What a person calls a version or a run: NAME, NAME/3, NAME@champion, NAME/Production, a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.store.registry import Registry, Version

STAGES = ("None", "Staging", "Production", "Archived")
RUN_ID = re.compile(r"(runs:/)?[0-9a-f]{32}\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A run, and the version that was made of it where there is one."""

    run_id: str
    version: Version | None = None
    by: str = ""
    """``alias``, ``stage``, ``version``, ``newest`` or ``run``."""


def registry() -> Registry:
    """Return the registry that goes with the current store."""
    from cvtrack_magics.store.registry import Registry
    from cvtrack_magics.store.uris import absolute

    tracking = get_session().tracking
    tracking.check()
    return Registry(absolute(tracking.uri))


def find(reference: str, *, version: str = "", run: str = "") -> Found:
    """Return what a reference means.

    Parameters
    ----------
    reference : str
        ``NAME`` (its newest version, or the one that ``version`` or ``run`` says),
        ``NAME/3``, ``NAME@alias``, ``NAME/Production``; else the name or id of a run.

    Raises
    ------
    UsageProblem
        There is no such model, version, alias, stage or run.
    """
    reference = reference.removeprefix("models:/").strip()
    if not reference:
        raise UsageProblem("A registered model or a run needs a name.", "%mlgate NAME")
    known = registry()
    if "@" in reference:
        name, alias = reference.rsplit("@", 1)
        return _by_alias(known, name, alias)
    name, slash, rest = reference.rpartition("/")
    if slash and rest.isdigit():
        return _found(known.version(name, rest), "version")
    if slash and rest.capitalize() in STAGES:
        return _by_stage(known, name, rest.capitalize())
    versions = known.versions(reference) if not RUN_ID.match(reference) else []
    if not versions:
        if version:
            raise UsageProblem(
                f"There is no registered model {reference!r}.", _HOW.format(reference)
            )
        if reference.startswith("runs:/"):
            reference = reference.split("/")[1]
        return Found(get_session().tracking.run_of(reference).run_id, None, "run")
    if version:
        return _found(known.version(reference, version), "version")
    if run:
        run_id = get_session().tracking.run_of(run).run_id
        versions = [v for v in versions if v.run_id == run_id]
        if not versions:
            raise UsageProblem(
                f"Run {run!r} is no version of {reference!r}.", _HOW.format(reference)
            )
    return _found(max(versions, key=lambda v: int(v.version)), "newest")


_HOW = "%mlmodel MODEL --example X --register {} makes one."


def _found(version: Version, by: str) -> Found:
    return Found(version.run_id, version, by)


def _by_alias(known: Registry, name: str, alias: str) -> Found:
    version = known.by_alias(name, alias)
    if version is None:
        there = ", ".join(sorted(known.aliases(name))) or "none"
        raise UsageProblem(f"{name!r} has no alias {alias!r}; it has {there}.")
    return _found(version, "alias")


def _by_stage(known: Registry, name: str, stage: str) -> Found:
    versions = known.by_stage(name, stage)
    if not versions:
        raise UsageProblem(f"No version of {name!r} is in {stage}.")
    return _found(max(versions, key=lambda v: int(v.version)), "stage")
