"""Which words before a number say that it is a metric."""

from __future__ import annotations

import json
import re
from pathlib import Path

_READ: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_WORDS = {kind: frozenset(words.split()) for kind, words in _READ.items()}
"""By what a word does: it is a metric wherever it stands (certain); in the line of an epoch or
beside a certain one (likely); it names a part of the data (split); it may stand beside a metric and
leave it one (qualifier), also behind it (after); it makes a setting of it (setting)."""

SPLITS = _WORDS["split"]
_MEASURES = _WORDS["certain"] | _WORDS["likely"]
_NEUTRAL = _WORDS["qualifier"] | SPLITS

_AT = re.compile(r"@[\d.:\[\]=a-z]*$|(?<=[a-z])(?:50|75|95)(?:[-_:]95)?(?:\([a-z]\))?$")
_INSIDE = re.compile(r"[_/.\-]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_measure(name: str) -> bool:
    """Whether a name, as it is printed, is that of a metric."""
    return _kind(name, _MEASURES)


def is_certain(name: str) -> bool:
    """Whether it is one wherever it stands."""
    return _kind(name, _WORDS["certain"])


def _kind(name: str, measures: frozenset[str]) -> bool:
    words = [word for word in name.replace("(", " ").replace(")", " ").split() if word]
    if not words or len(words) > 6:
        return False
    found = False
    for word in words:
        parts = _parts(word)
        if any(part in _WORDS["setting"] for part in parts):
            return False
        one = any(part in measures for part in parts)
        if not one and not all(part in _NEUTRAL for part in parts):
            return False
        found = found or one
    return found and _ends_well(words, measures)


def _ends_well(words: list[str], measures: frozenset[str]) -> bool:
    """Whether the metric is the last word, or stands before a split: ``loss (train)``."""
    last = words[-1]
    if any(part in measures for part in _parts(last)):
        return True
    return all(part in SPLITS | _WORDS["after"] for part in _parts(last))


def _parts(word: str) -> list[str]:
    plain = _AT.sub("", word.lower())
    if plain in _MEASURES:
        return [plain]
    camel = _CAMEL.sub("_", word).lower()
    parts = [_AT.sub("", part) for part in _INSIDE.split(camel)]
    return [part for part in parts if part] or [plain]


def split_in(text: str) -> str:
    """Return the one word of a text that names a part of the data; empty for none or several."""
    words = [word for word in re.split(r"[^A-Za-z]+", text) if word.lower() in SPLITS]
    return words[0] if len(words) == 1 else ""
