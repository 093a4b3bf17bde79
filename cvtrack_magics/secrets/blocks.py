"""What YAML has below a name, or behind its anchor or type: a block, an entry of a list."""

from __future__ import annotations

import re

from cvtrack_magics.secrets.connectors import Literal, literal
from cvtrack_magics.secrets.names import speaks_of_secrets
from cvtrack_magics.secrets.placeholders import is_random
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
_MANY = frozenset(
    (
        *("secrets", "credentials", "passwords", "tokens", "apikeys", "keys", "passphrases"),
        *("secret", "credential"),
    )
)
"""Words at the end of a name below which each entry may be a secret, whatever its own name."""
_HEAD = re.compile(r":[ \t]{0,8}(?:#[^\n]{0,200})?\r?\n")
_ENTRY = re.compile(
    r"(?P<indent>[ \t]{0,40})(?P<dash>-[ \t]{1,4})?(?:[\w.\-]{1,64}:[ \t]{1,4})?"
    r"(?P<quote>[\"']?)(?P<v>[^\s\"'{\[#&*!|>$][^\s\"']{3,400}?)(?P=quote)"
    r"[ \t]{0,8}(?:#[^\n]{0,200})?(?:\r?\n|\Z)"
)
_NAME_ALONE = re.compile(r"[ \t]{0,40}(?:-[ \t]{1,4})?[\w.\-]{1,64}:[^\n]{0,400}(?:\r?\n|\Z)")
_FLOW = re.compile(r":[ \t]{1,8}\[(?P<all>[^\[\]\n\"']{4,2000})\]")
_OWN_NAME = re.compile(r"[a-z][a-z0-9]{0,40}(?:[-_.][a-z0-9]{1,40}){1,8}")
"""What a secret is called where it is kept, as in Compose's lists."""
_PART = re.compile(r"[^\s,][^,]{3,400}?(?=[ \t]*(?:,|\Z))")


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
    found_items = _items(text, begin.end()) if begin is not None else []
    return found_items or _entries(text, named)


def _items(text: str, at: int) -> list[Literal]:
    found: list[Literal] = []
    while len(found) < _MOST and (item := _ITEM.match(text, at)) is not None:
        found.append(Literal(item["v"], (item.span("v"),), item.end()))
        at = item.end()
    return found


def _entries(text: str, named: Named) -> list[Literal]:
    """Return what looks like keys below a name for many of them, with or without own names."""
    last = named.name.lower().replace("-", "_").rpartition("_")[2]
    if last not in _MANY and named.name.lower().replace("_", "")[-7:] not in _MANY:
        return []
    flow = _FLOW.match(text, named.end)
    if flow is not None:
        return [_at(part) for part in _PART.finditer(text, *flow.span("all")) if _is_key(part[0])]
    head = _HEAD.match(text, named.end)
    if head is None:
        return []
    found: list[Literal] = []
    margin, at = _margin(text, named.start), head.end()
    for _ in range(_MOST):
        entry = _ENTRY.match(text, at)
        line = entry or _NAME_ALONE.match(text, at)
        if line is None or not _is_below(line[0], margin):
            break
        if entry is not None and _is_key(entry["v"]):
            found.append(Literal(entry["v"], (entry.span("v"),), entry.end()))
        at = line.end()
    return found


def _at(part: re.Match[str]) -> Literal:
    return Literal(part[0], (part.span(),), part.end())


def _is_key(value: str) -> bool:
    return is_random(value) and not speaks_of_secrets(value) and not _OWN_NAME.fullmatch(value)


def _margin(text: str, start: int) -> int:
    """Return how far a name is from the beginning of its line."""
    line = text[text.rfind("\n", max(0, start - 200), start) + 1 : start]
    return len(line) - len(line.lstrip(" \t\"'"))


def _is_below(line: str, margin: int) -> bool:
    words = line.lstrip(" \t")
    indent = len(line) - len(words)
    return indent > margin or (indent == margin and words.startswith("- "))
