"""Values whose name says that they are secret: in code, settings, shells and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cvtrack_magics.secrets.names import Strength, strength
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.spans import Span

_HINT = re.compile(r"passw|passphrase|pwd|secret|token|key|credential")
_NAME_BEFORE = re.compile(r"[\w\-]{0,64}\Z")
_NAME_AFTER = re.compile(r"[\w\-]{0,64}")
_TAIL = re.compile(
    r"(?P<close>\\?[\"'])?[ \t]{0,4}\]?[ \t]{0,8}"
    r"(?P<op>(?::[ \t]{0,4}[A-Za-z_][\w.\[\]| ]{0,40})?[=!]?=|:=|=>|:(?![:=])|,)[ \t]{0,8}"
    r"(?:(?:pydantic\.)?(?:SecretStr|SecretBytes|Secret|str|bytes|quote_plus|quote)\()?"
)
_FLAG = re.compile(r"(?:[ \t]{1,3}|=)")
_QUOTED = re.compile(
    r"(?P<prefix>[rRbBuUfF]{0,2})(?P<quote>\"\"\"|'''|\\?[\"'])(?P<v>[^\n\"']{1,2048})(?P=quote)"
)
_QUOTED_BOTH = re.compile(
    r"(?P<prefix>[rRbBuUfF]{0,2})(?P<quote>[\"'])(?P<v>(?:\\.|(?!(?P=quote))[^\n\\]){1,2048})(?P=quote)"
)
_BARE = re.compile(r"[^\s\"'`,;&)(\[\]{}<>|\\]{4,1024}")
_SETTER = re.compile(
    r"(?:setdefault|setenv|putenv|getenv|environ\.get|set_env|set_secret|set_key|set_password)"
    r"\([ \t]{0,4}[\"']\Z"
)
_SHELL = re.compile(
    r"(?:^|[\s!;\"'])(?:export|%env|%set_env|ENV|ARG|setx?|-e|--env|--build-arg|env)[ \t]{1,4}\Z"
)
_LINE_START = re.compile(r"(?:\A|\n)[ \t]{0,16}(?:- )?\Z")
_LINE_END = re.compile(r"[ \t]{0,8}(?:#[^\n]{0,200})?(?:\r?\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Named:
    """A name in a text that promises a secret."""

    start: int
    end: int
    kind: Strength
    name: str


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
        name = text[start:end].strip("-")
        kind = strength(name) or _kind_in_place(text, start, name)
        if kind:
            found = _value(text, _Named(start, end, kind, name), strict)
            if found is not None:
                yield found
                done = max(done, found.end)


def _kind_in_place(text: str, start: int, name: str) -> Strength:
    """Say what a plain ``key`` promises: a lot in the call of a login."""
    if name == "key" and re.search(r"login\([^()\n]{0,60}\Z", text[max(0, start - 70) : start]):
        return "key"
    return ""


def _value(text: str, named: _Named, strict: bool) -> Span | None:
    flag = (
        text[named.start : named.start + 2] == "--" or text[named.start - 2 : named.start] == "--"
    )
    tail = _TAIL.match(text, named.end)
    if flag:
        gap = _FLAG.match(text, named.end)
        if gap is not None:
            return _literal(text, gap.end(), named, strict) or _bare(text, gap.end(), named, "flag")
    if tail is None:
        return None
    if tail["op"] == ",":
        if not _SETTER.search(text[max(0, named.start - 40) : named.start]):
            return None
        return _literal(text, tail.end(), named, strict)
    found = _literal(text, tail.end(), named, strict)
    return found or _bare(text, tail.end(), named, _place(text, named, tail))


def _literal(text: str, at: int, named: _Named, strict: bool) -> Span | None:
    match = _QUOTED.match(text, at) or _QUOTED_BOTH.match(text, at)
    if match is None:
        return None
    value = match["v"]
    if not _counts(value, named, strict):
        return None
    return Span(match.start("v"), match.end("v"), _label(named))


def _counts(value: str, named: _Named, strict: bool) -> bool:
    if is_placeholder(value) or value.lower() == named.name.lower():
        return False
    if strict:
        return len(value) >= 3
    spaced = any(c.isspace() for c in value)
    if spaced or _is_place(value):
        return named.kind == "password" and "phrase" in named.name.lower() and len(value) > 15
    if named.kind == "password":
        return len(value) >= 4 and not _is_name(value)
    if named.kind == "key":
        return len(value) >= 6 and is_mixed(value) and any(c.isdigit() for c in value)
    return len(value) >= 10 and is_random(value)


def _is_place(value: str) -> bool:
    """Say whether a value is a path or an address without credentials."""
    return value.startswith(("/", "~/", "./", "../")) or "://" in value


def _is_name(value: str) -> bool:
    """Say whether a value is a field's or variable's name, as in ``password_field="user_pw"``."""
    return bool(re.fullmatch(r"[a-z]+(?:[_\-][a-z]+)+|[A-Z][a-z]+:?|[a-z]{1,5}|.*:", value))


def _place(text: str, named: _Named, tail: re.Match[str]) -> str:
    """Say where a bare value stands: in a shell, a URL, on a line of settings, or in code."""
    before = text[max(0, named.start - 24) : named.start]
    if before.endswith(("?", "&")):
        return "url"
    if tail["op"] == "=" and _SHELL.search(before):
        return "shell"
    if _LINE_START.search(before) and not tail["close"]:
        tight = tail["op"] == "=" and text[named.end] == "=" and not text[tail.end() - 1].isspace()
        if tight and named.name.isupper():
            return "shell"
        if tail["op"] == ":" and text[tail.end() - 1].isspace():
            return "setting"
    return "code"


def _bare(text: str, at: int, named: _Named, place: str) -> Span | None:
    match = _BARE.match(text, at)
    if match is None or is_placeholder(match.group()):
        return None
    value, end = match.group(), match.end()
    if value[0] in "-=:*" or _is_place(value) or text[end : end + 1] in ("(", "["):
        return None
    digit = any(c.isdigit() for c in value)
    if place == "url":
        good = True
    elif place == "shell":
        good = bool(_LINE_END.match(text, end)) or is_random(value)
        good = good and (digit or named.kind == "password")
    elif place == "setting":
        good = bool(_LINE_END.match(text, end)) and digit and not value.isdigit()
        good = good and (named.kind == "password" or (is_mixed(value) and len(value) >= 8))
    elif place == "flag":
        good = len(value) >= 6 and digit and is_mixed(value)
    else:
        good = is_random(value)
    return Span(at, end, _label(named)) if good else None


def _label(named: _Named) -> str:
    return {"password": "password", "key": "secret", "token": "token"}[named.kind]
