"""Pictures that are planes of colour: the confusion matrix and the map of an error."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.figures import page

_COUNTS = 11  # classes up to which a cell says its count
_SHARES = 26  # and its share
_NAMES = 120  # and up to which each class is named


def confusion_matrix(evaluation: Evaluation) -> bytes:
    """Draw a confusion matrix coloured by the share of each row, the truth."""
    table = evaluation.confusion
    assert table is not None
    count = len(table)
    named = [page.shorten(name, 22 if count <= 40 else 16) for name in evaluation.classes]
    names = [*named, *["nothing"] * (count - len(named))]
    totals = table.sum(axis=1, keepdims=True)
    share = np.divide(table, totals, out=np.zeros(table.shape), where=totals > 0)
    size = float(np.clip(12 / count, 0.12, 0.62)) * count if count <= _NAMES else 8.0
    size = max(size, 1.9)
    font = float(np.clip(size / count * 72 * 0.72, 4.8, page.FONT))
    margin = page.inches(names, font) + 0.5 if count <= _NAMES else 0.7
    figure = page.page(max(margin + size + 0.85, 3.6), margin + size + 0.75)
    axes = page.panel(figure, margin, margin, size, size)
    image = axes.imshow(
        share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto", origin="upper"
    )
    for spine in axes.spines.values():
        spine.set_visible(True)
    page.ticks(axes.yaxis, [], [])
    page.ticks(axes.xaxis, [], [])
    if count <= _NAMES:
        off = 0.06 * count / size
        page.names_beside(axes, names, -0.5 - off, font)
        style = page.plain(ha="center", va="top", fontsize=font, color=page.INK, rotation=90)
        for column, name in enumerate(names):
            axes.text(column, count - 0.5 + off, name, **style)
    if count <= 40:
        edges = np.arange(1, count) - 0.5
        axes.hlines(edges, -0.5, count - 0.5, color="white", linewidth=0.8)
        axes.vlines(edges, -0.5, count - 0.5, color="white", linewidth=0.8)
    beside = page.plain(fontsize=page.FONT, color=page.INK, transform=axes.transAxes)
    away = (margin - 0.2) / size
    axes.text(0.5, -away, "predicted", ha="center", va="bottom", **beside)
    axes.text(-away, 0.5, "true", ha="left", va="center", rotation=90, **beside)
    if count <= _SHARES:
        _write(axes, table, share, size / count)
    _scale(figure, image, (margin + size + 0.15, margin), min(size, 2.4))
    page.title(figure, "Confusion matrix", page.headline(evaluation))
    return page.png(figure)


def _write(axes: Any, table: Array, share: Array, cell: float) -> None:
    """Write the shares, in per cent, and where there is room the counts into the cells."""
    roomy = len(table) <= _COUNTS
    font = min(9.0, cell * 72 * 0.34)
    for row, column in zip(*np.nonzero(share >= (0.005 if roomy else 0.015)), strict=True):
        colour = "white" if share[row, column] > 0.55 else page.INK
        style = page.plain(color=colour, ha="center", va="center")
        text = f"{100 * share[row, column]:.0f}"
        up = 0.14 if roomy else 0.0
        axes.text(column, row - up, text + (" %" if roomy else ""), fontsize=font, **style)
        if roomy:
            number = _brief(int(table[row, column]))
            axes.text(column, row + 0.24, number, fontsize=font * 0.74, alpha=0.85, **style)


def _brief(number: int) -> str:
    for limit, sign in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if number >= limit:
            return f"{number / (10**3 if sign == 'k' else limit):.3g}{sign}"
    return f"{number:,}"


def _scale(figure: Any, image: Any, corner: tuple[float, float], height: float) -> None:
    """Draw the colours from 0 to 100 per cent of a row."""
    axes = page.panel(figure, *corner, 0.11, height)
    bar = figure.colorbar(image, cax=axes)
    bar.outline.set_visible(False)
    page.ticks(axes.yaxis, [0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=7.5)


def error_map(picture: Array, evaluation: Evaluation) -> bytes:
    """Draw where a depth is wrong; grey where there is no truth."""
    height, width = picture.shape
    scale = 4.6 / max(height, width)
    across, up = max(width * scale, 0.6), max(height * scale, 0.6)
    top = float(np.nanpercentile(picture, 99)) or 1.0
    figure = page.page(max(across + 1.1, 3.6), max(up, 1.6) + 0.85)
    axes = page.panel(figure, 0.15, 0.15, across, up)
    axes.set_facecolor("#e6e9ed")
    image = axes.imshow(
        np.ma.masked_invalid(picture),
        cmap="viridis",
        vmin=0,
        vmax=top,
        interpolation="nearest",
        aspect="auto",
        origin="upper",
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    page.ticks(axes.yaxis, [], [])
    page.ticks(axes.xaxis, [], [])
    side = page.panel(figure, across + 0.27, 0.15, 0.11, up)
    bar = figure.colorbar(image, cax=side)
    bar.outline.set_visible(False)
    page.ticks(side.yaxis, [0, top / 2, top], ["0", f"{top / 2:.2g}", f"≥ {top:.2g}"], fontsize=7.5)
    page.title(figure, "Mean relative error of the depth", page.headline(evaluation))
    return page.png(figure)
