"""Values whose name says that they are secret: in code, settings, shells and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from cvtrack_magics.secrets import connectors
from cvtrack_magics.secrets.names import FOREIGN, Strength, speaks_of_secrets, strength
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.spans import Span

_HINT = re.compile(
    r"pass|pwd|pw|secret|token|key|credential|kennwort|contrase[nñ]a|senha|wachtwoord|l[oö]senord|"
    r"has[lł]o|" + "|".join(FOREIGN)
)
_NAME_BEFORE = re.compile(r"[\w\-]{0,64}\Z")
_NAME_AFTER = re.compile(r"[\w\-]{0,64}")
_WORD_BEFORE = re.compile(r"(?<![\w\-.])[A-Za-z]{2,10}[ \t]\Z")
_LOGIN = re.compile(r"login\([^()\n]{0,60}\Z")
_SEGMENTS = re.compile(r"[a-z][a-z0-9_.\-]{0,60}(?:/[a-z0-9][a-z0-9_.\-]{0,60}){1,12}")
"""A name in a store of secrets, as in ``SecretId="prod/db/wandb2"``."""
_SHORTEST = 4
_LEAST_DIGITS = 6  # digits of a number that is a password; fewer are counts
_LEAST_LOOSE = 8  # characters of a value that nothing but its nearness to a name gives away

Place = Literal["url", "shell", "setting", "flag", "code", "near"]
"""Where a value without quotes stands, which says how much it has to look like a secret."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A name in a text that promises a secret."""

    start: int
    end: int
    kind: Strength
    name: str
    flag: bool = False


def find_assigned(text: str, strict: bool = False) -> Iterator[Span]:
    """Find values under names that say secret.

    Parameters
    ----------
    text : str
        Code, settings, command lines, messages: any text.
    strict : bool
        Also values that are words, short, or look chosen.
    """
    # the same length: only this letter grows when it is made small
    low = text.replace("İ", "I").lower()
    done = 0
    for hint in _HINT.finditer(low):
        if hint.start() < done:
            continue
        before = _NAME_BEFORE.search(text, max(done, hint.start() - 64), hint.start())
        start = before.start() if before else hint.start()
        after = _NAME_AFTER.match(text, hint.end())
        end = done = after.end() if after else hint.end()
        named = _named(text, start, end)
        if named is not None:
            for found in _values(text, named, strict):
                yield found
                done = max(done, found.end)


def _named(text: str, start: int, end: int) -> _Named | None:
    name = text[start:end].strip("-")
    flag = "--" in (text[start : start + 2], text[start - 2 : start])
    kind = strength(name) or _kind_in_place(text, start, end, name)
    if kind:
        return _Named(start, end, kind, name, flag)
    before = _WORD_BEFORE.search(text, max(0, start - 12), start)  # as in "API key: …"
    if before is not None:
        kind = strength(f"{before.group().strip()}_{name}")
    return _Named(before.start(), end, kind, name, flag) if kind and before else None


def _kind_in_place(text: str, start: int, end: int, name: str) -> Strength:
    """Say what a word promises that is one of many uses: ``key``, ``pass`` and ``pw``."""
    if name == "key" and _LOGIN.search(text[max(0, start - 70) : start]):
        return "key"
    if name == "pass" and text[end : end + 1] in ('"', "'"):
        return "key"
    return "key" if name in ("pass_", "pw") else ""


def _values(text: str, named: _Named, strict: bool) -> Iterator[Span]:
    if named.flag and (gap := connectors.FLAG.match(text, named.end)) is not None:
        yield from _literal_or_bare(text, gap.end(), named, "flag", strict)
        return
    answer = _answer(text, named)
    if answer is not None:
        yield from _counted([answer], named, strict, loose=True)
        return
    entry = _entry(text, named)
    if entry:
        yield from _literal_or_bare(text, entry, named, "setting", strict)
        return
    several = connectors.of_several(text, named.start)
    if several is not None:
        yield from _counted([several], named, strict)
        return
    tail = connectors.TAIL.match(text, named.end)
    if tail is None:
        yield from _without_operator(text, named, strict)
    elif tail["op"] == ",":
        yield from _next_argument(text, named, tail, strict)
    else:
        yield from _given(text, named, tail, strict)


