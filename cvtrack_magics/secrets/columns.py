"""Columns of tables whose head says secret: CSV, its relatives, and tables as printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cvtrack_magics.secrets.names import strength
from cvtrack_magics.secrets.placeholders import is_mixed
from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.worth import Named, counts, is_word

_LONGEST_HEAD = 4096  # characters of a line that may be the head of a table
_NAME = re.compile(r"[\w.\-/#% ]{0,64}(?:\([\w.\-/#% ]{0,30}\))?")
_BEGINNINGS = """
import from def class return for if elif while with print del global nonlocal raise assert
lambda yield select insert update values where and or not the an in let var const
"""
_CODE = frozenset(_BEGINNINGS.split())
"""Words that begin a line of code or of prose, and no head of a table."""
_CELLS = {
    sign: re.compile(
        rf"[ ]{{0,40}}(?:\"(?P<quoted>(?:[^\"]|\"\"){{0,1024}})\"|"
        rf"(?P<bare>[^{re.escape(sign)}\r\n]{{0,4096}}))"
        rf"[ ]{{0,40}}(?P<end>{re.escape(sign)}|\r?\n|\Z)"
    )
    for sign in ",;\t|"
}
_RULE = re.compile(r"[\s|+:\-=]{0,4096}")
_PRINTED = re.compile(r"[ \t]*(?:[\w.\-/#%()]{1,64}(?:[ \t]+|\Z)){2,200}")
_WORD = re.compile(r"\S+")
_PLAIN = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[^\s()\[\]{}<>=,.'\"`:/\\]{6,200}")


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell of a row; ``loose`` where a space stands before it, as in prose."""

    start: int
    end: int
    text: str
    loose: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """What the head of a table says of its rows."""

    sign: str
    width: int
    columns: dict[int, Named]
    strict: bool


def find_columns(
    text: str, hints: Iterable[tuple[int, int]], *, strict: bool = False
) -> Iterator[Span]:
    """Find the cells of columns whose head says secret; of ``hints``, see `hinted`."""
    done = 0
    for first, last in hints:
        if first < done:
            continue
        start = text.rfind("\n", max(done - 1, first - _LONGEST_HEAD, 0), first) + 1
        end = text.find("\n", last, last + _LONGEST_HEAD)
        done = end + 1 if end >= 0 else last
        if end >= 0 and first - start < _LONGEST_HEAD:
            spans, done = _rows(text, start, done, strict)
            yield from spans


def _rows(text: str, start: int, after: int, strict: bool) -> tuple[list[Span], int]:
    """Return the secrets below a line, and where the table ends whose head it is."""
    line = text[start : after - 1]
    sign = max(_CELLS, key=line.count)
    if sign in line:
        row = _row(text[start:after], 0, sign)
        if row is None or row[1] != len(line) + 1:
            return [], after
        columns = _columns(row[0], sign)
        table = _Table(sign, len(row[0]), columns, strict)
        return _separated(text, after, table) if columns else ([], after)
    if line.split()[0].lower() in _CODE:
        return [], after
    if _PRINTED.fullmatch(line) and ("  " in line or line.startswith(" ")):
        return _aligned(text, line, after, strict)
    return [], after


def _row(text: str, at: int, sign: str, most: int = 1000) -> tuple[list[_Cell], int] | None:
    """Return the cells of a row and where the next one begins; None where it is no row.

    A row of more than ``most`` cells is none either: quotes may make one of a whole text.
    """
    cells: list[_Cell] = []
    while at < len(text) and len(cells) <= most + 2:
        match = _CELLS[sign].match(text, at)
        if match is None:
            return None
        group = "quoted" if match["quoted"] is not None else "bare"
        first, last = match.span(group)
        found = match[group]
        if group == "bare":
            last -= len(found) - len(found.rstrip())
        loose = sign == "," and text[at] == " "
        cells.append(_Cell(first, last, text[first:last], loose))
        at = match.end()
        if match["end"] != sign:
            break
    if sign == "|" and len(cells) > 2 and not cells[0].text and not cells[-1].text:
        cells = cells[1:-1]  # of Markdown
    return cells, at


def _columns(head: list[_Cell], sign: str) -> dict[int, Named]:
    """Return the columns of a head that say secret; none where it is no head."""
    names = [cell.text.removeprefix("\ufeff") for cell in head]
    first = names[0].split()[:1]
    if len(list(filter(None, names))) < 2 or (sign in ",;" and not names[-1]):
        return {}
    if (first and first[0].lower() in _CODE) or head[0].loose:
        return {}
    if not all(_NAME.fullmatch(name) and ".." not in name for name in names):
        return {}
    kinds = {at: strength(name.strip().replace(" ", "_")) for at, name in enumerate(names) if name}
    return {at: Named(0, 0, kind, names[at]) for at, kind in kinds.items() if kind}


def _separated(text: str, at: int, table: _Table) -> tuple[list[Span], int]:
    spans: list[Span] = []
    while at < len(text):
        rule = _RULE.match(text, at) if table.sign == "|" else None
        if rule is not None and text.startswith(("\n", "\r"), rule.end()):
            at = text.find("\n", rule.end()) + 1
        row = _row(text, at, table.sign, table.width)
        if row is None:
            break
        cells, after = row
        if len(cells) != table.width or _columns(cells, table.sign):
            break
        for column, named in table.columns.items():
            cell = cells[column]
            if _is_secret(cell, named, table.strict):
                spans.append(Span(cell.start, cell.end, named.label))
        at = after
    return spans, at


def _is_secret(cell: _Cell, named: Named, strict: bool) -> bool:
    value = cell.text
    if value.isdigit():
        return named.kind == "password" and len(value) >= 6
    if named.kind != "password":
        return counts(value, named, strict)
    if is_mixed(value) and any(c.isdigit() for c in value):
        return counts(value, named, strict)
    return not cell.loose and counts(value, named, strict) and (" " in value or is_word(value))


def _aligned(text: str, head: str, at: int, strict: bool) -> tuple[list[Span], int]:
    """Find the secrets of a table that was printed: each stands under the head of its column."""
    columns = {}
    words = list(_WORD.finditer(head))
    for word in words:
        kind = strength(word.group())
        if kind:
            columns[word.span()] = Named(0, 0, kind, word.group())
    spans: list[Span] = []
    while columns:
        end = text.find("\n", at, at + _LONGEST_HEAD)
        line = text[at : end if end >= 0 else at + _LONGEST_HEAD]
        found = list(_WORD.finditer(line))
        if not 0 <= len(found) - len(words) <= 1:  # one more where rows have numbers
            break
        for cell in found:
            under = (n for (a, b), n in columns.items() if cell.start() == a or cell.end() == b)
            for named in under:
                value = cell.group()
                if _PLAIN.fullmatch(value) and counts(value, named, strict):
                    spans.append(Span(at + cell.start(), at + cell.end(), named.label))
        if end < 0:
            break
        at = end + 1
    return spans, at
