"""Private keys in PEM and its relatives."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.spans import Span

_HEAD = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|"
    r"---- BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY ----"
)
_BODY = re.compile(r"[A-Za-z0-9+/=\s\\,:\-\"'+]{0,16384}")
_GAP = re.compile(r"(?:\s|\\n){0,8}")
_LINE = re.compile(r"[A-Za-z0-9+/]{20}")
_PUTTY = "Private-Lines:"
_REST = re.compile(r" ?\d{1,3}(?:\s|\\[rn]){1,4}(?P<v>(?:[A-Za-z0-9+/=\s]|\\[rn]){20,16384})")


def _before_gap(text: str, end: int) -> int:
    for tail in ("\r\n", "\n", "\\n"):
        if text.endswith(tail, 0, end):
            return end - len(tail)
    return end


def find_private_keys(text: str) -> Iterator[Span]:
    """Find what stands between the first and the last line of each private key."""
    yield from _between(text, "-----BEGIN ", "-----END")
    yield from _between(text, "---- BEGIN ", "---- END")
    at = text.find(_PUTTY)
    while at >= 0:
        match = _REST.match(text, at + len(_PUTTY))
        if match is not None:
            yield Span(match.start("v"), match.end("v"), "private-key")
        at = text.find(_PUTTY, match.end() if match else at + len(_PUTTY))


def _between(text: str, begins: str, ends: str) -> Iterator[Span]:
    at = text.find(begins)
    while at >= 0:
        head = _HEAD.match(text, at)
        after = at + len(begins)
        if head is not None:
            end = text.find(ends, head.end(), head.end() + 16384)
            if end < 0:
                body = _BODY.match(text, head.end())
                end = body.end() if body else head.end()
            if _LINE.search(text, head.end(), end):
                gap = _GAP.match(text, head.end())
                yield Span(gap.end() if gap else head.end(), _before_gap(text, end), "private-key")
            after = max(end, after)
        at = text.find(begins, after)
