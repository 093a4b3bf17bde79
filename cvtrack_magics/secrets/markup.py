"""Elements of XML and its relatives whose name, or that of their neighbour, says secret."""

from __future__ import annotations

import re

_CONTENT = r"\s{0,40}(?:<value>\s{0,8})?(?:<!\[CDATA\[)?(?P<v>[^<>\n]{4,512}?)\s{0,40}(?:\]\]>)?</"
_ITSELF = re.compile(rf"(?:[ \t][^<>\n]{{0,200}})?>{_CONTENT}")
_BY_ATTRIBUTE = re.compile(rf"[\"'](?:[ \t][^<>\n]{{0,200}})?>{_CONTENT}")
_BY_NEIGHBOUR = re.compile(rf"</(?:name|key)>\s{{0,80}}<(?:value|string)>{_CONTENT}")
_BY_CELL = re.compile(
    rf"[*:]?[ \t]{{0,8}}</(?:t[hd]|dt)>\s{{0,80}}<(?:td|dd)(?:[ \t][^<>\n]{{0,200}})?>{_CONTENT}"
)
_OPEN = re.compile(r"<(?:[\w\-]{1,40}:)?\Z")
_ATTRIBUTE = re.compile(r"[ \t](?:name|key)[ \t]{0,2}=[ \t]{0,2}[\"'][\w.\-]{0,80}\Z")
_CELL = re.compile(r"<(?:t[hd]|dt)(?:[ \t][^<>\n]{0,80})?>\s{0,20}[\w.\- ]{0,40}\Z")
_NEIGHBOUR = re.compile(r"<(?:name|key)>[\w.\-]{0,80}\Z")


def element(text: str, start: int, end: int) -> re.Match[str] | None:
    """Return the content ``v`` of the element that a name at a place stands for."""
    begin = max(0, start - 120)
    if _OPEN.search(text, begin, start):
        return _ITSELF.match(text, end)
    if _ATTRIBUTE.search(text, begin, start):
        return _BY_ATTRIBUTE.match(text, end)
    return _BY_NEIGHBOUR.match(text, end) if _NEIGHBOUR.search(text, begin, start) else None


def cell(text: str, start: int, end: int) -> re.Match[str] | None:
    """Return the content ``v`` of the cell that stands behind the one of a name."""
    if _CELL.search(text, max(0, start - 120), start):
        return _BY_CELL.match(text, end)
    return None
