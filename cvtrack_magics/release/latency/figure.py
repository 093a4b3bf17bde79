"""Latency and throughput of every runner over the batch sizes, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.latency.facts import Bench, Row
from cvtrack_magics.vision.figures import page

_LEFT, _WIDE, _TALL, _GAP = 0.75, 4.6, 2.2, 0.55  # inches
_SHAPES = ("o", "s", "D", "^", "v", "P", "X")
_LINE = 0.2  # inches from a row of the legend to the next
_DODGE = 0.62  # of the room of a batch size, shared by the runners


def figure(bench: Bench) -> bytes:
    """Draw a measurement.

    Parameters
    ----------
    bench : Bench
        With at least one row that has figures.

    Returns
    -------
    bytes
        A PNG on white, about 720 pixels wide. Above, the median latency of a call on a
        logarithmic axis, a bar across at the 95th percentile and a whisker up to the
        99th, where they are known; below, images per second from zero.

    Raises
    ------
    UsageProblem
        No row has figures.
    """
    rows = [row for row in bench.rows if row.n]
    if not rows:
        raise UsageProblem("There is nothing to draw: no runner was measured.")
    names = list(dict.fromkeys(row.runner for row in rows))
    batches = sorted({row.batch for row in rows})
    legend = _laid_out(names)
    high = 2 * _TALL + _GAP + 1.35 + _LINE * legend[-1][1]
    drawn = page.page(_LEFT + _WIDE + 0.2, high)
    below = page.panel(drawn, _LEFT, 0.55, _WIDE, _TALL)
    above = page.panel(drawn, _LEFT, 0.55 + _TALL + _GAP, _WIDE, _TALL)
    above.set_yscale("log")
    above.minorticks_off()
    for place, name in enumerate(names):
        own = sorted((row for row in rows if row.runner == name), key=lambda row: row.batch)
        offset = _DODGE * ((place + 0.5) / len(names) - 0.5)
        at = np.array([batches.index(row.batch) + offset for row in own])
        look = _look(place)
        _latencies(above, at, own, look)
        speeds = [row.throughput or 0.0 for row in own]
        below.plot(at, speeds, linestyle="-", linewidth=1.2, markersize=5, zorder=3, **look)
    ends = [value for row in rows for value in (row.p50_ms, _top(row)) if value]
    _log_axis(above, min(ends), max(ends))
    _from_zero(below, max(row.throughput or 0.0 for row in rows))
    for axes in (above, below):
        page.ticks(axes.xaxis, range(len(batches)), [str(size) for size in batches])
        axes.set_xlim(-0.5, len(batches) - 0.5)
        axes.yaxis.grid(True, color=page.LINE, linewidth=0.5, linestyle="-", alpha=0.7)
        axes.set_axisbelow(True)
    page.labels(above, "", "ms per call")
    page.labels(below, "batch size", "images per second")
    _legend(above, legend)
    page.title(drawn, "Latency and throughput", "median, bar at p95, whisker up to p99")
    return page.png(drawn)


def _top(row: Row) -> float | None:
    return row.p99_ms or row.p95_ms or row.p50_ms


def _latencies(axes: Any, at: Any, rows: Sequence[Row], look: dict[str, Any]) -> None:
    plain = {"color": look["color"], "linestyle": "-", "marker": "", "zorder": 2}
    for x, row in zip(at, rows, strict=True):
        if row.p50_ms is None:
            continue
        axes.plot([x, x], [row.p50_ms, _top(row)], linewidth=1.2, **plain)
        for value, half, width in ((row.p95_ms, 0.04, 1.8), (row.p99_ms, 0.02, 1.2)):
            if value is not None:
                axes.plot([x - half, x + half], [value] * 2, linewidth=width, **plain)
        axes.plot([x], [row.p50_ms], linestyle="", markersize=5.5, zorder=3, **look)


def _log_axis(axes: Any, low: float, high: float) -> None:
    """Label a logarithmic axis at 1, 2 and 5 of each decade, or 1 alone of many."""
    low, high = low / 1.25, high * 1.25
    steps = (1, 2, 5) if high / low < 300 else (1,)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    places = [step * 10.0**decade for decade in decades for step in steps]
    inside = [place for place in places if low <= place <= high]
    page.ticks(axes.yaxis, inside, [_shown(place) for place in inside])
    axes.set_ylim(low, high)


def _shown(value: float) -> str:
    """Return a number in few signs: ``20k`` is 20 000."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def _from_zero(axes: Any, high: float) -> None:
    step = 10.0 ** np.floor(np.log10(high or 1.0))
    step = next(step * part for part in (0.2, 0.5, 1.0, 2.0) if high / (step * part) <= 5)
    places = np.arange(0, high * 1.08, step)
    page.ticks(
        axes.yaxis, [float(place) for place in places], [_shown(float(place)) for place in places]
    )
    axes.set_ylim(0, high * 1.1)


def _laid_out(names: Sequence[str]) -> list[tuple[float, int, str]]:
    """Return where each name of the legend begins, in inches and rows, and its text."""
    laid: list[tuple[float, int, str]] = []
    x, row = 0.0, 0
    for name in names:
        text = page.shorten(name)
        room = 0.2 + page.inches([text], page.FONT) + 0.1
        if x and x + room > _WIDE:
            x, row = 0.0, row + 1
        laid.append((x, row, text))
        x += room
    return laid


def _legend(axes: Any, laid: Sequence[tuple[float, int, str]]) -> None:
    """Name the runners above the plot, each beside its mark."""
    for place, (x, row, text) in enumerate(laid):
        y = 1 + (0.15 + _LINE * (laid[-1][1] - row)) / _TALL
        style = {"transform": axes.transAxes, "clip_on": False}
        axes.plot([x / _WIDE + 0.012], [y], linestyle="", markersize=5.5, **_look(place), **style)
        words = page.plain(fontsize=page.FONT, color=page.INK, va="center")
        axes.text((x + 0.16) / _WIDE, y, text, transform=axes.transAxes, **words)


def _look(place: int) -> dict[str, Any]:
    return {"color": page.COLOURS[place % 7], "marker": _SHAPES[place % 7]}
