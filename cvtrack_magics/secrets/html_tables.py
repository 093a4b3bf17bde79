"""Columns of HTML's tables whose head says secret, as a data frame is shown in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.names import strength
from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.worth import Named, counts

_HEAD = re.compile(
    r"<(?P<end>/tr|/thead|tbody|tr)\b|<t[hd](?:[ \t][^<>\n]{0,200})?>(?P<v>[^<>\n]{0,1024})"
)
_WIDEST = 400  # cells of a row
_LONGEST = 200_000  # characters of a table that are looked at


def find_in_html(text: str) -> Iterator[Span]:
    """Find the cells of columns whose head says secret."""
    at = text.find("<thead")
    while at >= 0:
        end = text.find("</table", at, at + _LONGEST)
        end = end if end >= 0 else min(len(text), at + _LONGEST)
        body = text.find("<tbody", at, end)
        if body >= 0:
            heads = _row(text, at, body)
            kinds = {i: strength(m["v"].strip().replace(" ", "_")) for i, m in enumerate(heads)}
            named = {i: Named(0, 0, kind, heads[i]["v"]) for i, kind in kinds.items() if kind}
            if named:
                yield from _cells(text, body, end, named)
        at = text.find("<thead", end)


def _row(text: str, at: int, end: int) -> list[re.Match[str]]:
    """Return the cells of the first row that has any."""
    cells: list[re.Match[str]] = []
    for found in _HEAD.finditer(text, at, end):
        if found["end"] is None and len(cells) < _WIDEST:
            cells.append(found)
        elif cells:
            break
    return cells


def _cells(text: str, at: int, end: int, named: dict[int, Named]) -> Iterator[Span]:
    column = 0
    for found in _HEAD.finditer(text, at, end):
        if found["end"] is not None:
            column = 0
            continue
        column += 1
        one = named.get(column - 1)
        value = found["v"].strip()
        if one is not None and len(value) >= 4 and counts(value, one, strict=False):
            start = found.start("v") + found["v"].index(value)
            yield Span(start, start + len(value), one.label)