def _answer(text: str, named: _Named) -> connectors.Literal | None:
    """Return the text that a function of this name returns, or that a branch for it gives."""
    before = text[max(0, named.start - 30) : named.start]
    if connectors.FUNCTION.search(before):
        gap = connectors.RETURNED.match(text, named.end)
    elif connectors.BRANCH.search(before):
        gap = connectors.TAKEN.match(text, named.end)
    else:
        return None
    return connectors.literal(text, gap.end()) if gap is not None else None


def _entry(text: str, named: _Named) -> int:
    """Return where the value stands of a name that is an entry's own ``name``; 0 if it is none."""
    if connectors.ENTRY.search(text[max(0, named.start - 20) : named.start]) is None:
        return 0
    gap = connectors.ITS_VALUE.match(text, named.end)
    return gap.end() if gap is not None else 0


def _given(text: str, named: _Named, tail: re.Match[str], strict: bool) -> Iterator[Span]:
    """Yield what is assigned to a name, stands under it as a key, or is compared with it."""
    block = connectors.BLOCK.match(text, named.end)
    if block is not None:
        yield from _bare(text, block.end(), named, "setting")
        return
    at, opened = tail.end(), bool(tail["opened"])
    broken = "\n" in tail.group()
    if (broken and tail["op"] == ":" and not tail["close"]) or (
        tail["op"] == "value=" and not tail["close"]
    ):
        return  # what follows is a block
    texts = list(connectors.literals(text, at, opened=opened))
    if not texts and tail["op"].endswith("="):
        otherwise = connectors.OTHERWISE.match(text, tail.end("op"))
        if otherwise is not None:
            texts = list(connectors.literals(text, otherwise.end(), opened=False))
    if texts:
        yield from _counted(texts, named, strict)
    elif not broken and not opened:
        yield from _bare(text, at, named, _place(text, named, tail))


def _next_argument(text: str, named: _Named, tail: re.Match[str], strict: bool) -> Iterator[Span]:
    """Yield what stands behind a quoted name and a comma."""
    if not tail["close"]:
        return
    sure = named.flag or bool(
        connectors.SETTER.search(text[max(0, named.start - 90) : named.start])
    )
    found = connectors.literal(text, tail.end(), lines=True)
    if found is not None and not found.value.startswith("-"):
        yield from _counted([found], named, strict, loose=not sure)
        return
    default = connectors.DEFAULT.match(text, tail.end()) if named.flag else None
    if default is not None:
        yield from _counted(connectors.literals(text, default.end(), opened=False), named, strict)


def _without_operator(text: str, named: _Named, strict: bool) -> Iterator[Span]:
    """Yield what a message, a table or a markup says beside a name."""
    element = connectors.ELEMENT.match(text, named.end)
    if element is not None and text[named.start - 1 : named.start] == "<":
        if _counts(element["v"], named, strict):
            yield Span(element.start("v"), element.end("v"), _label(named))
        return
    is_call = named.kind == "password" and text.startswith("(", named.end)
    argument = connectors.literal(text, named.end + 1) if is_call else None
    if argument is not None and "@" not in argument.value:
        yield from _counted([argument], named, strict, loose=True)  # set_password("…")
        return
    said = connectors.SAID.match(text, named.end)
    if said is None:
        return
    found = connectors.literal(text, said.end())
    if found is not None:
        yield from _counted([found], named, strict, loose=True)
    elif connectors.SET_BY_SPACE.search(text[max(0, named.start - 24) : named.start]):
        yield from _bare(text, said.end(), named, "shell")
    else:
        yield from _bare(text, said.end(), named, "near")


def _literal_or_bare(
    text: str, at: int, named: _Named, place: Place, strict: bool
) -> Iterator[Span]:
    found = connectors.literal(text, at)
    if found is None:
        yield from _bare(text, at, named, place)
    else:
        yield from _counted([found], named, strict)


