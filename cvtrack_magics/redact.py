"""Removes credentials from text before it is recorded."""

from __future__ import annotations

import re

from cvtrack_magics.text import kind_of, text_of

_URL_CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)[^\s/@'\"]+@")
_URL_SECRET_PARAMETER = re.compile(
    r"(?P<key>[?&](?:[\w\-]*(?:token|secret|password|passwd|signature|api[_\-]?key|sig))=)[^&\s'\"#]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Remove user names, passwords and tokens from every URL in a text.

    Parameters
    ----------
    text : str
        Any text; URLs may stand anywhere in it.

    Returns
    -------
    str
        ``https://user:token@host/x?api_key=abc`` becomes
        ``https://host/x?api_key=***``. The part before ``@`` is dropped whole,
        because a token is often given as the user name. A plain ``git@host:path``
        has no secret and stays.
    """
    text = _URL_CREDENTIALS.sub(r"\g<scheme>", text)
    return _URL_SECRET_PARAMETER.sub(r"\g<key>***", text)


def in_one_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of an error's message without credentials, or its class."""
    line = text_of(error).strip().split("\n", 1)[0][: 20 * limit]
    return redact(line)[:limit] or kind_of(error)


def kind_and_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's class and the first line of its message, without credentials."""
    kind, line = kind_of(error), in_one_line(error, limit)
    return kind if line == kind else f"{kind}: {line}"
