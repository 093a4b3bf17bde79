"""Numbers and durations as a person would write them, and text made safe to show."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape

from cvtrack_magics.text import COMMANDS

_UNSEEN = re.compile(f"[\t\n{COMMANDS}]+")

_LONG = 7  # characters of a tick's label that leave room beside a small plot


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


def clock(seconds: float) -> str:
    """Write a time as a clock does, for figures that change while one looks; long ones in words.

    Examples
    --------
    >>> [clock(s) for s in (0, 26.4, 3725, 180000)]
    ['0:00', '0:26', '1:02:05', '2 d 2 h']
    """
    if not math.isfinite(seconds) or seconds < 0 or seconds >= 86400 - 0.5:
        return duration(seconds)
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def ago(seconds: float) -> str:
    """Say how long ago something was.

    Examples
    --------
    >>> [ago(s) for s in (5, 130, 7300, 200000)]
    ['just now', '2 min ago', '2 h ago', '2 d ago']
    """
    if seconds < 60:
        return "just now"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {word} ago"
    return "just now"


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


_APART = 100  # values that differ by more are not written with the same number of decimals


def numbers(values: Iterable[float | None], digits: int = 4) -> list[str]:
    """Write the metrics of one column, their decimal points below each other.

    Parameters
    ----------
    values : iterable of float or None
        None where there is none.
    digits : int
        Significant digits of the value that needs the most decimals; others may have two more.

    Examples
    --------
    >>> numbers([0.5, 0.6418, None, float("nan")])
    ['0.5000', '0.6418', '', 'NaN']
    >>> numbers([0.002106, 12.25]), numbers([3, 40]), numbers([0.1, 1e-9])
    (['0.002106', '12.25'], ['3', '40'], ['0.1', '1e-9'])
    """
    held = list(values)
    shown = ["" if value is None else number(value, digits) for value in held]
    plain = {
        value: text
        for value, text in zip(held, shown, strict=True)
        if value is not None and math.isfinite(value)
    }
    sizes = [abs(value) for value in plain if value]
    if not sizes or max(sizes) > _APART * min(sizes) or any("e" in t for t in plain.values()):
        return shown
    decimals = max(len(text.partition(".")[2]) for text in plain.values())
    return [
        f"{value:.{decimals}f}" if value in plain and value is not None else text
        for value, text in zip(held, shown, strict=True)
    ]


def ticks(values: Sequence[float], log: bool = False) -> list[str]:
    """Write the values at the ticks of one axis, all in one way and as short as it gets.

    Parameters
    ----------
    values : sequence of float
        Where the ticks are.
    log : bool
        Whether the axis is logarithmic.

    Examples
    --------
    >>> ticks([0, 0.0005, 0.001]), ticks([0, 5000, 10000]), ticks([0, 2e-5])
    (['0', '0.0005', '0.001'], ['0', '5k', '10k'], ['0', '2e-5'])
    >>> ticks([1e-4, 1e-2, 1], log=True)
    ['1e-4', '1e-2', '1e0']
    """
    sizes = [abs(value) for value in values if value] or [1.0]
    write: Callable[[float, int], str] = _plain_number
    if max(sizes) < 1e-3 or max(sizes) >= 1e9 or (log and (min(sizes) < 1e-3 or max(sizes) >= 1e5)):
        write = _power
    elif not log and max(sizes) >= 1e4:
        write = _millions if max(sizes) >= 1e6 else _thousands

    shown = _told_apart(values, write)
    if write is _plain_number and not log and max(sizes) < 1e-2 and max(map(len, shown)) > _LONG:
        return _told_apart(values, _power)
    return shown


def _told_apart(values: Sequence[float], write: Callable[[float, int], str]) -> list[str]:
    shown: list[str] = []
    for digits in (6, 10, 15):
        shown = [write(value, digits) for value in values]
        if len(set(shown)) == len(set(values)):
            break
    return shown


def _plain_number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}" if abs(value) < 1 else f"{value:.{digits}g}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _thousands(value: float, digits: int) -> str:
    return f"{value / 1e3:.{digits}g}k" if value else "0"


def _millions(value: float, digits: int) -> str:
    return f"{value / 1e6:.{digits}g}M" if value else "0"


def _power(value: float, digits: int) -> str:
    if not value:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{float(mantissa):.{digits}g}e{int(exponent)}"


def plain(text: str) -> str:
    """Replace control characters and line breaks by single spaces."""
    return _UNSEEN.sub(" ", text).strip()


def html_text(text: str) -> str:
    """Return text that is only text inside an element or an attribute of HTML."""
    return escape(plain(text), quote=True)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, their columns below each other.

    Examples
    --------
    >>> aligned([("class", "AP"), ("a", "0.5")])
    ['class  AP', 'a      0.5']
    """
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: its end often tells it apart."""
    text = plain(text)
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
