"""Charts under one another are shown at one scale, so that their letters are of one size."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from cvtrack_magics.display.chart_img import charts_html


def _png(width: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, 40), "white").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("widths", "shares"),
    [
        ([800], [1.0]),
        ([800, 800], [1.0, 1.0]),
        ([400, 800, 200], [0.5, 1.0, 0.25]),
        ([333, 777], [333 / 777, 1.0]),
    ],
)
def test_each_chart_has_its_share_of_the_widest(widths: list[int], shares: list[float]) -> None:
    html = charts_html({str(at): _png(width) for at, width in enumerate(widths)}, "460px")
    styles = re.findall(r'<img[^>]* style="([^"]*)"', html)
    for style, share in zip(styles, shares, strict=True):
        assert "max-width:460px" in style
        found = re.search(rf"width:calc\(min\(460px, {max(widths)}px\) \* ([0-9.]+)\)", style)
        assert float(found[1]) == pytest.approx(share, abs=1e-4) if share < 1 else not found


def test_one_of_many_classes_takes_the_page_and_shrinks_no_other() -> None:
    charts = {"matrix": _png(1900), "curve": _png(900), "small": _png(450)}
    found = re.findall(r'<img[^>]* style="([^"]*)"', charts_html(charts, "460px"))
    assert found == [
        "max-width:100%; width:calc(min(460px, 900px) * 2.1111); height:auto",
        "max-width:460px; height:auto",
        "max-width:460px; width:calc(min(460px, 900px) * 0.5000); height:auto",
    ]


def test_what_is_no_png_is_shown_as_it_is() -> None:
    assert "calc(" not in charts_html({"a": b"GIF89a", "b": _png(90)}, "100%")
