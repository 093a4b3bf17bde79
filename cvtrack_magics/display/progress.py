"""How far a loop has come: the figures beside a bar, and a bar of characters for terminals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cvtrack_magics.display.text import clock, plain, shorten

_BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Bar:
    """One loop.

    ``key`` tells loops apart, ``desc`` is shown; ``done`` of ``total`` rounds are done
    (``total`` is None while nobody knows) in ``elapsed`` seconds. ``rate`` is rounds per
    second, NaN while unknown. ``paused`` is true while the loop waits for its reader; neither
    ``elapsed`` nor ``rate`` counts that time.
    """

    key: str
    desc: str
    done: int
    total: int | None
    elapsed: float
    rate: float
    paused: bool = False


def rounds(bar: Bar) -> str:
    """Write how many rounds are done, and of how many."""
    return f"{bar.done}" if bar.total is None else f"{bar.done}/{bar.total}"


def figures(bar: Bar) -> str:
    """Write what stands beside a bar.

    Examples
    --------
    >>> figures(Bar("e", "epoch", 12, 100, 3.5, 3.4))
    '12/100 · 3.4/s · 0:26 left'
    >>> figures(Bar("e", "epoch", 100, 100, 31.0, 3.2)), figures(Bar("b", "", 7, None, 2, 0.25))
    ('100/100 · 3.2/s · in 0:31', '7 · 4 s each · 0:02')
    """
    words = [rounds(bar)]
    known = math.isfinite(bar.rate) and bar.rate > 0
    if known:
        words.append(_speed(bar.rate))
    if bar.paused:
        words[1:] = ["paused"]
    elif bar.total is None:
        words.append(clock(bar.elapsed))
    elif bar.done >= bar.total:
        words.append(f"in {clock(bar.elapsed)}")
    elif known:
        words.append(f"{clock((bar.total - bar.done) / bar.rate)} left")
    return " · ".join(words)


def bar_text(bar: Bar, width: int = 80) -> str:
    """Write a bar as one plain line of at most so many characters.

    Examples
    --------
    >>> bar_text(Bar("e", "epoch", 12, 100, 3.5, 3.4), width=50)
    'epoch |█▌           | 12/100 · 3.4/s · 0:26 left'
    """
    words = figures(bar)
    name = shorten(bar.desc, max(4, min(24, width // 3)))
    room = min(30, width - len(name) - len(words) - 6)
    if bar.total is None or room < 4:
        return plain(f"{name} {words}")[: max(1, width)]
    part = min(1.0, max(0.0, bar.done / bar.total)) if bar.total > 0 else 1.0
    eighths = int(part * room * 8)
    filled = "█" * (eighths // 8)
    if eighths % 8:
        filled += _BLOCKS[eighths % 8]
    return f"{name} |{filled.ljust(room)}| {words}".lstrip()


def _speed(rate: float) -> str:
    if rate < 0.5:
        each = 1 / rate
        return f"{each:.2g} s each" if each < 100 else f"{clock(each)} each"
    return f"{rate:.2g}/s" if rate < 99.5 else f"{round(rate)}/s"