def _counted(
    texts: Iterable[connectors.Literal],
    named: _Named,
    strict: bool,
    *,
    loose: bool = False,
) -> Iterator[Span]:
    for found in texts:
        if _counts(found.value, named, strict, loose=loose):
            yield from (Span(start, end, _label(named)) for start, end in found.places)


def _counts(value: str, named: _Named, strict: bool, *, loose: bool = False) -> bool:
    if is_placeholder(value) or value.lower() == named.name.lower():
        return False
    if strict:
        return len(value) >= 3
    if any(c.isspace() for c in value) or _is_place(value) or _SEGMENTS.fullmatch(value):
        phrase = named.kind == "password" and "phrase" in named.name.lower()
        return phrase and len(value) > 15 and not loose
    if loose:
        return len(value) >= _LEAST_LOOSE and is_random(value) and not speaks_of_secrets(value)
    if named.kind == "password":
        return len(value) >= _SHORTEST and not _is_name(value)
    mixed = is_mixed(value) and any(c.isdigit() for c in value)
    return (
        len(value) >= 6 and mixed if named.kind == "key" else len(value) >= 10 and is_random(value)
    )


def _is_place(value: str) -> bool:
    """Say whether a value is a path or an address without credentials."""
    return value.startswith(("/", "~/", "./", "../")) or "://" in value


def _is_name(value: str) -> bool:
    """Say whether a value is a field's or variable's name, as in ``password_field="user_pw"``."""
    return bool(re.fullmatch(r"[a-z]+(?:[_\-][a-z]+)+|[A-Z][a-z]+:?|[a-z]{1,5}|.*:", value))


def _place(text: str, named: _Named, tail: re.Match[str]) -> Place:
    """Say where a bare value stands: in a shell, a URL, on a line of settings, or in code."""
    before = text[max(0, named.start - 24) : named.start]
    if before.endswith(("?", "&")):
        return "url"
    if tail["op"] == "=" and connectors.SHELL.search(before):
        return "shell"
    if connectors.LINE_START.search(before) and not tail["close"]:
        tight = tail["op"] == "=" and text[named.end] == "=" and not text[tail.end() - 1].isspace()
        if tight and named.name.isupper():
            return "shell"
        if tail["op"] == ":" and text[tail.end() - 1].isspace():
            return "setting"
    return "code"


def _bare(text: str, at: int, named: _Named, place: Place) -> Iterator[Span]:
    match = connectors.BARE.match(text, at)
    if match is None:
        return
    if len(named.name) > 4 and named.name.lower() in match.group().lower():  # self.ai21_api_key
        return
    if is_placeholder(match.group()):
        return
    value = match.group().rstrip(".:!?") if place == "near" else match.group()
    end = at + len(value)
    if (
        len(value) < _SHORTEST
        or value[0] in "-=:*"
        or _is_place(value)
        or text[end : end + 1] in ("(", "[")
    ):
        return
    if _is_number(value, named, place) or _is_bare_secret(text, value, end, named, place):
        yield Span(at, end, _label(named))


def _is_number(value: str, named: _Named, place: Place) -> bool:
    digits = value.isdigit() and place in ("code", "setting")
    return digits and named.kind == "password" and len(value) >= _LEAST_DIGITS


def _is_bare_secret(text: str, value: str, end: int, named: _Named, place: Place) -> bool:
    digit = any(c.isdigit() for c in value)
    if place == "url":
        return True
    if place == "shell":
        good = bool(connectors.LINE_END.match(text, end)) or is_random(value)
        return good and (digit or named.kind == "password")
    if place == "setting":
        good = bool(connectors.LINE_END.match(text, end)) and digit and not value.isdigit()
        return good and (named.kind == "password" or (is_mixed(value) and len(value) >= 8))
    if place == "flag":
        return len(value) >= 6 and digit and is_mixed(value)
    if place == "near":
        return named.kind != "token" and is_random(value)
    return is_random(value)


def _label(named: _Named) -> str:
    return {"password": "password", "key": "secret", "token": "token"}[named.kind]
