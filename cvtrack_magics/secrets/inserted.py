"""Rows of SQL's ``INSERT``, whose list of columns says which of their values is a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.names import strength
from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.worth import Named, counts

_COLUMNS = re.compile(
    r"(?i)insert\s{1,8}(?:or \w{1,10} )?into\s{1,8}[\w.`\"\[\]]{1,120}"
    r"\s{0,8}\((?P<names>[^()]{1,2000})\)\s{0,40}values\s{0,40}"
)
_VALUE = re.compile(
    r"\s{0,40}(?:(?P<call>\w{1,20}\()?'(?P<v>(?:[^'\n]|''){0,1024})'(?(call)\))|[^\s,()']{1,200})\s{0,40}(?P<end>[,)])"
)
_NEXT = re.compile(r"\s{0,8},\s{0,40}\(")
_MOST = 1000  # values of one statement


def find_inserted(text: str) -> Iterator[Span]:
    """Find values of columns whose name says secret."""
    for word in ("INSERT", "insert", "Insert"):
        at = text.find(word)
        while at >= 0:
            head = _COLUMNS.match(text, at)
            after = at + len(word)
            if head is not None:
                names = [name.strip(' \t\r\n`"[]') for name in head["names"].split(",")]
                kinds = {i: Named(0, 0, strength(name), name) for i, name in enumerate(names)}
                after = head.end()
                if any(named.kind for named in kinds.values()) and text.startswith("(", after):
                    yield from _rows(text, after + 1, kinds)
            at = text.find(word, after)


def _rows(text: str, at: int, kinds: dict[int, Named]) -> Iterator[Span]:
    column = 0
    for _ in range(_MOST):
        value = _VALUE.match(text, at)
        if value is None:
            return
        named = kinds.get(column)
        if value["v"] and named is not None and named.kind and counts(value["v"], named, False):
            yield Span(*value.span("v"), named.label)
        column, at = column + 1, value.end()
        if value["end"] == ")":
            more = _NEXT.match(text, at)
            if more is None:
                return
            column, at = 0, more.end()
