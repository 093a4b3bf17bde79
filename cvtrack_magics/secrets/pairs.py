"""A name and its value as two cells, two lines, or two words of a statement: no ``=`` between."""

from __future__ import annotations

import re

from cvtrack_magics.secrets import connectors, markup
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.worth import Named, counts, is_place, is_word

_BAR = "|│┃║"
_MARKS = r"[*_`]{0,3}"
_CELL = re.compile(
    rf"{_MARKS}[ \t]{{0,60}}(?:[{_BAR}]|(?P<tex>&))[ \t]{{0,40}}{_MARKS}"
    rf"(?P<v>[^\s{_BAR}`*&]{{4,400}}){_MARKS}[ \t]{{0,80}}(?(tex)\\\\|[{_BAR}])"
)
_FIRST_CELL = re.compile(
    rf"(?:\A|[\n\"']|\\n)(?:[\w:.\- \t]{{0,40}}[{_BAR}])?"
    rf"[ \t*_`]{{0,44}}(?:[^{_BAR}&\n]{{0,40}}[ *_`])?\Z"
)
_RULE = re.compile(r"[^\n]{0,400}\n[ \t]{0,16}[|│┃║├┠╟+][\s|:+\-─━═┼╋]{3}")
_MARKED = re.compile(
    rf"(?:[*_`]{{1,3}}[ \t]{{0,4}}[:=]|:[*_`]{{1,3}})[ \t]{{0,8}}{_MARKS}"
    rf"(?P<v>[^\s`*]{{4,400}}){_MARKS}[ \t]{{0,8}}(?:\r?\n|\Z)"
)
_LONE = r"(?P<v>[A-Za-z0-9+/_\-.~!@#$%^&*?]{8,1024}={0,2})"
_NEXT_LINE = re.compile(
    r"(?P<marks>[*_`]{0,3}[ \t]{0,2}[:=]?[*_`]{0,3})[ \t]{0,4}(?:\r?\n[ \t]{0,40}){1,2}[\"'`]?"
    rf"{_LONE}[\"'`]?,?[ \t]{{0,8}}(?:\r?\n|\Z)"
)
_NEXT_PRINTED = re.compile(  # print("Account key:"); print("…")
    r"(?P<marks>[ \t]{0,2}[:=])[ \t]{0,2}(?:\\n)?[\"']\)[ \t]{0,4};?\s{0,20}"
    rf"[\w.]{{1,40}}\([bruf]?[\"']{_LONE}[\"']"
)
_SETS = re.compile(
    r"(?:\((?:setq|setf|set!|def|define|defvar|defconst|defparameter|defonce)|#define|"
    r"(?:\A|[\n;{])[ \t]{0,16}(?:set|local|global|dict set \w{1,40}|variable|const))"
    r"[ \t]{1,8}(?:[*:$]{0,3}|[\w:]{1,40}\()\Z"
)
_WORDS = re.compile(r"[*)]?[ \t]{1,40}(?:\.[ \t]{1,4}|(?:is|was|lautet|ist|est)[ \t:]{1,4})?")
_BRACED = re.compile(r"\)?[ \t]{1,8}\{(?P<v>[^{}\s]{4,400})\}")
_PAIR = re.compile(
    r"(?:\{[ \t]{0,4}:?|[\[,(]\s{0,8}[(\[][bu]?[\"']|[Dd]?efine\([\"']?|put\([\"'])\Z"
)
_SECOND = re.compile(r"[\"']?[ \t]{0,4},[ \t]{0,4}(?:<<(?=\"))?(?:atom\()?")
_PAIR_ENDS = re.compile(r"(?:/utf8)?(?:>>)?[ \t]{0,4}[)\]}]")


def beside(text: str, named: Named) -> connectors.Literal | None:
    """Return what stands beside or below a name as its value, where that looks like one."""
    return (
        _in_table(text, named)
        or _below(text, named)
        or _second(text, named)
        or _stated(text, named)
    )


def _in_table(text: str, named: Named) -> connectors.Literal | None:
    cell = _CELL.match(text, named.end)
    if cell is not None:
        before = text[max(0, named.start - 110) : named.start]
        if not _FIRST_CELL.search(before) or _RULE.match(text, cell.end()):
            return None
    found = cell or markup.cell(text, named.start, named.end) or _MARKED.match(text, named.end)
    return _one(found) if found is not None and _is_value(found["v"], named) else None


def _below(text: str, named: Named) -> connectors.Literal | None:
    found = _NEXT_LINE.match(text, named.end) or _NEXT_PRINTED.match(text, named.end)
    if found is None or is_place(found["v"]) or is_placeholder(found["v"]):
        return None
    value = found["v"]
    if named.kind == "password":
        sure = bool(found["marks"].strip()) and is_random(value) and "=" not in value
    else:
        sure = len(value) >= 16 and is_random(value)
    return _one(found) if sure else None


def _second(text: str, named: Named) -> connectors.Literal | None:
    """Return the second of a pair, as ``("password", "…")`` and ``{password, <<"…">>}`` are."""
    if _PAIR.search(text[max(0, named.start - 24) : named.start]) is None:
        return None
    gap = _SECOND.match(text, named.end)
    found = connectors.literal(text, gap.end()) if gap is not None else None
    if found is None or not _PAIR_ENDS.match(text, found.end):
        return None
    return found if _is_value(found.value, named) else None


def _stated(text: str, named: Named) -> connectors.Literal | None:
    """Return a quoted text that only a space parts from its name, as in ``set password "…"``."""
    sets = _SETS.search(text[max(0, named.start - 60) : named.start]) is not None
    braced = _BRACED.match(text, named.end) if sets else None
    if braced is not None:
        return _one(braced) if _is_value(braced["v"], named) else None
    if not sets and named.kind != "password":
        return None
    gap = _WORDS.match(text, named.end)
    found = connectors.literal(text, gap.end()) if gap is not None else None
    return found if found is not None and _is_value(found.value, named) else None


def _is_value(value: str, named: Named) -> bool:
    if not counts(value, named, strict=False) or is_place(value):
        return False
    if named.kind != "password":
        return True
    return is_word(value) or (is_mixed(value) and any(map(str.isdigit, value)) and " " not in value)


def _one(match: re.Match[str]) -> connectors.Literal:
    return connectors.Literal(match["v"], (match.span("v"),), match.end())
