"""Registered models to promote in, and what must be true of them."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow

from cvtrack_magics.release.promotion import CHAMPION, PREVIOUS, history, look
from cvtrack_magics.release.promotion.ledger import PROMOTED, ROLLED_BACK, Entry
from cvtrack_magics.release.promotion.plan import INTENT
from cvtrack_magics.release.promotion.tickets import PREFIX
from cvtrack_magics.store.registry import Registry

PASS: dict[str, Any] = {
    "passed": True,
    "commit": "0123456789abcdef",
    "summary": "all 3 rules hold",
    "figures": {"val/mAP50": 0.8712345678, "p95_ms": 41},
    "rules": [{"metric": "val/mAP50", "at_least": 0.85, "found": 0.8712345678}],
}
REFUSAL: dict[str, Any] = {**PASS, "passed": False, "summary": "1 of 3 rules fails"}
_names = (f"model {n}" for n in itertools.count(1))


def new_model(uri: str, versions: int, name: str = "") -> str:
    """Register a model with versions 1 … n; return its name."""
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    name = name or next(_names)
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, "s3://nowhere/model", await_creation_for=0)
    return name


def copied(database: Path, name: str) -> str:
    """Copy a model within a sqlite database; return the copy's name."""
    copy = next(_names)
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        for table in (
            "registered_models",
            "registered_model_tags",
            "registered_model_aliases",
            "model_versions",
            "model_version_tags",
        ):
            found = connection.execute(f"PRAGMA table_info({table})").fetchall()
            columns = [row[1] for row in found if row[1] != "name"]
            connection.execute(
                f"INSERT INTO {table} (name, {', '.join(columns)}) "
                f"SELECT ?, {', '.join(columns)} FROM {table} WHERE name = ?",
                (copy, name),
            )
        connection.commit()
    return copy


def changes_of(registry: Registry, name: str) -> list[Entry]:
    """Return promotions and rollbacks by turn."""
    found = [e for e in history(registry, name) if e.what in (PROMOTED, ROLLED_BACK)]
    return sorted(found, key=lambda e: e.turn)


def faults_of(registry: Registry, name: str, *, stages: bool) -> Iterator[str]:
    """Yield what is wrong with a model at rest."""
    found = look(registry, name)
    changes = changes_of(registry, name)
    left = [key for key in found.tags if key.startswith((INTENT, PREFIX))]
    if left:
        yield f"left behind: {left}"
    if [e.turn for e in changes] != list(range(1, len(changes) + 1)):
        yield f"turns {[e.turn for e in changes]}"
    if sorted(changes, key=lambda e: e.time) != changes:
        yield "the order of times is not that of turns"
    for one, other in itertools.pairwise(changes):
        if one.after != other.before:
            yield f"{one.after} was followed by a change of {other.before}"
    champion = found.aliases.get(CHAMPION, "")
    if champion != (changes[-1].after if changes else ""):
        yield f"champion {champion}, last record {changes[-1:]}"
    if changes and changes[-1].what == PROMOTED:
        previous = found.aliases.get(PREVIOUS, "")
        if previous != changes[-1].before:
            yield f"previous {previous}, last record {changes[-1]}"
    if stages:
        if found.in_production != ((champion,) if champion else ()):
            yield f"in Production {found.in_production}, champion {champion}"
        for number in {e.before for e in changes} - {"", champion}:
            if found.versions[number].stage != "Archived":
                yield f"version {number} is in {found.versions[number].stage}"
    elif found.has_stages:
        yield "a stage was moved"
