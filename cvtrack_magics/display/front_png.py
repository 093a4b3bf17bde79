"""The trials of a search by two metrics, as one small PNG: the Pareto front, and the others."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Collection, Sequence
from typing import Any

from cvtrack_magics.display.text import shorten
from cvtrack_magics.palette import CURVES

INK, PALE, GRID = "#333333", "#9a9a9a", "#dddddd"
NAMED = 12  # points of a front that are named
_NAME = 44  # characters of a metric's name
_SIZE, _SCALE = (4.6, 3.0), 150
_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def front_png(
    names: tuple[str, str],
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    front: Collection[int],
) -> bytes | None:
    """Draw trials by two metrics.

    Parameters
    ----------
    names : tuple of str
        The metrics, the one to the right first.
    points : sequence of tuples of float
        Each trial's values; what is not finite is left out.
    labels : sequence of str
        What each is called.
    front : collection of int
        The places of those that no other beats.

    Returns
    -------
    bytes or None
        A PNG on white; None where there is nothing to draw.
    """
    shown = [at for at, point in enumerate(points) if all(map(math.isfinite, point))]
    best = sorted((at for at in shown if at in front), key=lambda at: points[at])
    if not shown:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_SCALE, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15, 0.17, 0.8, 0.76), facecolor="white")
    others = [points[at] for at in shown if at not in front]
    axes.plot(*_columns(others), "o", markersize=3, color=PALE, zorder=2)
    line = _columns([points[at] for at in best])
    axes.plot(*line, "o-", markersize=5, linewidth=1, color=CURVES[0], zorder=3)
    for at in best[:NAMED]:
        axes.annotate(
            labels[at],
            points[at],
            xytext=(4, 4),
            textcoords="offset points",
            color=INK,
            fontsize=7,
            **_PLAIN,
        )
    for say, name in ((axes.set_xlabel, names[0]), (axes.set_ylabel, names[1])):
        say(shorten(name, _NAME), color=INK, fontsize=8, **_PLAIN)
    axes.tick_params(length=0, labelsize=7, labelcolor=INK)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    out = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no news for the user.
        warnings.simplefilter("ignore")
        canvas.print_png(out)
    return out.getvalue()


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
