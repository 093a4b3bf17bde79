"""Numbers and durations as a person would write them, and text made safe to show."""

from __future__ import annotations

import math
import re
from html import escape

# Control characters (terminal colours begin with one) and marks that reorder text.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def duration(seconds: float) -> str:
    """Write a wall time in its two largest units.

    Examples
    --------
    >>> [duration(s) for s in (0.25, 3.21, 75, 3700, 180000)]
    ['250 ms', '3.2 s', '1 min 15 s', '1 h 01 min', '2 d 2 h']
    """
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown time"
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def number(value: float, digits: int = 4) -> str:
    """Write a metric with so many significant digits.

    Examples
    --------
    >>> [number(v) for v in (0.123456, 3.0, 1234567, 1e-7, float("nan"))]
    ['0.1235', '3', '1234567', '1e-7', 'NaN']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{float(mantissa):.{digits}g}e{int(exponent)}"
    if value == int(value) or size >= 10**digits:
        return str(round(value))
    return f"{value:.{digits}g}"


def tick(value: float) -> str:
    """Write the value at a tick of an axis, as short as it gets."""
    size = abs(value)
    if size and (size >= 1e9 or size < 1e-3):
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if size >= 1e6:
        return f"{value / 1e6:g}M"
    if size >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:g}"


def plain(text: str) -> str:
    """Replace control characters and line breaks by single spaces."""
    return _UNSEEN.sub(" ", text).strip()


def html_text(text: str) -> str:
    """Return text that is only text inside an element or an attribute of HTML."""
    return escape(plain(text), quote=True)


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: its end often tells it apart."""
    text = plain(text)
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
