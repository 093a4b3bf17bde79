"""Texts that code puts together of several quoted parts, seen as the one text that they become."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.tokens import find_tokens
from cvtrack_magics.secrets.views import View

_SEAM = re.compile(
    r"[\"'{](?:(?<=[\"'])(?:\s{0,40}[+,]\s{0,40}|[ \t]{1,4}|\\?\r?\n[ \t]{1,40}|"
    r"[ \t]{0,4}%[ \t]{0,4}\(?[ \t]{0,4}|\.format\([ \t]{0,4}|\}\{)[bfruBFRU]{0,2}\\?[\"']|"
    r"(?<=\w\{)\\?[\"'](?=[\w\-]{8}))"
)
"""Between two parts: ``" + "``, ``", "``, ``%s" % "``, ``{}".format("`` and ``'}{'``."""
_FILLED = re.compile(r"(?:%s|\{\d?\}){1,4}\Z")
_REACH = 300  # characters of the first and the last part that are looked at
_LEAST = 16  # characters of a token


def find_over_seams(text: str) -> Iterator[Span]:
    """Find tokens whose parts code puts together; each part is a span, and quotes stay."""
    view = _whole(text)
    if not view.text:
        return
    alone: list[Span] | None = None
    for found in find_tokens(view.text):
        parts = view.parts(found)
        if len(parts) < 2:
            continue
        gaps = (text[a.end : b.start] for a, b in itertools.pairwise(parts))
        if any("," in gap for gap in gaps):  # a list, where one item may be all of a token
            alone = list(find_tokens(text)) if alone is None else alone
            if any(a.start < p.end and p.start < a.end for a in alone for p in parts):
                continue
        yield from parts


def _whole(text: str) -> View:
    """Return the joined texts of a text, one a line."""
    lines: list[str] = []
    pieces = [(0, 0)]
    length = done = 0
    for seams in _chains(text):
        begins = [max(done, seams[0][0] - _REACH), *(end for _, end in seams)]
        done = seams[-1][1]
        parts = [text[a:b] for a, (b, _) in zip(begins, seams, strict=False)]
        parts.append(text[done : done + _REACH].partition("\n")[0])
        line = "".join(parts)
        if len(line) < _LEAST or not any(map(str.isdigit, line)):
            continue
        for begin, part in zip(begins, parts, strict=True):
            pieces.append((length, begin))
            length += len(part)
        lines.append(line)
        length += 1
    return View("\n".join(lines), tuple(pieces))


def _chains(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield where seams begin and end, those together between which no text ends."""
    chain: list[tuple[int, int]] = []
    for seam in _SEAM.finditer(text):
        start, end = seam.span()
        filled = _FILLED.search(text, max(0, start - 12), start)
        start = filled.start() if filled else start - (text[start - 1 : start] == "\\")
        if chain and (start < chain[-1][1] or _ends(text[chain[-1][1] : start])):
            yield chain
            chain = []
        chain.append((start, end))
    if chain:
        yield chain


def _ends(part: str) -> bool:
    return len(part) > 2 * _REACH or "\n" in part or '"' in part or "'" in part
