"""Verdicts of the gate, kept for good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cvtrack_magics.artifacts.paths import verdict_path
from cvtrack_magics.release.promotion.ledger import (
    PASSED,
    REFUSED,
    Entry,
    encode,
    fitting,
    new_id,
    plain,
    short,
)
from cvtrack_magics.store.registry import Registry

Keep: TypeAlias = Callable[[str, str], None]
"""Stores a text as an artifact of the version's run: path, text."""


def record_verdict(
    registry: Registry,
    name: str,
    version: str,
    verdict: Mapping[str, Any],
    *,
    who: str,
    keep: Keep | None = None,
) -> Entry:
    """Keep a verdict of the gate on the version for good, be it a pass or a refusal.

    Parameters
    ----------
    registry, name, version : Registry, str, str
        The version judged.
    verdict : mapping
        All of it, ready for JSON. Read here are ``passed`` (bool), and if they are there
        ``commit`` (str), ``summary`` (one line) and ``figures`` (name to number or text).
    who : str
        Who asked for the verdict.
    keep : callable, optional
        Told ``governance/gate/<id>.json`` and the full text, before the record is written.

    Raises
    ------
    UsageProblem
        There is no such version.
    """
    registry.version(name, version)
    text = json.dumps(verdict, indent=1, sort_keys=True, ensure_ascii=False)
    figures = verdict.get("figures")
    entry = fitting(
        Entry(
            id=new_id(),
            what=PASSED if verdict.get("passed") is True else REFUSED,
            version=version,
            who=plain(who, 120),
            commit=plain(verdict.get("commit") or "", 64),
            summary=plain(verdict.get("summary") or "", 400),
            figures=short(figures) if isinstance(figures, Mapping) else {},
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
    )
    if keep is not None:
        keep(verdict_path(entry.id), text)
    registry.set_tag(name, entry.key, encode(entry), version)
    return entry
