"""Passwords of networks and their devices, by the line that they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.clients import Form
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder, is_random
from cvtrack_magics.secrets.spans import Span

_WORD = r"[\"']?(?P<v>[^\s\"'$<{\[][^\s\"']{3,200})"
_GRANT = r"[ \t](?:[~&+%]\S|-@|all(?:keys|commands|channels))"

FORMS: tuple[Form, ...] = (
    *(  # targets of iSCSI
        (f"{whose} ", "password", rf"{whose}[ \t]{{1,8}}[^\s\"']{{1,100}}[ \t]{{1,8}}{_WORD}", True)
        for whose in ("incominguser", "outgoinguser", "IncomingUser", "OutgoingUser")
    ),
    *(  # IPsec
        (f": {kind} ", "password", rf": {kind} [^\"\n]{{0,60}}\"(?P<v>[^\"\n]{{4,200}})\"", False)
        for kind in ("EAP", "XAUTH", "NTLM")
    ),
    *(  # SNMP
        (f"{name} ", "password", rf"{name}[ \t]{{1,8}}{_WORD}", True)
        for name in ("rocommunity", "rwcommunity", "rocommunity6", "rwcommunity6")
    ),
    ("snmp-server community ", "password", rf"snmp-server community[ \t]{{1,4}}{_WORD}", True),
    ("snmp-server host ", "password", rf"snmp-server host \S{{1,60}} version 2c {_WORD}", True),
    # routers
    ("secret ", "password", r"secret[ \t]{1,3}[0589][ \t]{1,3}\$?(?P<v>[^\s\"'<{\[]{5,200})", True),
    ("authentication-key ", "password", rf"authentication-key (?:[07] )?{_WORD}", True),
    ("-digest-key ", "password", rf"-digest-key \d{{1,3}} md5 (?:[07] )?{_WORD}", True),
    ("key-string ", "password", rf"key-string (?:[07] )?{_WORD}", True),
    ("-server key ", "password", rf"-server key (?:[07] )?{_WORD}", True),
    ("isakmp key ", "password", rf"isakmp key (?:[06] )?{_WORD} address", False),
    *(  # users of Redis
        (
            f"{name} ",
            "password",
            rf"{name}(?=[^\n]{{0,400}}?{_GRANT})[ \t]{{1,4}}[^\s>]{{1,64}}"
            rf"(?:[ \t]{{1,4}}[^\s>]{{1,80}}){{0,8}}?"
            rf"[ \t]{{1,4}}(?:on|off|reset|[~&+][^\s>]{{1,80}})"
            r"(?:[ \t]{1,4}[^\s>]{1,80}){0,8}?[ \t]{1,4}>(?P<v>[^\s>\"']{4,200})",
            True,
        )
        for name in ("user", "SETUSER", "setuser")
    ),
)
"""Anchor, label, pattern at the anchor, and whether the value has to look like a key."""

_SAS = re.compile(r"(?:\A|[?&; \t])(?:sv|se|st|sp|sr|ss|srt|spr|skn|skoid|api-version)=")
_SIGNATURE = re.compile(r"sig=(?P<v>[A-Za-z0-9%+/_\-]{6,200}={0,2})")
_REACH = 400
_ENDS = re.compile(r"[\n\"'<>`]")
_OF_PPP = re.compile(
    r"(?:^|(?<=[\"']))[ \t]{0,16}(?:\"[^\"\n]{1,80}\"|[^\s\"'#*=(),;]{1,80})[ \t]{1,40}"
    r"(?:\*|[\w.\-]{1,60})[ \t]{1,40}(?:\"(?P<q>[^\"\n]{4,200})\"|(?P<b>[^\s\"']{4,200}))"
    r"[ \t]{1,40}(?:\*|(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?)[ \t]{0,8}(?=\r?$|[\"'])",
    re.MULTILINE,
)
_OF_A_USER = re.compile(
    r"(?:^|(?<=[\"']))[ \t]{0,16}[^\s\"'#*=(),;]{1,80}[ \t]{1,40}(?:chap|pap|CHAP|PAP|eap|EAP)"
    r"[ \t]{1,40}\*[ \t]{1,40}[\"']?(?P<v>[^\s\"']{4,200})[ \t]{0,8}(?=\r?$|[\"'])",
    re.MULTILINE,
)
_NOTHING_GRANTED = re.compile(
    r"(?:[Uu]ser|USER)[ \t]{1,4}[^\s>]{1,64}[ \t]{1,4}(?:on|off)[ \t]{1,4}>(?P<v>[^\s>\"']{8,200})"
)
"""A user of Redis without a grant reads like a shell's line that writes to a file."""
_IDENTIFIER = re.compile(r"[\w.]+")


def find_in_networks(text: str) -> Iterator[Span]:
    """Find Azure's signatures of any length, and lines that name a user and a password."""
    at = text.find("sig=")
    while at >= 0:
        match = _SIGNATURE.match(text, at)
        if match is not None and _is_of_a_grant(text, *match.span()) and is_mixed(match["v"]):
            yield Span(*match.span("v"), "azure-sas")
        at = text.find("sig=", at + 4)
    if " *" in text or "\t*" in text:
        for line in _OF_PPP.finditer(text):
            which = "q" if line["q"] is not None else "b"
            if _is_of_ppp(line[which], is_quoted=which == "q"):
                yield Span(*line.span(which), "password")
        for line in _OF_A_USER.finditer(text):
            if _is_of_ppp(line["v"], is_quoted=False):
                yield Span(*line.span("v"), "password")
    if " >" in text:
        for line in _NOTHING_GRANTED.finditer(text):
            if is_random(line["v"]) and not is_placeholder(line["v"]):
                yield Span(*line.span("v"), "password")


def _is_of_a_grant(text: str, start: int, end: int) -> bool:
    """Whether what stands around a signature says what it grants, and until when."""
    if start and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        return False
    if text[start - 1 : start] not in ("?", "&") and text[end : end + 1] != "&":
        return False
    before = _ENDS.split(text[max(0, start - _REACH) : start])[-1]
    after = _ENDS.split(text[end : end + _REACH])[0]
    return bool(_SAS.search(before) or _SAS.search(after))


def _is_of_ppp(value: str, *, is_quoted: bool) -> bool:
    if is_placeholder(value) or not is_mixed(value) or not any(c.isdigit() for c in value):
        return False
    return is_quoted or not _IDENTIFIER.fullmatch(value) or is_random(value)
