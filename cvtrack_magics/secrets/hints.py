"""Where a text has a word that may be the name of a secret, or a part of one."""

from __future__ import annotations

import re
from functools import lru_cache

from cvtrack_magics.secrets.names import FOREIGN, RARE

_USUAL = ("pass", "pwd", "pw", "secret", "token", "key", "credential")


def hinted(text: str) -> list[tuple[int, int]]:
    """Return where each such word begins and ends, in order."""
    # the same length: only this letter grows when it is made small
    low = text.replace("İ", "I").lower()
    rare = RARE if text.isascii() else (*RARE, *FOREIGN)
    there = tuple(word for word in rare if word in low)
    return [found.span() for found in _pattern(there).finditer(low)]


@lru_cache(maxsize=64)
def _pattern(more: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*_USUAL, *more]))
