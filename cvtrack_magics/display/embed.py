"""The curves inside a saved notebook: a picture for every reader, the points for our front end."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.annotations import Baselines, Mark, baselines_json, marks_json
from cvtrack_magics.display.text import html_text, shorten

_SERIES_POINTS = 400
_ALL_POINTS = 4_000
_MARKS = 50
_OTHER_RUNS = 8


def curves_html(
    picture: bytes | None,
    history: Mapping[str, Series] | None,
    key: str = "",
    *,
    marks: Sequence[Mark] = (),
    baselines: Baselines | None = None,
    overlays: Mapping[str, Mapping[str, Series]] | None = None,
    points: bool = True,
) -> str:
    """Return the picture, and beside it the points as text that nothing executes.

    Parameters
    ----------
    picture : bytes or None
        A PNG of the curves.
    history : mapping of str to Series, or None
        The points; at most 400 of each metric are kept, highs, lows and gaps among them.
        A metric with a single point is no curve and is left out.
    key : str
        The key of the live plot before, or ``""``.
    marks, baselines, overlays
        What ``LivePlot`` shows beside the curves; the newest 50 marks and the first 8
        other runs are kept.
    points : bool
        Whether the points travel along; without them the picture stays one.

    Returns
    -------
    str
        HTML, or ``""`` when there is no picture.
    """
    if not picture:
        return ""
    names = _curves(history or {})
    others = dict(list((overlays or {}).items())[:_OTHER_RUNS])
    words = "Curves of " + ", ".join(names[:6]) if names else "Curves"
    alt = html_text(shorten(words, 160))
    width, height = _size(picture)
    image = (
        f'<img alt="{alt}" style="max-width:100%; height:auto" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{base64.b64encode(picture).decode("ascii")}">'
    )
    data = ""
    if points and history and names:
        share = _ALL_POINTS // (len(names) + sum(len(_curves(other)) for other in others.values()))
        held: dict[str, object] = {"run": key} if key else {}
        held |= {"series": _points(history, share)}
        if marks:
            epoch = _epoch(history, names)
            held["marks"] = marks_json(marks[-_MARKS:], epoch)
        if baselines:
            held["baselines"] = baselines_json(baselines)
        if others:
            held["overlays"] = [
                {"label": label, "series": _points(other, share)} for label, other in others.items()
            ]
        body = json.dumps(held, separators=(",", ":"), allow_nan=False)
        for sign in "<>&":
            body = body.replace(sign, f"\\u{ord(sign):04x}")
        data = f'<script type="application/json" class="cvtrack-data">{body}</script>'
    return f'<div class="cvtrack-curves" style="margin-top:6px">{image}{data}</div>'


def _size(picture: bytes) -> tuple[int, int]:
    """Return the size on the page of a PNG drawn with 1.5 pixels for each of the page's."""
    width, height = (round(int.from_bytes(picture[at : at + 4], "big") / 1.5) for at in (16, 20))
    return width, height


def _curves(history: Mapping[str, Series]) -> list[str]:
    return [name for name, series in history.items() if len(series) > 1]


def _epoch(history: Mapping[str, Series], names: Iterable[str]) -> float:
    return min(history[name].times[0] for name in names)


def _points(history: Mapping[str, Series], share: int) -> list[dict[str, object]]:
    names = _curves(history)
    if not names:
        return []
    epoch = _epoch(history, names)
    limit = min(_SERIES_POINTS, max(40, share))
    series: list[dict[str, object]] = []
    for name in names:
        few = history[name].numbered().decimated(limit)
        series.append(
            {
                "name": name,
                "steps": list(few.steps),
                "values": [float(f"{v:.5g}") if math.isfinite(v) else None for v in few.values],
                "times": [round(time - epoch, 2) for time in few.times],
            }
        )
    return series
