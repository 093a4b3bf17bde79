"""What YAML has below a name, or behind its anchor or type: a block, an entry of a list."""

from __future__ import annotations

import re

from cvtrack_magics.secrets.connectors import Literal, literal
from cvtrack_magics.secrets.worth import Named

_BLOCK = re.compile(
    r":[ \t]{0,4}(?:(?:&\w{1,30}|!{1,2}\w{1,30})[ \t]{1,4}){0,2}"
    r"[>|][+\-\d]{0,2}[ \t]{0,4}(?:#[^\n]{0,200})?(?:\r?\n[ \t]{0,40}){1,3}(?<=[ \t])"
)
_BEHIND = re.compile(r":[ \t]{1,4}(?:(?:&\w{1,30}|!{1,2}\w{1,30})[ \t]{1,4}){1,2}(?=[\w\"'])")
_LINE = re.compile(r"[^\s#][^\n]{3,400}?(?=[ \t]{0,8}(?:\r?\n|\Z))")
_ITEMS = re.compile(r":[ \t]{0,8}\r?\n(?=[ \t]{0,40}- )")
_ITEM = re.compile(r"[ \t]{0,40}- {1,4}(?P<v>[^\s\"'{\[][^\n\"']{3,400}?)[ \t]{0,8}(?:\r?\n|\Z)")
_MOST = 20  # entries of one list


def below(text: str, named: Named) -> list[Literal]:
    """Return the values that a name has in that way."""
    begin = _BLOCK.match(text, named.end) or _BEHIND.match(text, named.end)
    if begin is not None:
        found = literal(text, begin.end())
        line = _LINE.match(text, begin.end()) if found is None else None
        if line is not None:
            found = Literal(line.group(), (line.span(),), line.end())
        return [found] if found is not None else []
    # of other names a list has words: Compose's services name their secrets so
    begin = _ITEMS.match(text, named.end) if named.kind == "password" else None
    return _items(text, begin.end()) if begin is not None else []


def _items(text: str, at: int) -> list[Literal]:
    found: list[Literal] = []
    while len(found) < _MOST and (item := _ITEM.match(text, at)) is not None:
        found.append(Literal(item["v"], (item.span("v"),), item.end()))
        at = item.end()
    return found
