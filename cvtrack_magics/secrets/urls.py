"""Credentials in URLs, in data source names, and in remotes as ssh writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder
from cvtrack_magics.secrets.spans import Span

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}\Z")
_WORD = re.compile(r"[^\s'\"<>`\\]{0,1024}")
_HOST = re.compile(r"(?:[\w\-]+\.)+[\w\-]+|localhost|\[[0-9a-f:]+\]|\{[^{}]*\}|[\w\-]+(?=[:/]|\Z)")
_PLAIN_HOST = re.compile(r"(?:[\w\-]+\.)+\w+(?::\d+)?|localhost(?::\d+)?|[\w\-]+:\d+")
_PORT = re.compile(r"\d{0,5}\Z")
_WEB = ("http", "https", "ws", "wss", "git+https", "git+http", "ftp", "git", "ssh", "git+ssh")
_SCP = re.compile(r"@[A-Za-z0-9][\w.\-]{0,100}:[\w./~\-]")
_SCP_BEFORE = re.compile(r"(?:\A|[\s'\"=(,])(?P<user>[\w.\-]{1,64}):(?P<v>[^\s:@/'\"=(,]{6,200})\Z")


def find_url_secrets(text: str) -> Iterator[Span]:
    """Find passwords and tokens in front of the host of each URL; looks at 1,024 characters."""
    at = text.find("://")
    while at >= 0:
        scheme = _SCHEME.search(text, max(0, at - 31), at)
        if scheme is not None:
            found = _in_url(text, at + 3, scheme.group().lower())
            if found is not None:
                yield found
        at = text.find("://", at + 3)


def find_userinfo(text: str) -> Iterator[tuple[int, int]]:
    """Find all that stands in front of each URL's host, with the ``@``; secret or not."""
    at = text.find("://")
    while at >= 0:
        scheme = _SCHEME.search(text, max(0, at - 31), at)
        end = _end_of_userinfo(_word(text, at + 3), scheme.group().lower()) if scheme else -1
        if end > 0:
            yield at + 3, at + 4 + end
        at = text.find("://", at + 3)


def _word(text: str, start: int) -> str:
    # a word ends where the next URL begins, so that no part is looked at twice
    following = text.find("://", start, start + 1027)
    match = _WORD.match(text, start, following if following >= 0 else len(text))
    return match.group() if match else ""


def _in_url(text: str, start: int, scheme: str) -> Span | None:
    word = _word(text, start)
    end = _end_of_userinfo(word, scheme)
    if end <= 0:
        return None
    user, colon, password = word[:end].partition(":")
    if colon:
        if not password or is_placeholder(password):
            # a token may stand in front of an empty password: https://TOKEN:@host
            return _as_user(user, start)
        return Span(start + len(user) + 1, start + end, "url-password")
    return _as_user(user, start)


def _as_user(user: str, start: int) -> Span | None:
    if len(user) >= 12 and is_mixed(user) and any(c.isdigit() for c in user):
        return None if is_placeholder(user) else Span(start, start + len(user), "url-token")
    return None


def _end_of_userinfo(word: str, scheme: str) -> int:
    """Return where the ``@`` in front of the host is, or -1.

    A password may hold ``/``, ``?``, ``#`` and ``@`` that were not escaped.
    """
    cut = min((i for i in map(word.find, "/?#") if i >= 0), default=len(word))
    authority, last = word[:cut], word.rfind("@")
    first = authority.rfind("@")
    if first >= 0:
        host = authority[first + 1 :]
        if last > cut and ":" in authority[:first] and not _PLAIN_HOST.fullmatch(host):
            return last if scheme not in _WEB or _HOST.match(word[last + 1 :]) else first
        return first
    if last < 0 or ":" not in authority or not _HOST.match(word[last + 1 :]):
        return -1
    return -1 if _PORT.match(authority.partition(":")[2]) else last


def find_remote_secrets(text: str) -> Iterator[Span]:
    """Find ``user:token@host:path``."""
    for match in _SCP.finditer(text):
        before = _SCP_BEFORE.search(text[max(0, match.start() - 270) : match.start()])
        if before is not None and not is_placeholder(before["v"]):
            end = match.start()
            yield Span(end - len(before["v"]), end, "url-password")
