"""Lines of settings, as INI, properties and files of variables have them, by their company."""

from __future__ import annotations

import re

_REACH = 1500  # characters back to the head of a section
_SECTION = re.compile(r"\n?\[{1,2}[A-Za-z][\w .:/@\-\"']{0,60}\]{1,2}[ \t]*\r?\n")
_LINES = re.compile(
    r"(?:[ \t]{0,16}(?:[#;!][^\n]{0,400}|[\w.\-/: ]{1,80}[=:][^\n]{0,400})?\r?\n){0,60}"
    r"[ \t]{0,16}(?:- )?[\w.\-]{0,80}\Z"
)
_OWNERS = re.compile(
    r"(?:\A|\n)[ \t]{0,8}(?P<first>[\w\-]{1,40})(?P<more>(?:\.[\w\-]{1,40}){0,6})\.[\w\-]{0,40}\Z"
)
_NAMED_SO = """
self cls args opts options cfg config conf params settings obj app c request req user kwargs
parser flags hparams ctx context env session client conn connection this me
"""
_OBJECTS = frozenset(_NAMED_SO.split())
"""What code calls an object; settings have other words before their dots."""
_TIGHT = re.compile(r"[ \t]{0,16}(?:export )?[\w.\-]{1,80}=[^\s(),=][^\n(),]{0,400}\r?(?:\n|\Z)")


_BEGINNING = re.compile(r"(?:\A|\n)[ \t]{0,16}(?:export[ \t])?[\w.\-]{0,80}\Z")


def is_at_beginning(text: str, start: int) -> bool:
    """Say whether nothing but a name's own beginning stands before it in its line."""
    return _BEGINNING.search(text, max(0, start - 110), start) is not None


def are_around(text: str, start: int, end: int, *, tight: bool) -> bool:
    """Say whether a name stands in settings and not in code.

    Parameters
    ----------
    text : str
        Any text.
    start, end : int
        The name, and the end of what is set.
    tight : bool
        Whether no space stands around its ``=``.
    """
    owners = _OWNERS.search(text, max(0, start - 200), start)
    if tight and owners is not None and owners["first"] not in _OBJECTS:
        return True
    return _in_section(text, start) or (tight and _among_alike(text, start, end))


def _in_section(text: str, start: int) -> bool:
    head = text.rfind("\n[", max(0, start - _REACH), start)
    if head < 0:
        head = 0 if text.startswith("[") and start < _REACH else -1
    if head < 0:
        return False
    section = _SECTION.match(text, head)
    return section is not None and bool(_LINES.match(text[section.end() : start]))


def _among_alike(text: str, start: int, end: int) -> bool:
    """Say whether the line before or behind is such a setting, and neither is anything else."""
    first = text.rfind("\n", max(0, start - 100), start)
    before = text.rfind("\n", max(0, first - 500), first) + 1 if first > 0 else -1
    after = text.find("\n", end, end + 200)
    lines = [text[before : first + 1]] if before >= 0 else []
    if after >= 0:
        behind = text.find("\n", after + 1, after + 500)
        lines.append(text[after + 1 : behind + 1 if behind >= 0 else after + 500])
    lines = [line for line in lines if line.strip()]
    return bool(lines) and all(_TIGHT.fullmatch(line) for line in lines)
