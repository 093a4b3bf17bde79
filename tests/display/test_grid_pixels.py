"""What is drawn: pictures, masks, maps and boxes, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.display import sheets
from tests.display.viewer import needs_viewer, opener

pytestmark = needs_viewer


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    yield from opener(browser, tmp_path, "light")


LOOK = "canvas.look"


def near(colour: Any, wanted: Any, by: int = 3) -> bool:
    return bool(np.abs(np.array(colour[:3], float) - np.array(wanted, float)).max() <= by)


def rgb(at: int) -> Any:
    return np.array([int(sheets.COLOURS[at][i : i + 2], 16) for i in (1, 3, 5)])


def place(viewer: Any, x: float, y: float, pane: int = 0) -> tuple[int, ...]:
    """Return the colour that a pixel of the first picture has in the detail view."""
    code = """([at, x, y]) => {
      const canvas = document.querySelectorAll("canvas.look")[at];
      const scale = Number(canvas.dataset.scale);
      const put = (size, middle, value) =>
        Math.round(size / 2 - middle * scale) + Math.floor((value + 0.5) * scale);
      const spot = [put(canvas.width, 80, x), put(canvas.height, 60, y), 1, 1];
      return [...canvas.getContext("2d").getImageData(...spot).data];
    }"""
    return tuple(viewer.page.evaluate(code, [pane, x, y]))


def test_a_picture_is_shown_pixel_for_pixel(show: Any) -> None:
    viewer = show(sheets.binary())
    viewer.open(3)
    picture = np.asarray(sheets.scene(3))
    for x, y in ((0, 0), (159, 119), (40, 70), (100, 20)):
        assert near(place(viewer, x, y), picture[y, x], 0)


def test_each_layer_can_be_taken_away(show: Any) -> None:
    viewer = show(sheets.instance())
    for name in ("Image", "Truth", "Prediction", "Masks"):
        before = viewer.ink(0)
        viewer.click(name)
        assert viewer.ink(0) != before
        viewer.click(name)
        assert viewer.ink(0) == before
    viewer.click("Labels")
    assert viewer.captions(0) == []
    viewer.click("Labels")
    assert viewer.captions(0) == ["✗ 1 TP · 1 FP · 1 FN"]


def test_truth_and_prediction_leave_the_caption_too(show: Any) -> None:
    viewer = show(sheets.compared())
    viewer.click("Prediction")
    assert viewer.captions(0) == ["✗ cat", "✓ cat"]
    viewer.click("Prediction")
    viewer.click("Truth")
    assert viewer.captions(0) == ["✗ dog 0.70", "✓ cat 0.70"]


def test_masks_lie_where_their_runs_say(show: Any) -> None:
    viewer = show(sheets.instance())
    viewer.click("Image")
    viewer.click("Truth")
    viewer.click("Labels")
    viewer.slide("Opacity", 1)
    viewer.open(0)
    found = sheets.disc(52, 60, 30)
    for x, y in ((52, 60), (52, 31), (52, 29), (24, 60), (21, 60), (80, 60), (84, 20)):
        alpha = place(viewer, x, y)[3]
        assert (alpha > 0) == bool(found[y, x]), (x, y)
    assert near(place(viewer, 52, 60), rgb(0), 1)


def test_opacity_mixes_masks_with_the_picture(show: Any) -> None:
    viewer = show(sheets.instance())
    viewer.click("Truth")
    viewer.slide("Opacity", 0.5)
    viewer.open(0)
    mixed = 0.5 * rgb(0) + 0.5 * np.array([205, 190, 160])
    assert near(place(viewer, 52, 60), mixed)


@pytest.mark.parametrize("wide", [False, True])
def test_label_maps_have_the_colours_of_their_classes(show: Any, wide: bool) -> None:
    viewer = show(sheets.semantic(wide=wide))
    viewer.slide("Opacity", 1)
    viewer.open(4)
    truths, preds = sheets.label_maps(12)
    first = 300 if wide else 0
    panes = viewer.page.locator(".pane-label").all_inner_texts()
    assert panes == ["truth", "prediction"]
    for x, y in ((30, 50), (80, 20), (80, 90), (5, 110), (150, 60)):
        for pane, maps in enumerate((truths, preds)):
            wanted = rgb((int(maps[4][y, x]) + first) % 8)
            assert near(place(viewer, x, y, pane), wanted, 1), (x, y, pane)
    assert near(place(viewer, 3, 3), np.asarray(sheets.scene(4))[3, 3], 0)
    viewer.page.locator(".stage").first.hover(position={"x": 200, "y": 300})
    viewer.settle()
    assert "truth" in viewer.page.locator(".under").inner_text()


def test_errors_of_a_label_map_are_marked(show: Any) -> None:
    viewer = show(sheets.semantic())
    viewer.click("View errors")
    viewer.slide("Opacity", 1)
    viewer.open(4)
    truths, preds = sheets.label_maps(12)
    picture = np.asarray(sheets.scene(4))
    for x, y in ((10, 110), (80, 90), (22, 50), (60, 50)):
        same = near(place(viewer, x, y), picture[y, x], 0)
        assert same == (truths[4][y, x] == preds[4][y, x])


def test_heat_and_its_mask(show: Any) -> None:
    viewer = show(sheets.anomaly())
    before = viewer.ink(1)
    viewer.slide("Opacity", 1)
    assert viewer.ink(1) != before
    viewer.open(1)
    plain = np.array([60, 40, 40])
    hot = place(viewer, 45, 60)
    assert not near(hot, plain, 40)
    assert near(place(viewer, 158, 61), (168, 160, 150), 40)
    viewer.click("Masks")
    assert near(place(viewer, 45, 60), plain, 2)


def test_depth_has_four_views(show: Any) -> None:
    viewer = show(sheets.depth())
    seen = set()
    for name in ("image", "truth", "prediction", "error"):
        viewer.click(f"View {name}")
        seen.add(viewer.ink(2))
    assert len(seen) == 4
    assert viewer.page.locator(".legend").first.inner_text().split() == ["0", "2"]
    viewer.open(0)
    labels = viewer.page.locator(".pane-label").all_inner_texts()
    assert labels == ["image", "truth", "prediction", "error"]
    # The far end of viridis is yellow, and no value leaves the picture as it is.
    assert near(place(viewer, 80, 0, 1), (253, 231, 37), 6)
    assert near(place(viewer, 5, 5, 1), np.asarray(sheets.scene(0))[5, 5], 0)


def test_boxes_lie_where_they_should_and_truth_is_dashed(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.click("Image")
    viewer.click("Labels")
    viewer.open(5)
    viewer.press("1")
    row = [place(viewer, x, 60)[3] > 128 for x in range(160)]
    assert row[50]
    assert row[69]
    assert not any(row[52:68])
    viewer.press("ArrowLeft", "ArrowLeft", "p", "1")
    dashed = [place(viewer, 60 + x, 60)[3] > 128 for x in range(50)]
    assert any(dashed)
    assert not all(dashed)


def test_what_is_not_in_the_file_is_said(show: Any) -> None:
    viewer = show(sheets.partly())
    assert "10 of 30 pictures are in this file" in viewer.page.locator(".status").inner_text()
    assert not viewer.tile(3).locator(".absent").is_visible()
    assert viewer.tile(12).locator(".absent").inner_text() == "not in this file"
    viewer.open(3)
    note = viewer.page.locator(".detail-foot .note")
    assert note.inner_text().startswith("The native picture (320 × 240) is not in this file")
    viewer.press("Escape")
    viewer.open(12)
    assert note.inner_text() == "The picture is not in this file."


def test_a_broken_picture_breaks_nothing_else(show: Any) -> None:
    document, packs = sheets.detection()
    broken = bytearray(packs[0])
    broken[:200] = bytes(200)
    viewer = show((document, [bytes(broken)]))
    assert viewer.showing() == "6 of 6 shown"
    assert viewer.ink(0) != viewer.ink(1)
