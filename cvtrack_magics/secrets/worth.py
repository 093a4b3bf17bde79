"""How much a value has to look like a secret, by its name and by where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cvtrack_magics.secrets import connectors
from cvtrack_magics.secrets.names import Strength, is_pin, speaks_of_secrets, strength, words_of
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random

_SEGMENTS = re.compile(r"[a-z][a-z0-9_.\-]{0,60}(?:/[a-z0-9][a-z0-9_.\-]{0,60}){1,12}")
"""A name in a store of secrets, as in ``SecretId="prod/db/wandb2"``."""
_SHORTEST = 4
_LEAST_DIGITS = 6  # digits of a number that is a password; fewer are counts
_LEAST_PIN = 4
_LEAST_LOOSE = 8  # characters of a value that nothing but its nearness to a name gives away
_LEAST_PHRASE = 8
_WORD = re.compile(r"[A-Za-z][\w!@#$%^&*+\-]{5,100}")
_ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+:[A-Za-z_][\w.]*")  # package.module:Name
_CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]*)+")
_COMMON = """
a an and any are as at be been by can click could did do does enter for from has have here if in
into is it its may more most must no not of on only or please put see select set should so than
that the then there these this to too type up use used using was were when where which will with
you your again confirm email current field form label login message new name old prompt question
repeat user username value account file path attempts attempt left match matches
characters character digits digit letters long least short minimum maximum optional required
ask asked default string text int integer number float bool boolean object array list dict bytes
varchar char nvarchar binary secret hidden visible masked plain plaintext encrypted hashed base64
accepted added bad blank cancelled changed denied deleted disabled empty enabled error
expired failed failure false given good ignored incorrect invalid known locked matched mismatch
missing never nothing null ok okay pending protected provided received rejected removed reset
rotated sent skipped stored strong success true undefined unchanged unknown unset unused valid
verified warning weak wrong yes none nil input output getpass environ environment keyring vault
interactive keychain manual write admin read config settings request response length strength
policy check checks session cookie header query body random generated auto automatic keyword
function method class module property attribute column constant variable expression
"""
_SAID = frozenset(_COMMON.split())
"""Words of forms, messages, types and settings; one of them makes a text prose."""

Place = Literal["url", "shell", "setting", "flag", "code", "near"]
"""Where a value without quotes stands, which says how much it has to look like a secret."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a text that promises a secret."""

    start: int
    end: int
    kind: Strength
    name: str
    flag: bool = False
    certain: bool = False
    """Whether it stands in a file of settings."""

    @property
    def label(self) -> str:
        """What is written in place of the value."""
        return {"password": "password", "key": "secret", "token": "token"}[self.kind]


def counts(value: str, named: Named, strict: bool, *, loose: bool = False) -> bool:
    """Say whether a quoted value is a secret; ``loose`` where it only stands near the name."""
    if is_placeholder(value) or value.lower() == named.name.lower():
        return False
    if strict:
        return len(value) >= 3
    if any(c.isspace() for c in value):
        if named.name.lower().endswith("psk"):  # of a wireless network, which are often phrases
            return not loose and is_phrase(value)
        phrase = "phrase" in named.name.lower() and len(value) > 15
        return named.kind == "password" and not loose and (phrase or is_phrase(value))
    if is_place(value) or _SEGMENTS.fullmatch(value):
        return False
    return _looks_so(value, named, loose)


def _looks_so(value: str, named: Named, loose: bool) -> bool:
    if loose:
        return len(value) >= _LEAST_LOOSE and is_random(value) and not speaks_of_secrets(value)
    if named.kind == "password":
        return len(value) >= _SHORTEST and not is_name(value)
    mixed = is_mixed(value) and any(c.isdigit() for c in value)
    return (
        len(value) >= 6 and mixed if named.kind == "key" else len(value) >= 10 and is_random(value)
    )


def is_phrase(value: str) -> bool:
    """Say whether a text of several words is a password, and no sentence or label."""
    words = [word.strip(".,:;!?()[]'\"").lower() for word in value.split()]
    if not 2 <= len(words) <= 12 or len(value) < _LEAST_PHRASE:
        return False
    if not any(c.isalpha() for c in value) or set("=<>{}|\\\n") & set(value):
        return False
    return (
        _SAID.isdisjoint(words) and not speaks_of_secrets(value) and not any(map(strength, words))
    )


def is_word(value: str) -> bool:
    """Say whether a bare word may be a password, where only settings stand."""
    if not _WORD.fullmatch(value) or is_name(value) or _CAMEL.fullmatch(value) or value.isupper():
        return False
    return value.lower() not in _SAID and not speaks_of_secrets(value)


def is_place(value: str) -> bool:
    """Say whether a value is a path, an address without credentials, or an entry point."""
    if _ENTRY_POINT.fullmatch(value):
        return True
    return value.startswith(("/", "~/", "./", "../")) or "://" in value


def is_name(value: str) -> bool:
    """Say whether a value is a field's or variable's name, as in ``password_field="user_pw"``."""
    return bool(re.fullmatch(r"[a-z]+(?:[_\-][a-z]+)+|[A-Z][a-z]+:?|[a-z]{1,5}|.*:", value))


def is_number(value: str, named: Named, place: Place) -> bool:
    """Say whether a bare number is a password."""
    pin = is_pin(words_of(named.name))
    digits = value.isdigit() and (place in ("code", "setting") or pin)
    least = _LEAST_PIN if pin else _LEAST_DIGITS
    return digits and named.kind == "password" and len(value) >= least


def is_bare_secret(text: str, value: str, end: int, named: Named, place: Place) -> bool:
    """Say whether a value without quotes, which ends at a place, is a secret."""
    digit = any(c.isdigit() for c in value)
    if place in ("url", "shell"):
        good = bool(connectors.LINE_END.match(text, end)) or is_random(value) or is_word(value)
        return place == "url" or (good and (digit or named.kind == "password"))
    if place == "setting":
        long = digit and is_mixed(value) and len(value) >= 8
        word = is_word(value) and len(value) >= _LEAST_LOOSE
        good = (digit or word) if named.kind == "password" else long
        ends = bool(connectors.LINE_END.match(text, end)) or text.startswith("\\n", end)
        return good and ends and not value.isdigit()
    if place == "flag":
        given = named.kind == "password" and text[end - len(value) - 1] == "=" and is_word(value)
        return given or (len(value) >= 6 and digit and is_mixed(value))
    if place == "near":
        return named.kind != "token" and is_random(value)
    return is_random(value)
