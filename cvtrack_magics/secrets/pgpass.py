"""Lines of ``.pgpass``, whatever port the server listens on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder
from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.worth import is_word

_BEHIND_HOST = re.compile(
    r":(?P<port>\d{1,5}):(?P<db>[\w*\-]{1,64}):(?P<user>[\w.*\-@]{1,64}):"
    r"(?P<v>(?:\\.|[^\s\"':\\]){4,200})(?=[\s\"']|\Z)"
)
_HOST = re.compile(
    r"(?:^|(?<=[\s\"']))(?:(?P<sure>\*|localhost|(?:\d{1,3}\.){3}\d{1,3}|\[[0-9A-Fa-f:]{2,40}\]|"
    r"/[\w./\-]{1,120}postgres[\w./\-]{0,40})|[A-Za-z][\w\-]{0,63}(?:\.[\w\-]{1,63}){0,6})\Z"
)
_SOURCE = re.compile(r"\.(?:pyx?|c|cc|cpp|h|hpp|js|tsx?|go|rs|java|rb|log|md|txt|sh|ya?ml)\Z")
_LONGEST_HOST = 200
_SHORTEST_PORT = 4  # digits, where nothing else says that a name is a host's


def find_in_pgpass(text: str) -> Iterator[Span]:
    """Find the passwords of lines ``host:port:database:user:password``."""
    for line in _BEHIND_HOST.finditer(text):
        before = text[max(0, line.start() - _LONGEST_HOST) : line.start()]
        host = _HOST.search(before)
        value = line["v"]
        if host is None or _SOURCE.search(before) or is_placeholder(value):
            continue
        any_of_them = "*" in (line["db"], line["user"])
        if len(line["port"]) < _SHORTEST_PORT and (
            host["sure"] is None or (value.isalnum() and not any_of_them)
        ):  # a line of code, or of a server's log
            continue
        if line["db"].isdigit() or line["user"].isdigit():  # a line and a column of code
            continue
        if is_mixed(value) or (host["sure"] is not None and is_word(value)):
            yield Span(*line.span("v"), "password")
