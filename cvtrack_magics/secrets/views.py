"""A text as a person sees it, where colours or HTML stand between a name and its value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cvtrack_magics.secrets.spans import Span

_MARKS = ("\x1b[", "&quot;", "&#")
_HIDDEN = re.compile(r"\x1b\[[0-9;:]{0,40}m|&(?:quot|apos|amp|#34|#39|#x22|#x27);")
_SIGNS = {"quot": '"', "#34": '"', "#x22": '"', "amp": "&"}


@dataclass(frozen=True, slots=True)
class View:
    """What is seen of a text, and where each piece of it stands in the text."""

    text: str
    pieces: tuple[tuple[int, int], ...]  # where a piece begins: in the view, in the text

    def in_text(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield spans of the view as spans of the text."""
        for span in sorted(spans, key=lambda one: one.start):
            start, end = self._place(span.start), self._place(span.end - 1) + 1
            yield Span(start, end, span.label)

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
        if found.group().startswith("&"):
            pieces.append((length, found.start()))
            parts.append(_SIGNS.get(sign, "'"))
            length += 1
        at = found.end()
        pieces.append((length, at))
    return View("".join([*parts, text[at:]]), tuple(pieces))
