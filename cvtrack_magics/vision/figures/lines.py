"""Pictures of curves: precision and recall, ROC, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.vision.evaluation import Curve, Evaluation
from cvtrack_magics.vision.figures import page

_SIDE = 3.6  # inches of a plot
_NAMED = 6  # curves that get a colour and a name


def pr_curve(curves: Sequence[Curve], evaluation: Evaluation) -> bytes:
    """Draw precision over recall: each class or, of many, the best and the worst."""
    figure, axes, named = _lines(curves)
    page.labels(axes, "recall", "precision")
    at = " at IoU 0.50" if "AP50" in evaluation.per_class else ""
    page.title(figure, f"Precision and recall{at}", _which(curves, named))
    return page.png(figure)


def roc_curve(curves: Sequence[Curve], _: Evaluation) -> bytes:
    """Draw the true over the false positive rate, and what chance gives."""
    figure, axes, named = _lines(curves)
    _diagonal(axes, page.SOFT, zorder=1)
    page.labels(axes, "false positive rate", "true positive rate")
    page.title(figure, "ROC", _which(curves, named))
    return page.png(figure)


def _which(curves: Sequence[Curve], named: Sequence[Curve]) -> str:
    if len(curves) == len(named):
        return "area in brackets"
    return f"{len(curves)} classes; the best and the worst named, area in brackets"


def _lines(curves: Sequence[Curve]) -> tuple[Any, Any, list[Curve]]:
    ranked = sorted(curves, key=lambda curve: -np.nan_to_num(curve.area))
    many = len(ranked) > _NAMED + 1
    named = [*ranked[: _NAMED // 2], *ranked[-(_NAMED // 2) :]] if many else ranked
    texts = [f"{page.shorten(curve.name)} ({curve.area:.3f})" for curve in named]
    room = max(page.inches(texts, page.FONT) + 0.55, 1.2)
    figure = page.page(0.65 + _SIDE + room, _SIDE + 1.25)
    axes = page.panel(figure, 0.65, 0.6, _SIDE, _SIDE)
    page.unit_ticks(axes)
    if many:
        for curve in ranked:
            _step(axes, curve, color=page.FAINT, linewidth=0.6, zorder=2)
    for row, (curve, text) in enumerate(zip(named, texts, strict=True)):
        colour = page.COLOURS[row % len(page.COLOURS)]
        _step(axes, curve, color=colour, linewidth=1.6, zorder=3)
        place = 0.97 - row * 0.066 - (0.05 if many and row >= _NAMED // 2 else 0)
        style = {"transform": axes.transAxes, "clip_on": False, "linestyle": "-", "marker": ""}
        axes.plot([1.04, 1.09], [place, place], color=colour, linewidth=2.2, **style)
        axes.text(
            1.11,
            place,
            text,
            transform=axes.transAxes,
            fontsize=page.FONT,
            color=page.INK,
            va="center",
            **page.plain(),
        )
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    return figure, axes, list(named)


def _diagonal(axes: Any, colour: str, zorder: int) -> None:
    line = {"linewidth": 0.9, "linestyle": (0, (3, 2)), "marker": ""}
    axes.plot([0, 1], [0, 1], color=colour, zorder=zorder, **line)


def _step(axes: Any, curve: Curve, **style: Any) -> None:
    # Between two recalls the precision is that of the higher one.
    how = "steps-post" if curve.x[0] > curve.x[-1] else "steps-pre"
    how = "default" if curve.kind == "roc" else how
    line = {"drawstyle": how, "linestyle": "-", "solid_joinstyle": "round", "marker": ""}
    axes.plot(curve.x, curve.y, **line, **style)


def reliability_diagram(curves: Sequence[Curve], _: Evaluation) -> bytes:
    """Draw accuracy over confidence, the gap between them, and how many samples there are."""
    curve = curves[0]
    width = 1 / 15
    figure = page.page(0.65 + _SIDE + 0.3, _SIDE + 2.35)
    axes = page.panel(figure, 0.65, 1.45, _SIDE, _SIDE)
    page.unit_ticks(axes)
    centre = curve.thresholds + width / 2
    shape = {"width": width * 0.92, "edgecolor": "none"}
    low, gap = np.minimum(curve.x, curve.y), curve.x - curve.y
    parts = (
        (0 * low, low, page.BLUE, "accuracy"),
        (low, np.maximum(gap, 0), page.COLOURS[1], "overconfident by"),
        (low, np.maximum(-gap, 0), page.COLOURS[5], "underconfident by"),
    )
    # Above the axes: bars may be anywhere inside.
    for left, (bottom, height, colour, text) in zip((0, 0.26, 0.63), parts, strict=True):
        axes.bar(centre, height, bottom=bottom, color=colour, zorder=2, **shape)
        style = page.plain(fontsize=page.FONT, va="center", clip_on=False)
        axes.text(left, 1.07, "■", color=colour, **style)
        axes.text(left + 0.05, 1.07, text, color=page.INK, **style)
    _diagonal(axes, page.INK, zorder=4)
    page.labels(axes, "", "accuracy")
    below = page.panel(figure, 0.65, 0.6, _SIDE, 0.6)
    share = curve.counts / curve.counts.sum()
    below.bar(centre, share, color=page.FAINT, zorder=2, **shape)
    top = float(share.max())
    page.ticks(below.yaxis, [0, top], ["0", f"{100 * top:.0f} %"])
    places = [0, 0.2, 0.4, 0.6, 0.8, 1]
    page.ticks(below.xaxis, places, [f"{place:g}" for place in places])
    below.set_xlim(-0.01, 1.01)
    below.set_ylim(0, top * 1.05)
    page.ticks(axes.xaxis, places, [""] * len(places))
    page.labels(below, "confidence", "samples")
    count = int(curve.counts.sum())
    page.title(figure, "Reliability", f"ECE {curve.area:.3f} of {count:,} samples, 15 bins")
    return page.png(figure)
