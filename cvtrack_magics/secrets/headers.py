"""Credentials in headers, command lines and calls that have no telling name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.spans import Span

_STRING = r"[\"'](?P<v>[^\"'\n]{4,512})[\"']"
_FORMS: tuple[tuple[str, str, str, bool], ...] = (
    # anchor, label, pattern at the anchor, whether the value has to look like a key
    (
        "uthorization",
        "authorization",
        r"uthorization\\?[\"']?\]?[ \t]{0,4}[:=,][ \t]{0,4}[fbr]?\\?[\"']?"
        r"(?:(?:Bearer|Basic|[Tt]oken|ApiKey|Key|bearer|basic)[ \t]{1,4})?"
        r"(?P<v>[\w\-.~+/=]{8,2048})",
        True,
    ),
    ("earer ", "bearer", r"earer[ \t]{1,4}(?P<v>[\w\-.~+/=]{16,2048})", True),
    ("auth=(", "password", rf"auth=\([^()\n,]{{1,100}},[ \t]{{0,4}}{_STRING}", False),
    ("BasicAuth(", "password", rf"BasicAuth\([^()\n,]{{1,100}},[ \t]{{0,4}}{_STRING}", False),
    (
        ".login(",
        "password",
        rf"\.login\([^()\n,=]{{1,100}},[ \t]{{0,4}}{_STRING}[ \t]{{0,4}}\)",
        False,
    ),
    (
        "IDENTIFIED BY",
        "password",
        rf"IDENTIFIED BY[ \t]{{1,4}}{_STRING}",
        False,
    ),
    ("sshpass -p", "password", r"sshpass -p[ \t]{0,4}[\"']?(?P<v>[^\s\"']{4,200})", False),
    (
        "curl ",
        "password",
        r"curl [^\n]{0,200}?(?:-u|--user)[ \t=]{1,4}[\"']?[^\s:\"']{1,64}:(?P<v>[^\s\"']{4,200})",
        False,
    ),
    (
        "login ",
        "password",
        r"login [^\n]{0,120}?(?:-p|password)[ \t]{1,4}[\"']?(?P<v>[^\s\"'\-][^\s\"']{3,200})",
        True,
    ),
    ("_authToken=", "npm", r"_authToken=(?P<v>[^\s\"']{8,200})", True),
    (
        '"auth"',
        "docker-auth",
        r"\"auth\"[ \t]{0,4}:[ \t]{0,4}\"(?P<v>[A-Za-z0-9+/]{12,512}={0,2})\"",
        True,
    ),
    ('"key"', "secret", r"\"key\"[ \t]{0,4}:[ \t]{0,4}\"(?P<v>[0-9a-f]{32})\"[ \t]{0,4}\}", True),
)
_COMPILED = tuple((a, label, re.compile(p), mixed) for a, label, p, mixed in _FORMS)


def find_in_headers(text: str) -> Iterator[Span]:
    """Find credentials that a header, a command line or a call gives by place, not by name."""
    for anchor, label, pattern, mixed in _COMPILED:
        at = text.find(anchor)
        while at >= 0:
            match = pattern.match(text, at)
            after = at + len(anchor)
            if match is not None and _is_secret(match, label, mixed):
                yield Span(match.start("v"), match.end("v"), label)
                after = match.end("v")
            at = text.find(anchor, after)


def _is_secret(match: re.Match[str], label: str, mixed: bool) -> bool:
    value = match["v"]
    if is_placeholder(value):
        return False
    if label == "authorization":  # without a scheme it may be a call or a variable
        return is_random(value) or (
            " " in match.group().strip()
            and "." not in value
            and value.endswith("=")
            and is_mixed(value)
        )
    return not mixed or (is_mixed(value) and any(c.isdigit() for c in value))
