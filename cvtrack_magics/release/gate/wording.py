"""Numbers and hostile text as one line that a terminal shows as it is."""

from __future__ import annotations

import unicodedata

from cvtrack_magics.redact import redact

_LIMIT = 200


def plain(text: object, limit: int = _LIMIT) -> str:
    r"""Return a text as one line of printable characters, without credentials.

    What does not print (control characters, marks that turn the direction of writing, lone
    surrogates) is shown as ``\x1b`` or ``\u202e``; none of it reaches a terminal or an XML file.
    """
    whole = redact(str(text))
    shown = "".join(part if part.isprintable() else _code(part) for part in whole[: limit + 1])
    return shown if len(whole) <= limit else f"{shown[: limit - 1]}…"


def _code(character: str) -> str:
    at = ord(character)
    if at < 0x100:
        return f"\\x{at:02x}"
    return f"\\u{at:04x}" if at < 0x10000 else f"\\U{at:08x}"


def width(text: str) -> int:
    """Return how many columns of a terminal a line takes."""
    wide = sum(unicodedata.east_asian_width(part) in "WF" for part in text)
    return len(text) + wide - sum(unicodedata.combining(part) > 0 for part in text)


def padded(text: str, columns: int) -> str:
    """Return a line with spaces up to a width."""
    return text + " " * (columns - width(text))


def number(value: float) -> str:
    """Return a number by six significant digits."""
    return f"{value:.6g}"


def signed(value: float) -> str:
    """Return a difference with its sign by three significant digits."""
    return f"{value:+.3g}" if value else "0"
