"""Bars on a logarithmic scale as an SVG that is readable on white and on dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _TOP, _ROW, _BAR = 900, 210, 52, 28, 14
_SCALE = 380  # pixels that the scale takes
_GREY, _OURS, _OTHER, _GOAL = "#767b83", "#1f8fe0", "#8f959d", "#d0662f"  # 4 : 1 on both grounds


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its value (positive), the text behind it, and whether it is ours."""

    name: str
    value: float
    text: str
    ours: bool = False


def log_bars(title: str, bars: Sequence[Bar], goal: tuple[float, str]) -> str:
    """Draw bars below each other.

    Parameters
    ----------
    title : str
        The line above.
    bars : sequence of Bar
        From top to bottom.
    goal : tuple of float and str
        A value to mark by a line, and its name.

    Returns
    -------
    str
        A whole SVG document with a transparent ground.
    """
    smallest = min([bar.value for bar in bars] + [goal[0]])
    largest = max([bar.value for bar in bars] + [goal[0]])
    low = math.floor(math.log10(smallest) - 0.15)
    high = max(low + 1, math.ceil(math.log10(largest)))

    def x(value: float) -> float:
        return _LEFT + _SCALE * (math.log10(value) - low) / (high - low)

    bottom = _TOP + _ROW * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 34}" '
        f'width="{_WIDTH}" height="{bottom + 34}" role="img" font-family="sans-serif" '
        f'font-size="13" fill="{_GREY}">',
        f"<title>{escape(title)}</title>",
        f'<text x="8" y="20" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(
            f'<path d="M{at:.1f} {_TOP - 6}V{bottom}" stroke="{_GREY}" stroke-opacity=".3"/>'
            f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{10.0**power:,g}</text>'
        )
    for index, bar in enumerate(bars):
        y = _TOP + _ROW * index
        color, weight = (_OURS, "bold") if bar.ours else (_OTHER, "normal")
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end" font-weight="{weight}">'
            f"{escape(bar.name)}</text>"
            f'<rect x="{_LEFT}" y="{y}" width="{x(bar.value) - _LEFT:.1f}" height="{_BAR}" '
            f'rx="2" fill="{color}"/>'
            f'<text x="{x(bar.value) + 6:.1f}" y="{y + 12}" font-weight="{weight}">'
            f"{escape(bar.text)}</text>"
        )
    at = x(goal[0])
    parts.append(
        f'<path d="M{at:.1f} {_TOP - 6}V{bottom}" stroke="{_GOAL}" stroke-dasharray="4 3"/>'
        f'<text x="{at:.1f}" y="{_TOP - 12}" text-anchor="middle" fill="{_GOAL}">'
        f"{escape(goal[1])}</text></svg>"
    )
    return "\n".join(parts) + "\n"
