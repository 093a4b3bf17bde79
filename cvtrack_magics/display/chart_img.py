"""A chart drawn dark on white, as an image that takes on a dark page's ground.

A PNG cannot ask for the page's theme. A style sheet can: on a dark page lightness is turned round
and hues are kept, and what was white lets the page's ground through. Where style sheets are
stripped (GitHub, a notebook that is not trusted) and on paper the chart is as it was drawn.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cvtrack_magics.display.text import html_text

_DARK = (
    'body[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast:not(.vscode-high-contrast-light)",
    'html[theme="dark"]',
)
_STYLE = (
    "<style>@media not print{"
    + ",".join(f"{page} .cvtrack-chart" for page in _DARK)
    + "{filter:invert(1) hue-rotate(180deg);mix-blend-mode:screen}}</style>"
)


def charts_html(charts: Mapping[str, bytes], width: str) -> str:
    """Return charts as images one after the other.

    Parameters
    ----------
    charts : mapping of str to bytes
        PNGs on white, by their names.
    width : str
        The most that each may take, as CSS.
    """
    images = "".join(
        f'<img class="cvtrack-chart" alt="{html_text(name.replace("_", " "))}" '
        f'style="max-width:{width}; height:auto" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
        for name, png in charts.items()
    )
    return _STYLE + images if images else ""
