"""The curves of a run as one small PNG that reads well on a light and on a dark page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.annotations import Baselines, Mark
from cvtrack_magics.display.groups import MAX_PANELS, panels_of
from cvtrack_magics.display.panel_png import GREY, MARGINS, draw, is_named, panel_of

_SCALE = 1.5  # picture pixels for one pixel on the page
_PANEL = 150  # height of a panel in page pixels


def curves_png(
    history: Mapping[str, Series],
    width: int = 760,
    *,
    marks: Sequence[Mark] = (),
    baselines: Baselines | None = None,
    overlays: Mapping[str, Mapping[str, Series]] | None = None,
) -> bytes | None:
    """Draw all curves of a run.

    Parameters
    ----------
    history : mapping of str to Series
        Points by metric name. What is not a finite number is a gap; a metric with a
        single point is no curve and is left out.
    width : int
        Width on the page in CSS pixels; the picture has 1.5 times as many.
    marks : sequence of Mark
        Steps to draw a thin vertical line at.
    baselines : mapping of str to mapping of str to float, optional
        Values to beat, by label and metric: dashed lines.
    overlays : mapping of str to mapping of str to Series, optional
        Curves of other runs, by label, drawn thinner.

    Returns
    -------
    bytes or None
        A PNG with a transparent background, or None when there are no curves.
    """
    own = {name: series for name, series in history.items() if len(series) > 1}
    others = {
        label: {name: series for name, series in other.items() if len(series) > 1}
        for label, other in (overlays or {}).items()
    }
    names = dict.fromkeys([*own, *(name for other in others.values() for name in other)])
    if not names:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(panels_of(names).items())
    shown = [
        panel_of(group, members, own, others, baselines or {})
        for group, members in panels[:MAX_PANELS]
    ]
    columns = {1: 1, 2: 2, 4: 2}.get(len(shown), 3)
    rows = -(-len(shown) // columns)
    if columns == 1:
        width = min(width, 460)
    note = 18 if len(panels) > len(shown) else 0
    height = rows * _PANEL + note
    figure = Figure(figsize=(width / 100, height / 100), dpi=100 * _SCALE, facecolor="none")
    canvas = FigureCanvasAgg(figure)
    cell = width / columns
    legends = any(map(is_named, shown))
    for at, panel in enumerate(shown):
        axes = _place(figure, divmod(at, columns), cell, (width, height))
        draw(axes, panel, cell, legends, [mark.step for mark in marks])
    if note:
        more = f"and {len(panels) - len(shown)} more"
        figure.text(0.01, 4 / height, more, color=GREY, fontsize=7.5)
    with warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no news for the user.
        warnings.simplefilter("ignore")
        canvas.draw()
    return _small_png(canvas)


def _place(figure: Any, at: tuple[int, int], cell: float, size: tuple[int, int]) -> Any:
    left, top, right, bottom = MARGINS
    (row, column), (width, height) = at, size
    return figure.add_axes(
        (
            (column * cell + left) / width,
            1 - ((row + 1) * _PANEL - bottom) / height,
            (cell - left - right) / width,
            (_PANEL - top - bottom) / height,
        )
    )


def _small_png(canvas: Any) -> bytes:
    """Encode with a palette: a quarter of the size, and nobody sees the difference."""
    from PIL import Image

    width, height = canvas.get_width_height()
    picture = Image.frombuffer("RGBA", (width, height), bytes(canvas.buffer_rgba()))
    out = io.BytesIO()
    picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()
