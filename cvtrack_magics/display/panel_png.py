"""One panel of the picture of a run: curves, lines to beat, notes, best points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.annotations import Baselines
from cvtrack_magics.display.best import Best, best_of
from cvtrack_magics.display.groups import overlay_color, role_dash, styles_of
from cvtrack_magics.display.text import number, shorten, ticks

GREY = "#7a7a7a"  # at least 4:1 on white and on JupyterLab's dark #111
MARGINS = (44, 38, 8, 18)  # left, top, right, bottom of a panel's axes

_GRID = "#7a7a7a40"
_POINTS = 800  # more than a panel has pixels
_REACH = 3.0  # times the height of the curves that a line to beat may stretch a panel
_PLAIN = {"parse_math": False, "usetex": False}


@dataclass(frozen=True, slots=True)
class Curve:
    """One line; ``run`` is the label of another run, or ``""``."""

    name: str
    run: str
    color: str
    dash: tuple[int, ...]
    series: Series
    best: Best | None


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows; a level is a label, a colour and a value."""

    group: str
    curves: list[Curve]
    levels: list[tuple[str, str, float]]


def panel_of(
    group: str,
    members: Sequence[str],
    own: Mapping[str, Series],
    others: Mapping[str, Mapping[str, Series]],
    baselines: Baselines,
) -> Panel:
    """Gather what belongs into a panel: the run's own curves first."""
    curves = [
        Curve(s.name, "", s.color, s.dash, own[s.name], best_of(s.name, own[s.name]))
        for s in styles_of(name for name in members if name in own)
    ]
    levels = [
        (label, curve.color, float(values[curve.name]))
        for label, values in baselines.items()
        for curve in curves
        if abs(values.get(curve.name, float("nan"))) < float("inf")
    ]
    for at, (label, history) in enumerate(others.items()):
        curves += [
            Curve(name, label, overlay_color(at), role_dash(name), history[name], None)
            for name in members
            if name in history
        ]
    return Panel(group, curves, levels)


def is_named(panel: Panel) -> bool:
    """Say whether a panel's title alone does not tell which curves are in it."""
    return [(curve.name, curve.run) for curve in panel.curves] != [(panel.group, "")]


def draw(axes: Any, panel: Panel, width: float, legends: bool, marks: Sequence[float] = ()) -> None:
    """Draw one panel, leaving nothing to the user's rcParams."""
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set(color=_GRID, linewidth=0.8)
    for curve in reversed(panel.curves):  # the run's own on top
        _draw_curve(axes, curve)
    if is_named(panel):
        _legend(axes, panel, width)
    low, high = axes.get_xlim()
    if high - low < 1:
        axes.set_xlim((low + high) / 2 - 0.5, (low + high) / 2 + 0.5)
    low, high = axes.get_xlim()
    for step in marks:
        if low <= step <= high:
            axes.axvline(step, color=GREY, linewidth=0.7, alpha=0.8, zorder=1)
    _draw_levels(axes, panel.levels, width)
    title = shorten(panel.group, int((width - MARGINS[0]) / 7.6))
    place = {"transform": axes.transAxes, **_PLAIN}
    axes.text(0, 1.17 if legends else 1.06, title, color=GREY, fontsize=8, weight="bold", **place)
    _finish_axes(axes)


def _draw_curve(axes: Any, curve: Curve) -> None:
    steps, values = _points(curve.series)
    axes.plot(
        steps,
        values,
        color=curve.color,
        linewidth=0.8 if curve.run else 1.4,
        alpha=0.75 if curve.run else 1.0,
        linestyle=(0, tuple(d / 1.8 for d in curve.dash)) if curve.dash else "-",
        marker="o",
        markersize=3,
        markeredgewidth=0,
        markevery=_lonely(values),
        antialiased=True,
    )
    if curve.best:
        axes.plot(
            [curve.best.step],
            [curve.best.value],
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="none",
            markeredgecolor=curve.color,
            markeredgewidth=1.2,
            clip_on=False,
        )


def _draw_levels(axes: Any, levels: Sequence[tuple[str, str, float]], width: float) -> None:
    bottom, top = axes.get_ylim()
    room = _REACH * (top - bottom)
    for at, (label, color, value) in enumerate(levels):
        left = bool(at % 2)
        beyond = "↓ " if value < bottom - room else "↑ " if value > top + room else ""
        if not beyond:
            axes.axhline(value, color=color, linewidth=0.9, linestyle=(0, (5, 4)))
        place = {"transform": axes.get_yaxis_transform(), **_PLAIN}
        if beyond:
            place["transform"] = axes.transAxes
        y = value if not beyond else float(value > top)
        axes.text(
            0.01 if left else 0.99,
            y,
            f"{beyond}{shorten(label, max(8, int(width / 16)))} {number(value)}",
            color=color,
            fontsize=6.5,
            ha="left" if left else "right",
            va="top" if beyond == "↑ " else "bottom",
            **place,
        )


def _legend(axes: Any, panel: Panel, width: float) -> None:
    runs = {curve.run: curve for curve in panel.curves if curve.run}
    labelled = [(curve, _label(curve.name, panel.group)) for curve in panel.curves if not curve.run]
    labelled += [(curve, run) for run, curve in runs.items()]
    room = max(6, int((width - 50) / (5.4 * len(labelled))) - 4)
    at = 0.0
    for curve, name in labelled:
        label = ("‒ ‒ " if curve.dash and not curve.run else "— ") + shorten(name, room)
        across = at / (width - sum(MARGINS[::2]))
        if across > 0.95:
            break
        axes.text(
            across,
            1.04,
            label,
            transform=axes.transAxes,
            fontsize=7,
            color=curve.color,
            style="italic" if curve.run else "normal",
            **_PLAIN,
        )
        at += len(label) * 5.4 + 6


def _finish_axes(axes: Any) -> None:
    from matplotlib.ticker import Formatter, MaxNLocator

    class Ticks(Formatter):
        def format_ticks(self, values: Sequence[float]) -> list[str]:
            return ticks(list(map(float, values)))

    for axis, bins in ((axes.xaxis, 4), (axes.yaxis, 4)):
        axis.set_major_locator(MaxNLocator(nbins=bins, integer=axis is axes.xaxis))
        axis.set_major_formatter(Ticks())
    axes.tick_params(
        length=0, labelsize=7, labelcolor=GREY, pad=2, which="both", top=False, right=False
    )
    axes.grid(True, axis="y", color=_GRID, linewidth=0.6, linestyle="-")
    axes.grid(False, axis="x")


def _label(name: str, group: str) -> str:
    """Return what tells a metric from its panel's others: ``train`` of ``train/loss``."""
    return name.removesuffix(group).rstrip("/_") or name


def _points(series: Series) -> tuple[Any, Any]:
    """Return steps and values in order of step; the order of logging where steps stand still."""
    import numpy as np

    series = series.numbered().decimated(_POINTS)
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
