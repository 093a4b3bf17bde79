"""Text from anywhere made safe inside Markdown: one line that is only text, whatever it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from cvtrack_magics.capture.params.values import hide_tokens

LIMIT = 300
NOTHING = "–"

# Control characters, marks without width or that reorder text, and lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_PLAIN = re.compile(r"[\w./:+=,%()\- ]+")
# CommonMark, section 2.5: a numeric reference never counts as structure, in a table either.
_ESCAPES = str.maketrans(
    {
        **{character: f"&#{ord(character)};" for character in "&<>|`\\$"},
        **{character: f"\\{character}" for character in "*_[]#~!{}"},
    }
)


def one_line(value: object, limit: int = LIMIT) -> str:
    """Return a value as one line of visible characters without credentials.

    Parameters
    ----------
    value : object
        Anything; its ``str`` is taken.
    limit : int
        Characters; a longer text ends in ``…``.
    """
    line = " ".join(_UNSEEN.sub(" ", hide_tokens(str(value))).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def text(value: object, limit: int = LIMIT) -> str:
    """Return a value as Markdown that shows it and nothing else; ``–`` for an empty one.

    It may stand in a paragraph, in a heading and in a cell of a table, not at the start of a
    line: ``---`` and ``1.`` mean something there.
    """
    return one_line(value, limit).translate(_ESCAPES) or NOTHING


def code(value: object, limit: int = LIMIT) -> str:
    """Return a name as code where it is a plain one, else as :func:`text`."""
    line = one_line(value, limit)
    return f"`{line}`" if _PLAIN.fullmatch(line) else text(line, limit)


def number(value: object, digits: int = 4) -> str:
    """Write a number with so many significant digits, ``–`` for what is none.

    All digits before the point stay: ``28731``, no ``2.873e+04``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return NOTHING
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    if 10**digits <= abs(value) < 1e15:
        return str(round(value))
    return f"{value:.{digits}g}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already; ``""`` without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    rule = f"|{'---|' * len(heads)}"
    return "\n".join([f"| {' | '.join(heads)} |", rule, *lines])
