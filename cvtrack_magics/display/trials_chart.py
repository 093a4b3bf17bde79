"""The trials of a search as one drawing: parallel coordinates, and how much each parameter matters.

It is drawn by hand as SVG: a search of thousands of trials is drawn again every few moments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.display.text import html_text, number, shorten
from cvtrack_magics.palette import CURVES

MOST = 300  # trials that are drawn; the best of them all are among these
BEST = 60
AXES = 7  # parameters that have an axis
INK, MUTED, PALE, GRID = "#333333", "#6f6f6f", "#b4b4b4", "#dddddd"
WIDE, HIGH = 700, 236
_LEFT, _RIGHT, _TOP, _FOOT = 46, 46, 34, 22
_BAR, _NAMES = 20, 190
_FONT = 'font-family="system-ui, sans-serif" font-size="11"'


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its name, where its values lie, and what stands at its ends.

    ``choices`` are those of one that is no number; ``is_log`` is of one that is.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False
    choices: tuple[str, ...] = ()

    def place(self, value: Any) -> float | None:
        """Return where a value lies, from 0 to 1; None where it lies nowhere."""
        if self.choices:
            found = self.choices.index(str(value)) if str(value) in self.choices else None
            return None if found is None else (found + 0.5) / len(self.choices)
        if isinstance(value, str) or value is None or not math.isfinite(value):
            return None
        low, high, at = self.low, self.high, float(value)
        if self.is_log and low > 0 and at > 0:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return 0.5 if high <= low else min(1.0, max(0.0, (at - low) / (high - low)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """One trial: its parameters and its value."""

    params: Mapping[str, Any]
    value: float


def thinned(count: int) -> list[int]:
    """Return which of so many trials, the best first, are drawn: the best, and some of all."""
    if count <= MOST:
        return list(range(count))
    rest = MOST - BEST
    step = (count - 1 - BEST) / (rest - 1)
    return [*range(BEST), *(BEST + round(at * step) for at in range(rest))]


def parallel_svg(metric: Axis, axes: Sequence[Axis], trials: Sequence[Drawn]) -> bytes:
    """Draw trials as lines over their parameters; the best stand out.

    Parameters
    ----------
    metric : Axis
        The last one.
    axes : sequence of Axis
        The parameters.
    trials : sequence of Drawn
        The best first.

    Returns
    -------
    bytes
        An SVG on white.
    """
    all_axes = [*axes[:AXES], metric]
    gap = (WIDE - _LEFT - _RIGHT) / max(1, len(all_axes) - 1)
    xs = [_LEFT + at * gap for at in range(len(all_axes))]
    shown = thinned(len(trials))
    lines = [_line(all_axes, xs, trials[at], _look(at, len(trials))) for at in reversed(shown)]
    marks = [_axis(one, x, gap) for one, x in zip(all_axes, xs, strict=True)]
    return _svg(HIGH, [*lines, *marks])


def _look(rank: int, count: int) -> str:
    if rank == 0:
        return f'stroke="{INK}" stroke-width="2"'
    if rank < max(1, min(BEST, count // 10)):
        return f'stroke="{CURVES[0]}" stroke-width="1" stroke-opacity="0.6"'
    return f'stroke="{PALE}" stroke-width="0.8" stroke-opacity="0.6"'


def _line(axes: Sequence[Axis], xs: Sequence[float], trial: Drawn, look: str) -> str:
    """Return a trial's line, with a gap where it has no such parameter."""
    values = [*(trial.params.get(one.name) for one in axes[:-1]), trial.value]
    places = [one.place(value) for one, value in zip(axes, values, strict=True)]
    path, pen = [], "M"
    for x, place in zip(xs, places, strict=True):
        if place is None:
            pen = "M"
            continue
        path.append(f"{pen}{x:.1f} {_y(place):.1f}")
        pen = "L"
    return f'<path d="{"".join(path)}" fill="none" {look}/>'


def _y(place: float) -> float:
    return HIGH - _FOOT - place * (HIGH - _FOOT - _TOP)


def _axis(axis: Axis, x: float, gap: float) -> str:
    wide = max(6, int(gap / 6.4))
    found = [
        f'<path d="M{x:.1f} {_TOP}V{HIGH - _FOOT}" stroke="{MUTED}" fill="none"/>',
        _text(x, 14, shorten(axis.name, wide), INK),
    ]
    if axis.choices:
        for at, choice in enumerate(axis.choices[:12]):
            place = (at + 0.5) / len(axis.choices)
            found.append(_text(x, _y(place) + 4, shorten(choice, wide), INK, halo=True))
        return "".join(found)
    high, low = number(axis.high, 3), number(axis.low, 3)
    return "".join([*found, _text(x, _TOP - 6, high, MUTED), _text(x, HIGH - 8, low, MUTED)])


def importance_svg(shares: Mapping[str, float]) -> bytes:
    """Draw how much each parameter matters, the most first, as an SVG on white."""
    ranked = sorted(shares.items(), key=lambda one: -one[1])[: AXES + 3]
    most = max((share for _, share in ranked), default=0.0) or 1.0
    rows = []
    for at, (name, share) in enumerate(ranked):
        y = 4 + at * _BAR
        long = (WIDE - _NAMES - 60) * share / most
        rows += [
            _text(_NAMES - 8, y + 12, shorten(name, 28), INK, anchor="end"),
            f'<rect x="{_NAMES}" y="{y + 2}" width="{max(1.0, long):.1f}" height="12" '
            f'fill="{CURVES[0]}"/>',
            _text(_NAMES + long + 6, y + 12, f"{share:.0%}", MUTED, anchor="start"),
        ]
    return _svg(8 + _BAR * len(ranked), rows)


def _text(
    x: float, y: float, text: str, colour: str, *, anchor: str = "middle", halo: bool = False
) -> str:
    around = ' stroke="white" stroke-width="3" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{around}>'
        f"{html_text(text)}</text>"
    )


def _svg(high: int, parts: Sequence[str]) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{high}" '
        f'viewBox="0 0 {WIDE} {high}" {_FONT}><rect width="{WIDE}" height="{high}" fill="white"/>'
        f"{''.join(parts)}</svg>"
    ).encode("utf-8", "replace")
