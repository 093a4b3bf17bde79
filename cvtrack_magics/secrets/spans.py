"""Places in a text that hold a secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A secret at ``text[start:end]``; ``label`` is what is written in its place."""

    start: int
    end: int
    label: str


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order; of those that overlap, the first and longest stands for all."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
        elif span.end > kept[-1].end:
            kept[-1] = Span(kept[-1].start, span.end, kept[-1].label)
    return kept


def replaced(text: str, spans: Iterable[Span]) -> str:
    """Return a text with a mark in place of each span; no line is added and none is lost."""
    parts: list[str] = []
    at = 0
    for span in spans:
        lines = text.count("\n", span.start, span.end)
        parts += [text[at : span.start], f"***{span.label}***", "\n" * lines]
        at = span.end
    return "".join([*parts, text[at:]])
