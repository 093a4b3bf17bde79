"""The record: one tag of a version for each verdict and each change of the champion.

A tag's key holds the time and eight random hexadecimal digits, so that no record is ever
written over another. What is read back may have been written by anybody: a value that is
not ours is shown as unreadable, and text is brought to one plain line.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import Any, TypeAlias

from cvtrack_magics.redact import redact
from cvtrack_magics.text import json_object

PREFIX = "cvtrack.gate."
LIMIT = 4000  # characters; MLflow takes 5000 in a tag, and an intention has a record in it

PASSED = "passed"
REFUSED = "refused"
PROMOTED = "promoted"
ROLLED_BACK = "rolled back"
UNDONE = "undone"
UNREADABLE = "unreadable"
_WRITTEN = (PASSED, REFUSED, PROMOTED, ROLLED_BACK, UNDONE)

Figure: TypeAlias = float | str

_ID = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_MOST_READ = 100_000  # characters of a value: as many as MLflow takes
_TURNS = 2**53
_TEXTS = {"who": 120, "commit": 64, "summary": 400, "reason": 400, "repaired": 200, "sha256": 64}
_MAY_BE_CUT = ("who", "summary", "reason", "repaired")
_SHORTEST = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One record.

    Attributes
    ----------
    id : str
        Its time in UTC and eight hexadecimal digits.
    what : str
        ``passed`` and ``refused`` (verdicts), ``promoted``, ``rolled back``, ``undone`` (a
        promotion that broke off before the champion moved) or ``unreadable``.
    version : str
        The version that has the record: the one judged, promoted or rolled back.
    who : str
        Who asked for it.
    turn : int
        Counts the changes of the champion, from 1 on; 0 of a verdict. Clocks of two machines
        may disagree about what came first, turns cannot.
    before, after : str
        The champion before and after a change; empty where there was none.
    commit : str
        The commit of the code that the version was made with.
    summary, reason : str
        A line about a verdict; why there was a rollback.
    figures : mapping of str to float or str
        The figures of a verdict, in short.
    verdict : str
        The id of the verdict that a promotion rests on.
    sha256 : str
        Of the full verdict, whose text is the run's ``governance/gate/<id>.json``.
    repaired : str
        Who brought a broken-off change to its end, and when.
    cut : bool
        Whether something was left out so that the record fits into a tag.
    """

    id: str
    what: str
    version: str
    who: str = ""
    turn: int = 0
    before: str = ""
    after: str = ""
    commit: str = ""
    summary: str = ""
    reason: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    verdict: str = ""
    sha256: str = ""
    repaired: str = ""
    cut: bool = False

    @property
    def time(self) -> datetime:
        """When it was recorded, in UTC."""
        return time_of(self.id)

    @property
    def key(self) -> str:
        """The key of its tag."""
        return PREFIX + self.id


def new_id() -> str:
    """Return an id that was never used."""
    return f"{datetime.now(timezone.utc).strftime(_TIME)}-{uuid.uuid4().hex[:8]}"


def time_of(entry_id: str) -> datetime:
    """Return the time in an id, in UTC."""
    return datetime.strptime(entry_id.partition("-")[0], _TIME).replace(tzinfo=timezone.utc)


def plain(text: object, limit: int) -> str:
    """Return text as one line of printable characters without credentials."""
    seen = "".join(c if c.isprintable() else " " for c in redact(str(text)[:_MOST_READ]))
    return " ".join(seen.split())[:limit]


def short(figures: Mapping[str, Any]) -> dict[str, Figure]:
    """Return figures as a record has them: six digits, and text for what is no number."""
    return {plain(name, 100): _figure(value) for name, value in figures.items()}


def _figure(value: object) -> Figure:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer beyond all floats
            if math.isfinite(value):
                return float(f"{value:.6g}")
    return plain(value, 60)


def to_json(entry: Entry) -> dict[str, Any]:
    """Return what is written of an entry; what the key and the version say is left out."""
    seen = {
        f.name: getattr(entry, f.name) for f in fields(entry) if f.name not in ("id", "version")
    }
    seen.update({name: plain(seen[name], limit) for name, limit in _TEXTS.items()})
    seen["figures"] = dict(entry.figures)
    return {name: value for name, value in seen.items() if value}


def fitting(entry: Entry) -> Entry:
    """Return an entry with as much left out as it takes to fit into a tag."""
    while len(_dumped(entry)) > LIMIT:
        entry = replace(_smaller(entry), cut=True)
    return entry


def encode(entry: Entry) -> str:
    """Return the value of an entry's tag."""
    return _dumped(fitting(entry))


def _dumped(entry: Entry) -> str:
    # ASCII, because a database may count bytes
    return json.dumps(to_json(entry), separators=(",", ":"))


def _smaller(entry: Entry) -> Entry:
    if entry.figures:
        kept = list(entry.figures.items())[: len(entry.figures) // 2]
        return replace(entry, figures=dict(kept))
    longest = max(len(getattr(entry, name)) for name in _MAY_BE_CUT)
    room = max(_SHORTEST, longest // 2)
    return replace(
        entry,
        who=entry.who[:room],
        summary=entry.summary[:room],
        reason=entry.reason[:room],
        repaired=entry.repaired[:room],
    )


def decode(key: str, value: str, version: str) -> Entry | None:
    """Return the entry in a tag; None of a tag that is no record.

    Parameters
    ----------
    key, value : str
        The tag.
    version : str
        The version that has it.
    """
    entry_id = key.removeprefix(PREFIX)
    if not key.startswith(PREFIX) or not is_id(entry_id):
        return None
    found = loaded(value)
    return from_json(entry_id, version, found) or Entry(entry_id, UNREADABLE, version)


def is_id(text: object) -> bool:
    """Whether a text is an id of a record."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        return False
    try:
        time_of(text)
    except ValueError:
        return False
    return True


def loaded(value: str) -> dict[str, Any]:
    """Return the JSON object in a tag; an empty one where there is none."""
    return {} if len(value) > _MOST_READ else json_object(value)


def from_json(entry_id: str, version: str, found: Mapping[str, Any]) -> Entry | None:
    """Return an entry of what :func:`to_json` wrote; None when it is not that."""
    what, turn, figures = found.get("what"), found.get("turn", 0), found.get("figures", {})
    numbers = [found.get("before", ""), found.get("after", "")]
    verdict = found.get("verdict", "")
    if (
        what not in _WRITTEN
        or not isinstance(turn, int)
        or not 0 <= turn < _TURNS
        or not isinstance(figures, dict)
        or not all(isinstance(n, str) and (not n or _NUMBER.fullmatch(n)) for n in numbers)
        or not (verdict == "" or is_id(verdict))
    ):
        return None
    return Entry(
        id=entry_id,
        what=str(what),
        version=version,
        turn=int(turn),
        before=numbers[0],
        after=numbers[1],
        figures=short(figures),
        verdict=str(verdict),
        cut=found.get("cut") is True,
        **{name: plain(found.get(name, ""), limit) for name, limit in _TEXTS.items()},
    )
