"""A white page to draw on that looks the same whatever the user's Matplotlib settings are."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from cvtrack_magics.palette import FIGURES
from cvtrack_magics.vision.evaluation import Evaluation

INK = "#1f2328"
SOFT = "#59636e"
LINE = "#d1d9e0"
FAINT = "#c3cad2"
COLOURS = FIGURES
BLUE = COLOURS[0]
FONT = 9.0
_DPI = 130
# Matplotlib's own font has no East Asian signs; of these, those that are installed help out.
_MORE_FONTS = (
    *(
        "Noto Sans CJK JP",
        "Noto Sans CJK SC",
        "Hiragino Sans",
        "PingFang SC",
        "Apple SD Gothic Neo",
    ),
    *("Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "WenQuanYi Zen Hei", "Noto Emoji"),
)


def shorten(name: str, limit: int = 22) -> str:
    """Return a name in one line of at most ``limit`` Latin letters' width."""
    shown = "".join(" " if unicodedata.category(c).startswith("C") else c for c in name)
    shown = " ".join(shown.split()) or "(no name)"
    if columns(shown) <= limit:
        return shown
    while columns(shown) > limit - 1:
        shown = shown[:-1]
    return shown.rstrip() + "…"


def columns(text: str) -> int:
    """Return how wide a text is in Latin letters; East Asian signs are twice as wide."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def inches(texts: Sequence[str], size: float) -> float:
    """Return about how wide the widest of some texts is."""
    return max(map(columns, texts), default=0) * size * 0.62 / 72


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _MORE_FONTS if name in installed)]


def plain(**style: Any) -> dict[str, Any]:
    """Return the style of a text that is shown as it is.

    A class may be named ``$x_``, and a user may have turned LaTeX on.
    """
    face = {"fontfamily": _fonts(), "fontweight": "normal", "fontstyle": "normal"}
    return {**face, "parse_math": False, "usetex": False, **style}


def page(width: float, height: float) -> Any:
    """Return an empty figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    return figure


def panel(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Return axes at a place in inches, with two thin lines and no grid."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set_facecolor("white")
    axes.grid(False)
    axes.minorticks_off()
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(LINE)
        spine.set_linewidth(0.8)
    return axes


def ticks(axis: Any, places: Sequence[float], labels: Sequence[str], **style: Any) -> None:
    """Label an axis at some places, and only there."""
    axis.set_tick_params(which="both", length=0, pad=4, labelsize=FONT, labelcolor=SOFT)
    axis.set_ticks(list(places))
    axis.set_ticklabels(list(labels), **plain(**{"fontsize": FONT, "color": SOFT, **style}))


def names_beside(axes: Any, names: Sequence[str], x: float, size: float = FONT) -> None:
    """Write names to the left of an axis that has one row for each: ticks cost three times that."""
    style = plain(ha="right", va="center", fontsize=size, color=INK)
    for row, name in enumerate(names):
        axes.text(x, row, name, **style)


def unit_ticks(axes: Any) -> None:
    """Show 0 to 1 on both axes, with a faint grid."""
    places = [0, 0.2, 0.4, 0.6, 0.8, 1]
    for axis in (axes.xaxis, axes.yaxis):
        ticks(axis, places, [f"{place:g}" for place in places])
        axis.grid(True, color=LINE, linewidth=0.5, linestyle="-", alpha=0.7)
    axes.set_axisbelow(True)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)


def labels(axes: Any, x: str, y: str) -> None:
    """Name the axes."""
    style = plain(fontsize=FONT, color=INK)
    if x:
        axes.set_xlabel(x, labelpad=6, **style)
    if y:
        axes.set_ylabel(y, labelpad=6, **style)


def title(figure: Any, text: str, detail: str = "", left: float = 0.15) -> None:
    """Write a title and, softer, a line below it."""
    across, up = figure.get_size_inches()
    x = left / across
    bold = plain(ha="left", va="top", fontsize=11, fontweight="bold", color=INK)
    figure.text(x, 1 - 0.12 / up, text, **bold)
    soft = plain(ha="left", va="top", fontsize=8.5, color=SOFT)
    figure.text(x, 1 - 0.34 / up, detail, **soft)


def headline(evaluation: Evaluation) -> str:
    """Return the headline metric and its interval in words."""
    value = evaluation.metrics.get(evaluation.headline, float("nan"))
    text = f"{evaluation.headline} {value:.3f}"
    found = evaluation.interval
    if found is None:
        return text
    return f"{text}, {100 * found.level:.4g} % interval {found.low:.3f} to {found.high:.3f}"


def png(figure: Any) -> bytes:
    """Return the figure as a PNG."""
    from PIL import Image

    with warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no news for the user.
        warnings.simplefilter("ignore")
        figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=4)
    return out.getvalue()
