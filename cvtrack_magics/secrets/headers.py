"""Credentials in headers, command lines and calls that have no telling name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.clients import FORMS, Form
from cvtrack_magics.secrets.clients import STRING as _STRING
from cvtrack_magics.secrets.connectors import GAP as _GAP
from cvtrack_magics.secrets.network import FORMS as _OF_NETWORKS
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.spans import Span

_FORMS: tuple[Form, ...] = (
    (
        "uthorization",
        "authorization",
        r"uthorization\\?[\"']?\]?[ \t]{0,4}[:=,][ \t]{0,4}[fbr]?\\?[\"']?"
        r"(?:(?:Bearer|Basic|[Tt]oken|ApiKey|Key|bearer|basic)[ \t]{1,4})?"
        r"(?P<v>[\w\-.~+/=]{8,2048})",
        True,
    ),
    (
        "UTHORIZATION",
        "authorization",
        r"UTHORIZATION[ \t]{0,4}[:=][ \t]{0,4}(?:[Bb]asic|[Bb]earer|BASIC|BEARER)[ \t]{1,4}"
        r"(?P<v>[\w\-.~+/=]{8,2048})",
        True,
    ),
    ("earer ", "bearer", r"earer[ \t]{1,4}(?P<v>[\w\-.~+/=]{16,2048})", True),
    (
        "auth",
        "password",
        rf"auth[\"']?[ \t]{{0,2}}[:=][ \t]{{0,2}}\[?{_GAP}"
        rf"\({_GAP}[^()\n,]{{1,100}},{_GAP}{_STRING}",
        False,
    ),
    ("Auth(", "password", rf"Auth\({_GAP}[^()\n,]{{1,100}},{_GAP}{_STRING}", False),
    (
        "set_password(",
        "password",
        rf"set_password\([^()\n,]{{1,80}},{_GAP}[^()\n,]{{1,80}},{_GAP}{_STRING}",
        False,
    ),
    (
        "ookie",
        "cookie",
        r"ookie\\?[\"']?\]?[ \t]{0,4}[:=,][ \t]{0,4}[fbr]?\\?[\"']?"
        r"(?P<v>[\w\-.]{1,64}=[^\s\"'][^\n\"']{7,2048})",
        True,
    ),
    (
        "cookies",
        "cookie",
        r"cookies[ \t]{0,4}=[ \t]{0,4}\{[ \t]{0,4}[\"'][^\"'\n]{1,64}[\"'][ \t]{0,4}:[ \t]{0,4}"
        rf"{_STRING}",
        True,
    ),
    (
        "mysql",
        "password",
        r"mysql(?:dump|admin)?[ \t][^\n]{0,160}?[ \t]-p(?P<v>[^\s\"'\-][^\s\"']{3,200})",
        True,
    ),
    (
        "redis-cli ",
        "password",
        r"redis-cli [^\n]{0,120}?(?:-a|--pass)[ \t]{1,4}[\"']?(?P<v>[^\s\"'\-][^\s\"']{3,200})",
        True,
    ),
    ("pass:", "password", r"pass:(?P<v>[^\s\"']{4,200})", True),
    (
        "--auth",
        "password",
        r"--auth(?:=|[ \t]{1,4})[\"']?[^\s:\"']{1,64}:(?P<v>[^\s\"']{4,200})",
        True,
    ),
    (
        "http -a ",
        "password",
        r"http -a[ \t]{1,4}[\"']?[^\s:\"']{1,64}:(?P<v>[^\s\"']{4,200})",
        True,
    ),
    (
        ".login(",
        "password",
        rf"\.login\([^()\n,=]{{1,100}},[ \t]{{0,4}}{_STRING}[ \t]{{0,4}}\)",
        False,
    ),
    (".login(", "client-key", r"\.login\([ \t]{0,4}[\"'](?P<v>[\w\-]{16,200})[\"']", True),
    ("_auth_token(", "client-key", r"_auth_token\([\"'](?P<v>[\w\-]{16,200})[\"']", True),
    ("Token ", "client-key", r"(?<![\w\-])Token (?P<v>[\w\-]{20,200})", True),
    *(  # the two keys of S3 beside each other
        (
            kind,
            "secret",
            rf"{kind}[A-Z0-9]{{16}}[\"'],{_GAP}[bB]?[\"'](?P<v>[\w/+]{{16,40}})[\"']",
            True,
        )
        for kind in ("AKIA", "ASIA")
    ),
    (  # host, port, user, password
        "connect(",
        "password",
        rf"connect\({_GAP}[^()\n,=]{{1,100}},{_GAP}\d{{1,5}},{_GAP}[^()\n,=]{{1,100}},{_GAP}{_STRING}",
        True,
    ),
    *(  # host, user, password
        (
            f"{client}.connect(",
            "password",
            rf"{client}\.connect\({_GAP}[^()\n,=]{{1,100}},{_GAP}[^()\n,=]{{1,100}},{_GAP}{_STRING}",
            True,
        )
        for client in ("sql", "SQLdb", "connector", "mariadb")
    ),
    (
        "FTP",
        "password",
        rf"FTP(?:_TLS)?\({_GAP}[^()\n,=]{{1,100}},{_GAP}[^()\n,=]{{1,100}},{_GAP}{_STRING}",
        True,
    ),
    (  # driver, user, password
        "URL.create(",
        "password",
        rf"URL\.create\({_GAP}[^()\n,=]{{1,100}},{_GAP}[^()\n,=]{{1,100}},{_GAP}{_STRING}",
        True,
    ),
    ("hmac.new(", "secret", rf"hmac\.new\({_GAP}[bB]?{_STRING}", True),
    ("Fernet(", "secret", rf"Fernet\({_GAP}[bB]?{_STRING}", True),
    (
        "jwt.encode(",
        "secret",
        rf"jwt\.encode\({_GAP}(?:\{{[^{{}}]{{0,300}}\}}|[\w.]{{1,60}}),{_GAP}[bB]?{_STRING}",
        True,
    ),
    *(
        (
            f"{says} ",
            "password",
            rf"{says}[ \t]{{1,4}}(?:-n[ \t]{{1,4}})?[\"']?(?P<v>[^\s\"'|]{{4,200}})[\"']?"
            r"[ \t]{0,4}\|[ \t]{0,4}(?:sudo -S|docker login|gh auth|kinit|passwd|cryptsetup)",
            False,
        )
        for says in ("echo", "printf")
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
    (
        '"auth"',
        "docker-auth",
        r"\"auth\"[ \t]{0,4}:[ \t]{0,4}\"(?P<v>[A-Za-z0-9+/]{12,512}={0,2})\"",
        True,
    ),
    ('"key"', "secret", r"\"key\"[ \t]{0,4}:[ \t]{0,4}\"(?P<v>[0-9a-f]{32})\"[ \t]{0,4}\}", True),
)
_COOKIE = re.compile(r"(?:[\w\-.]{1,64}=)?(?P<v>[\w\-.%~+/=]{8,2048})")
_COMPILED = tuple(
    (a, label, re.compile(p), mixed) for a, label, p, mixed in (*_FORMS, *FORMS, *_OF_NETWORKS)
)


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
    if label == "cookie":
        parts = (_COOKIE.fullmatch(part.strip()) for part in value.split(";"))
        return any(part is not None and is_random(part["v"]) for part in parts)
    if label == "client-key":
        return is_random(value)
    return not mixed or (is_mixed(value) and any(c.isdigit() for c in value))
