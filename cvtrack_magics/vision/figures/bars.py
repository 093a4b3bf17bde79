"""Bars: one for each class, the best first; one for each kind of error."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import LOST, Evaluation
from cvtrack_magics.vision.figures import page

_COLUMN = 34  # bars below each other
_COLUMNS = 3
_STEP = 0.2  # inches from bar to bar
_BAR = 2.2  # inches of a full bar


def per_class_bars(key: str, values: Array, evaluation: Evaluation) -> bytes:
    """Draw a figure of every class; beyond 102 classes, of the best and the worst."""
    shown = np.flatnonzero(np.isfinite(values))
    shown = shown[np.argsort(-values[shown], kind="stable")]
    absent = len(values) - len(shown)
    most = _COLUMN * _COLUMNS
    left_out = max(0, len(shown) - most)
    average = float(values[shown].mean())
    if left_out:
        shown = np.concatenate((shown[: most // 2], shown[len(shown) - most // 2 :]))
    names = [page.shorten(evaluation.classes[row]) for row in shown]
    columns = -(-len(shown) // _COLUMN)
    tall = max(4, -(-len(shown) // columns))
    margin = page.inches(names, page.FONT) + 0.25
    wide = margin + _BAR + 0.5
    figure = page.page(max(3.6, columns * wide + 0.1), tall * _STEP + 0.85)
    detail = f"dashed: mean {average:.3f}"
    if absent:
        detail += f"; {absent:,} without a value"
    if left_out:
        detail += f"; {left_out:,} in the middle not shown"
    page.title(figure, f"{key} by class", detail)
    for column in range(columns):
        rows = slice(column * tall, (column + 1) * tall)
        axes = page.panel(figure, column * wide + margin, 0.2, _BAR, tall * _STEP)
        _draw(axes, names[rows], values[shown[rows]], tall, average)
    return page.png(figure)


def lost_bars(evaluation: Evaluation) -> bytes:
    """Draw what AP50 is lost to, by TIDE's kinds of error in their usual order."""
    names = [f"{LOST.get(kind, kind)} ({kind})" for kind in evaluation.lost]
    values = np.array(list(evaluation.lost.values()))
    margin = page.inches(names, page.FONT) + 0.25
    figure = page.page(max(3.6, margin + _BAR + 0.6), len(names) * _STEP + 0.85)
    page.title(figure, "AP50 lost to", "by how much it would rise without (TIDE)")
    axes = page.panel(figure, margin, 0.2, _BAR, len(names) * _STEP)
    _draw(axes, names, values, len(names), None, full=max(float(values.max()), 0.01))
    return page.png(figure)


def _draw(
    axes: Any,
    names: list[str],
    values: Array,
    tall: int,
    average: float | None,
    *,
    full: float = 1.0,
) -> None:
    places = np.arange(len(names))
    axes.barh(places, values, height=0.66, color=page.BLUE, edgecolor="none", zorder=2)
    line = {"linewidth": 0.9, "linestyle": (0, (3, 2)), "marker": ""}
    if average is not None:
        axes.axvline(average, color=page.SOFT, zorder=1, **line)
    for place, value in zip(places, values, strict=True):
        axes.text(
            1.13 if full == 1 else 1.22 * full,
            place,
            f"{value:.2f}" if full == 1 else f"{value:.3f}",
            fontsize=7.5,
            color=page.INK,
            ha="right",
            va="center",
            **page.plain(),
        )
    page.ticks(axes.yaxis, [], [])
    page.names_beside(axes, names, -0.03 * full)
    page.ticks(axes.xaxis, [], [])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, full)
    axes.set_ylim(tall - 0.5, -0.5)
