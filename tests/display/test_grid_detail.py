"""Looking at one sample closely, and what each key does."""

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


def scale(viewer: Any) -> float:
    return float(viewer.page.locator("canvas.look").first.get_attribute("data-scale"))


def test_a_click_opens_and_escape_closes(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.open(2)
    assert viewer.page.locator(".detail-name").inner_text() == "id-0002"
    viewer.press("Escape")
    assert viewer.page.locator(".detail").count() == 0
    viewer.open(2)
    viewer.click("Close")
    assert viewer.page.locator(".detail").count() == 0


def test_arrows_go_to_the_next_sample(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.open(0)
    name = viewer.page.locator(".detail-name")
    for key, wanted in (
        ("ArrowRight", "id-0001"),
        ("ArrowDown", "id-0002"),
        ("ArrowLeft", "id-0001"),
        ("End", "id-0005"),
        ("ArrowRight", "id-0005"),
        ("Home", "id-0000"),
        ("ArrowUp", "id-0000"),
    ):
        viewer.press(key)
        assert name.inner_text() == wanted
    viewer.click("Next sample")
    assert name.inner_text() == "id-0001"
    viewer.click("Previous sample")
    assert name.inner_text() == "id-0000"


def test_objects_with_scores_and_outcomes(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.open(1)
    rows = [" ".join(t.split()) for t in viewer.page.locator(".object").all_inner_texts()]
    assert rows == ["bike 0.70 ✗ FP, is dog", "dog ✗ FN, missed"]
    viewer.press("ArrowRight", "ArrowRight", "ArrowRight")
    rows = [" ".join(t.split()) for t in viewer.page.locator(".object").all_inner_texts()]
    assert rows == ["car 0.85 TP · IoU 1.00", "car 0.65 in a crowd", "car crowd"]


def test_pointing_at_an_object_lights_it_up(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.open(0)
    ink = "() => document.querySelector('canvas.look').toDataURL()"
    before = viewer.page.evaluate(ink)
    viewer.page.locator(".object").first.hover()
    viewer.settle()
    assert viewer.page.evaluate(ink) != before
    stage = viewer.page.locator(".stage")
    box, size = stage.bounding_box(), scale(viewer)
    x = box["x"] + box["width"] / 2 + (110 - 80) * size
    y = box["y"] + box["height"] / 2 + (80 - 60) * size
    viewer.page.mouse.move(x, y)
    viewer.settle()
    assert viewer.page.locator(".object.on .object-name").inner_text() == "bike"


def test_zoom_is_in_whole_steps_and_pans(show: Any) -> None:
    viewer = show(sheets.binary())
    viewer.open(0)
    assert scale(viewer) == 5
    viewer.click("One pixel of the picture on one of the screen")
    assert scale(viewer) == 1
    viewer.click("Zoom in")
    assert scale(viewer) == 2
    viewer.click("Zoom out")
    assert scale(viewer) == 1
    stage = viewer.page.locator(".stage")
    stage.hover()
    viewer.page.mouse.wheel(0, -100)
    viewer.settle()
    assert scale(viewer) == 2
    ink = "() => document.querySelector('canvas.look').toDataURL()"
    before = viewer.page.evaluate(ink)
    viewer.page.mouse.down()
    viewer.page.mouse.move(300, 300, steps=4)
    viewer.page.mouse.up()
    viewer.settle()
    assert viewer.page.evaluate(ink) != before
    viewer.click("Fit")
    assert scale(viewer) == 5
    viewer.press("-", "1")
    assert scale(viewer) == 1
    viewer.press("+", "+", "0")
    assert scale(viewer) == 5


def test_a_magnified_picture_has_sharp_pixels(show: Any) -> None:
    viewer = show(sheets.binary())
    viewer.open(0)
    code = """() => {
      const canvas = document.querySelector("canvas.look");
      const at = [Math.round(canvas.width / 2 - 400), Math.round(canvas.height / 2 - 300), 10, 1];
      return [...canvas.getContext("2d").getImageData(...at).data];
    }"""
    row = np.array(viewer.page.evaluate(code)).reshape(10, 4)
    assert (row[:5] == row[0]).all()
    assert (row[5:] == row[5]).all()
    assert (row[0, :3] == np.asarray(sheets.scene(0))[0, 0]).all()


def test_the_classes_of_a_sample(show: Any) -> None:
    viewer = show(sheets.compared())
    viewer.click("Compare")
    viewer.open(1)
    rows = [" ".join(t.split()) for t in viewer.page.locator(".object").all_inner_texts()]
    assert rows[:2] == ["dog 0.700 predicted", "cat 0.100 truth"]
    assert viewer.page.locator(".scores").inner_text().split() == [
        *("loss", "2.303"),
        *("confidence", "0.7"),
    ]


def test_keys_move_through_the_tiles(show: Any) -> None:
    viewer = show(sheets.classification(200), height=700)
    focused = viewer.page.locator(".tile.focused")
    viewer.page.locator(".tiles").focus()

    def at() -> int:
        return int(focused.get_attribute("aria-posinset")) - 1

    viewer.press("ArrowRight", "ArrowRight")
    assert at() == 2
    viewer.press("ArrowLeft")
    assert at() == 1
    viewer.press("ArrowDown")
    below = at()
    assert below > 2
    viewer.press("ArrowUp")
    assert at() < below
    viewer.press("End")
    assert at() == 199
    assert viewer.tile(199).is_visible()
    viewer.press("PageUp", "PageUp")
    assert at() < 190
    viewer.press("Home", "PageDown", "Home")
    assert at() == 0
    viewer.press("Enter")
    assert viewer.page.locator(".detail-name").inner_text() == "id-0000"
    viewer.press("ArrowRight", "Escape")
    assert at() == 1
    ring = focused.locator(".picture").evaluate("n => getComputedStyle(n).boxShadow")
    assert ring.count("rgb") == 2
    viewer.press("ArrowRight")
    assert at() == 2


def test_keys_for_layers_search_and_help(show: Any) -> None:
    viewer = show(sheets.instance())
    names = {"i": "Image", "t": "Truth", "p": "Prediction", "m": "Masks", "l": "Labels"}
    for key, name in names.items():
        toggle = viewer.page.get_by_role("button", name=name, exact=True).first
        viewer.press(key)
        assert toggle.get_attribute("aria-pressed") == "false"
        viewer.press(key)
        assert toggle.get_attribute("aria-pressed") == "true"
    viewer.press("?")
    assert "look closely" in viewer.page.locator(".help").inner_text()
    viewer.press("Escape")
    assert viewer.page.locator(".help").count() == 0
    viewer.click("Keys")
    assert viewer.page.locator(".help").count() == 1
    viewer.press("?")
    viewer.press("/")
    assert viewer.page.evaluate("document.activeElement.id") == "search"
    viewer.page.keyboard.type("timp")
    viewer.settle()
    assert viewer.page.locator("#search").input_value() == "timp"
    viewer.press("Escape")
    assert viewer.page.evaluate("document.activeElement.className") == "tiles"


def test_keys_of_a_depth_choose_its_view(show: Any) -> None:
    viewer = show(sheets.depth())
    viewer.press("t")
    pressed = viewer.page.get_by_role("button", name="View truth").get_attribute("aria-pressed")
    assert pressed == "true"


def test_a_tile_says_which_of_how_many_it_is(show: Any) -> None:
    viewer = show(sheets.classification(200), height=700)
    code = """() => [...document.querySelectorAll(".tile:not([hidden])")]
        .map((tile) => [tile.getAttribute("aria-posinset"), tile.getAttribute("aria-setsize")])"""
    said = viewer.page.evaluate(code)
    assert sorted(int(at) for at, _ in said) == list(range(1, len(said) + 1))
    assert {count for _, count in said} == {"200"}
    assert viewer.page.locator(".tiles").get_attribute("aria-setsize") is None
    headings = viewer.page.locator("h1, h2, h3, h4").all_text_contents()
    assert all(text.strip() for text in headings)
