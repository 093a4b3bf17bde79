"""The curves of a run as one small PNG that reads well on a light and on a dark page."""

from __future__ import annotations

import io
import warnings
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cvtrack_magics.metrics.series import Series
from cvtrack_magics.widgets.decimate import decimate
from cvtrack_magics.widgets.groups import MAX_PANELS, panels_of, styles_of
from cvtrack_magics.widgets.text import shorten, ticks

_GREY = "#7a7a7a"  # at least 4:1 on white and on JupyterLab's dark #111
_GRID = "#7a7a7a40"
_SCALE = 1.5  # picture pixels for one pixel on the page
_PANEL = 150  # height of a panel in page pixels
_MARGINS = (44, 38, 8, 18)  # left, top, right, bottom of a panel's axes
_POINTS = 800  # more than a panel has pixels


def curves_png(history: Mapping[str, Series], width: int = 760) -> bytes | None:
    """Draw all curves of a run.

    Parameters
    ----------
    history : mapping of str to Series
        Points by metric name. What is not a finite number is a gap; a metric with a
        single point is no curve and is left out.
    width : int
        Width on the page in CSS pixels; the picture has 1.5 times as many.

    Returns
    -------
    bytes or None
        A PNG with a transparent background, or None when there are no curves.
    """
    names = [name for name, series in history.items() if len(series) > 1]
    if not names:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(panels_of(names).items())
    shown = panels[:MAX_PANELS]
    columns = {1: 1, 2: 2, 4: 2}.get(len(shown), 3)
    rows = -(-len(shown) // columns)
    if columns == 1:
        width = min(width, 460)
    note = 18 if len(panels) > len(shown) else 0
    height = rows * _PANEL + note
    figure = Figure(figsize=(width / 100, height / 100), dpi=100 * _SCALE, facecolor="none")
    canvas = FigureCanvasAgg(figure)
    left, top, right, bottom = _MARGINS
    cell = width / columns
    legends = any(_is_named(group, members) for group, members in shown)
    for at, (group, members) in enumerate(shown):
        row, column = divmod(at, columns)
        axes = figure.add_axes(
            (
                (column * cell + left) / width,
                1 - ((row + 1) * _PANEL - bottom) / height,
                (cell - left - right) / width,
                (_PANEL - top - bottom) / height,
            )
        )
        _draw(axes, group, {name: history[name] for name in members}, cell, legends)
    if note:
        more = f"and {len(panels) - len(shown)} more"
        figure.text(0.01, 4 / height, more, color=_GREY, fontsize=7.5)
    with warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no news for the user.
        warnings.simplefilter("ignore")
        canvas.draw()
    return _small_png(canvas)


def _draw(
    axes: Any, group: str, members: Mapping[str, Series], width: float, legends: bool
) -> None:
    """Draw one panel, leaving nothing to the user's rcParams."""
    from matplotlib.ticker import Formatter, MaxNLocator

    class Ticks(Formatter):
        def format_ticks(self, values: Sequence[float]) -> list[str]:
            return ticks(list(map(float, values)))

    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set(color=_GRID, linewidth=0.8)
    labels = {"fontsize": 7, "color": _GREY, "parse_math": False, "usetex": False}
    styles = styles_of(members)
    labelled = [(style, _label(style.name, group)) for style in styles]
    room = max(6, int((width - 50) / (5.4 * len(styles))) - 4)
    named = _is_named(group, members)
    at = 0.0
    for style, name in labelled:
        steps, values = _curve(members[style.name])
        lone = _lonely(values)
        axes.plot(
            steps,
            values,
            color=style.color,
            linewidth=1.4,
            linestyle=(0, tuple(d / 1.8 for d in style.dash)) if style.dash else "-",
            marker="o",
            markersize=3,
            markeredgewidth=0,
            markevery=lone,
            antialiased=True,
        )
        if named:
            label = ("‒ ‒ " if style.dash else "— ") + shorten(name, room)
            axes.text(
                at / (width - sum(_MARGINS[::2])),
                1.04,
                label,
                transform=axes.transAxes,
                **{**labels, "color": style.color},
            )
            at += len(label) * 5.4 + 6
    low, high = axes.get_xlim()
    if high - low < 1:
        axes.set_xlim((low + high) / 2 - 0.5, (low + high) / 2 + 0.5)
    title = shorten(group, int((width - _MARGINS[0]) / 7.6))
    place = {"transform": axes.transAxes, "parse_math": False, "usetex": False}
    axes.text(0, 1.17 if legends else 1.06, title, color=_GREY, fontsize=8, weight="bold", **place)
    for axis, bins in ((axes.xaxis, 4), (axes.yaxis, 4)):
        axis.set_major_locator(MaxNLocator(nbins=bins, integer=axis is axes.xaxis))
        axis.set_major_formatter(Ticks())
    axes.tick_params(
        length=0, labelsize=7, labelcolor=_GREY, pad=2, which="both", top=False, right=False
    )
    axes.grid(True, axis="y", color=_GRID, linewidth=0.6, linestyle="-")
    axes.grid(False, axis="x")


def _is_named(group: str, members: Iterable[str]) -> bool:
    """Say whether a panel's title alone does not tell which curves are in it."""
    return list(members) != [group]


def _label(name: str, group: str) -> str:
    """Return what tells a metric from its panel's others: ``train`` of ``train/loss``."""
    return name.removesuffix(group).rstrip("/_") or name


def _curve(series: Series) -> tuple[Any, Any]:
    """Return steps and values in order of step; the order of logging where steps stand still."""
    import numpy as np

    if len(series) > 1 and min(series.steps) == max(series.steps):
        series = Series(array("q", range(len(series))), series.values, series.times)
    series = decimate(series, _POINTS)
    steps = np.frombuffer(series.steps, dtype=np.int64).astype(np.float64)
    values = np.frombuffer(series.values, dtype=np.float64).copy()
    values[~np.isfinite(values)] = np.nan
    order = np.argsort(steps, kind="stable")
    return steps[order], values[order]


def _lonely(values: Any) -> list[int]:
    """Return where a value has a gap on both sides, so that only a dot can show it."""
    import numpy as np

    finite = np.concatenate(([False], np.isfinite(values), [False]))
    return list(np.flatnonzero(finite[1:-1] & ~finite[:-2] & ~finite[2:]))


def _small_png(canvas: Any) -> bytes:
    """Encode with a palette: a quarter of the size, and nobody sees the difference."""
    from PIL import Image

    width, height = canvas.get_width_height()
    picture = Image.frombuffer("RGBA", (width, height), bytes(canvas.buffer_rgba()))
    out = io.BytesIO()
    picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()
