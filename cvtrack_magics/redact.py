"""Removes credentials from lines that are shown, and from addresses of stores."""

from __future__ import annotations

import os
import re

from cvtrack_magics.secrets.spans import disjoint, replaced
from cvtrack_magics.secrets.tokens import find_tokens
from cvtrack_magics.secrets.urls import find_remote_secrets, find_userinfo
from cvtrack_magics.text import kind_of, text_of

_URL_SECRET_PARAMETER = re.compile(
    r"(?P<key>[?&](?:[\w\-]{0,64}(?:token|secret|password|passwd|signature|api[_\-]?key|sig))=)"
    r"(?!\*\*\*)[^&\s'\"#]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Remove user names, passwords and tokens from every URL in a text, and known tokens.

    Parameters
    ----------
    text : str
        Any text; URLs may stand anywhere in it. The time is linear in its length.

    Returns
    -------
    str
        ``https://user:token@host/x?api_key=abc`` becomes
        ``https://host/x?api_key=***``. The part before ``@`` is dropped whole,
        because a token is often given as the user name. A plain ``git@host:path``
        has no secret and stays. A token of a known format becomes the name of its
        format, as in ``***github***``.

    Notes
    -----
    Made for lines that people read. Recorded code goes through `cvtrack_magics.secrets`,
    which changes secret values only.
    """
    if "://" in text:
        parts, at = [], 0
        for start, end in find_userinfo(text):
            if start >= at:
                parts.append(text[at:start])
                at = end
        text = "".join([*parts, text[at:]])
        text = _URL_SECRET_PARAMETER.sub(r"\g<key>***", text)
    return replaced(text, disjoint([*find_tokens(text), *find_remote_secrets(text)]))


def in_one_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of an error's message without credentials, or its class.

    Where it cannot be searched for them, since the rules are in a file and code may have replaced
    what the search needs, that is the class, with the system's own words for a system's error.
    """
    line = text_of(error).strip().split("\n", 1)[0][: 20 * limit]
    try:
        return redact(line)[:limit] or kind_of(error)
    except Exception:
        number = getattr(error, "errno", None)
        return os.strerror(number) if type(number) is int else kind_of(error)


def kind_and_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's class and the first line of its message, without credentials."""
    kind, line = kind_of(error), in_one_line(error, limit)
    return kind if line == kind else f"{kind}: {line}"
