"""Tokens of known formats; the formats are data, in ``rules.toml``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder
from cvtrack_magics.secrets.spans import Span

_SAYS_KEY = re.compile(r"(?i)key|token|login|password|secret")


@dataclass(frozen=True, slots=True)
class Rule:
    """One format.

    Parameters
    ----------
    name : str
        Stands in the text in place of a token.
    anchors : tuple of str
        Every token holds one of these.
    pattern : re.Pattern
        Matched at an anchor, ``back`` characters before it at most; all its repetitions
        are limited.
    back : tuple of int
        How far before the anchor a token begins, at least and at most.
    near, run : int
        See ``rules.toml``.
    inside : bool
        Whether the anchor may stand behind a letter or digit.
    """

    name: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    back: tuple[int, ...] = ()
    near: int = 0
    run: int = 0
    inside: bool = False


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Return all formats."""
    # Named by text, because the standard library has it only since Python 3.11.
    toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    listed = toml.loads(Path(__file__).with_name("rules.toml").read_text("utf-8"))["rule"]
    return tuple(
        Rule(
            **{
                **entry,
                "anchors": tuple(entry["anchors"]),
                "back": tuple(entry.get("back", ())),
                "pattern": re.compile(entry["pattern"], re.ASCII),
            }
        )
        for entry in listed
    )


def find_tokens(text: str) -> Iterator[Span]:
    """Find tokens of known formats; one search for each anchor, and short matches there."""
    letters = set(text)
    for rule in rules():
        for anchor in rule.anchors:
            if not letters.issuperset(anchor):  # spares most searches of a strange text
                continue
            at = text.find(anchor)
            while at >= 0:
                after = at + len(anchor)
                found, end = _near(rule, text, after) if rule.near else _here(rule, text, at)
                if found is not None:
                    yield found
                # what was looked at in vain is not looked at again
                at = text.find(anchor, max(after, end))


def _here(rule: Rule, text: str, at: int) -> tuple[Span | None, int]:
    if rule.back:
        least, most = rule.back
        starts = [s for s in range(max(0, at - most), at - least + 1) if _begins(text, s)]
    else:
        starts = [at] if rule.inside or _begins(text, at) else []
    end = at
    for start in starts:
        match = rule.pattern.match(text, start)
        if match is not None:
            end = max(end, match.end())
            found = _checked(rule, match)
            if found is not None:
                return found, end
    return None, end


def _begins(text: str, at: int) -> bool:
    r"""Say whether a word begins here; ``\n`` in a string's own text ends in no letter of one."""
    if at == 0:
        return True
    before = text[at - 1]
    if before.isalnum():
        return at > 1 and text[at - 2] == "\\" and before in "ntr"
    return before not in "_-"


def _near(rule: Rule, text: str, after: int) -> tuple[Span | None, int]:
    end = text.find("\n", after, after + rule.near + 64)
    line = text[after : end if end >= 0 else after + rule.near + 64]
    for match in rule.pattern.finditer(line):
        before, value = line[: match.start()], match.group()
        if match.start() > rule.near:
            break
        if _SAYS_KEY.search(before) and is_mixed(value) and any(c.isdigit() for c in value):
            return Span(after + match.start(), after + match.end(), rule.name), after + match.end()
    return None, after


def _has_long_tail(value: str) -> bool:
    """Whether a prefix is followed by more letters in one piece than any word has."""
    tail = re.split("[-_]", value)[-1]
    return len(tail) >= 20 and tail != value and set(tail.lower()) != {"x"}


def _checked(rule: Rule, match: re.Match[str]) -> Span | None:
    group = "v" if "v" in match.re.groupindex else 0
    value = match.group(group)
    if is_placeholder(value) or not (is_mixed(value) or _has_long_tail(value)):
        return None
    if rule.run and not any(len(p) >= rule.run and is_mixed(p) for p in re.split("[-_]", value)):
        return None
    return Span(match.start(group), match.end(group), rule.name)
