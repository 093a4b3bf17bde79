"""A text as it is read, where colours or signs of HTML and of addresses hide a name or value."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from cvtrack_magics.secrets.spans import Span

_MARKS = ("\x1b[", "&quot;", "&#", "%3D", "%3d", "%3A", "%3a", "%22", "%253", "\\u0026", "\\u003d")
_HIDDEN = re.compile(
    r"\x1b\[[0-9;:]{0,40}m|&(?:quot|apos|amp|#34|#39|#x22|#x27);|"
    # as in an address, or in one within another; %3d may be a number's format
    r"%(?:25)?3(?:D|[Aad](?=[\w%$+/\-]))|%(?:25)?(?:22|26|27|3[FfBb]|40|2[FfCc]|7[BbDd]|20)|\\u00(?:26|3[Dd])"
)
_SIGNS = {"quot": '"', "#34": '"', "#x22": '"', "amp": "&"}
_MADE = frozenset("\"'&=?:@/,{}; ")
_LONGEST = 6  # characters of a sign that are read as one


@dataclass(frozen=True, slots=True)
class View:
    """What is seen of a text, and where each piece of it stands in the text."""

    text: str
    pieces: tuple[tuple[int, int], ...]  # where a piece begins: in the view, in the text

    def in_text(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield spans of the view as spans of the text."""
        for span in sorted(spans, key=lambda one: one.start):
            yield Span(self._place(span.start), self._end(span.end), span.label)

    def parts(self, span: Span) -> list[Span]:
        """Return a span of the view as spans of the text, one for each piece that it goes over."""
        first = bisect_right(self.pieces, span.start, key=itemgetter(0))
        last = bisect_left(self.pieces, span.end, key=itemgetter(0))
        inner = (seen for seen, _ in self.pieces[first:last])
        cuts = [span.start, *dict.fromkeys(inner), span.end]
        return [Span(self._place(a), self._place(b - 1) + 1, span.label) for a, b in pairwise(cuts)]

    def _end(self, at: int) -> int:
        """Return where the text before a place of the view ends: a sign of it may be of many."""
        last, after = self._place(at - 1), self._place(at)
        return after if self.text[at - 1] in _MADE and after - last <= _LONGEST else last + 1

    def _place(self, at: int) -> int:
        low, high = 0, len(self.pieces)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.pieces[middle][0] <= at else (low, middle)
        seen, written = self.pieces[low]
        return written + at - seen


def seen(text: str) -> View | None:
    """Return a text without its colours, HTML's signs read; None where it has neither."""
    if not any(mark in text for mark in _MARKS):
        return None
    parts: list[str] = []
    pieces = [(0, 0)]
    length = at = 0
    for found in _HIDDEN.finditer(text):
        parts.append(text[at : found.start()])
        length += found.start() - at
        sign = found.group()[1:-1]
        if not found.group().startswith("\x1b"):
            pieces.append((length, found.start()))
            is_html = found.group().startswith("&")
            parts.append(_SIGNS.get(sign, "'") if is_html else chr(int(found.group()[-2:], 16)))
            length += 1
        at = found.end()
        pieces.append((length, at))
    return View("".join([*parts, text[at:]]), tuple(pieces))
