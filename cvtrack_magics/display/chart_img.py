"""A chart drawn dark on white, as an image that takes on a dark page's ground.

An image cannot ask for the page's theme. A style sheet can: on a dark page lightness is turned
round and hues are kept, and what was white lets the page's ground through. Where style sheets are
stripped (GitHub, a notebook that is not trusted) and on paper the chart is as it was drawn.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cvtrack_magics.display.text import html_text

LARGE = 1000  # pixels; as wide as a chart of a dozen classes with long names
_DARK = (
    'body[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast:not(.vscode-high-contrast-light)",
    'html[theme="dark"]',
)
_STYLE = (
    "<style>@media not print{"
    + ",".join(f"{page} .cvtrack-chart" for page in _DARK)
    + "{filter:invert(1) hue-rotate(180deg);mix-blend-mode:screen}"
    # outputs have no ground of their own: nothing would show through but black
    + ",".join(f"{page} :has(> .cvtrack-chart)" for page in _DARK)
    + "{background:var(--vscode-editor-background,var(--jp-layout-color0))}}</style>"
)


def charts_html(charts: Mapping[str, bytes], width: str) -> str:
    """Return charts as images one after the other.

    Parameters
    ----------
    charts : mapping of str to bytes
        PNGs or SVGs on white, by their names.
    width : str
        The most that each may take, as CSS. The widest takes it, others their share of it, so
        that the letters of all are of one size. One that was drawn larger than ``LARGE``, for
        want of room for its many classes, may take the page, and leaves the others their size.
    """
    wide = {name: _width(png) for name, png in charts.items()}
    most = max((size for size in wide.values() if size <= LARGE), default=0)
    images = "".join(
        f'<img class="cvtrack-chart" alt="{html_text(name.replace("_", " "))}" '
        f'style="{_size(wide[name], most, width)}height:auto" '
        f'src="data:image/{_kind(png)};base64,{base64.b64encode(png).decode("ascii")}">'
        for name, png in charts.items()
    )
    return _STYLE + images if images else ""


def _width(png: bytes) -> int:
    """Return how many pixels wide a PNG is; 0 of what is none."""
    return int.from_bytes(png[16:20], "big") if png[12:16] == b"IHDR" else 0


def _kind(data: bytes) -> str:
    return "svg+xml" if data.startswith(b"<svg") else "png"


def _size(own: int, most: int, width: str) -> str:
    room = "100%" if own > LARGE else width
    if not (own and most) or own == most:
        return f"max-width:{room}; "
    return f"max-width:{room}; width:calc(min({width}, {most}px) * {own / most:.4f}); "
