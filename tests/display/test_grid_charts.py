"""Charts that choose samples, and are reached by keys as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.display import sheets
from tests.display.viewer import needs_viewer, opener

pytestmark = needs_viewer


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    yield from opener(browser, tmp_path, "light")


def test_a_cell_shows_its_samples_and_again_all(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    truth, probs = sheets.class_numbers()
    pred = probs.argmax(1)
    viewer.cell(1, 0)
    assert viewer.shown() == [at for at in range(48) if (truth[at], pred[at]) == (1, 0)]
    assert viewer.filters() == ["dog → cat"]
    viewer.cell(1, 0)
    assert len(viewer.shown()) == 48


def test_cells_of_boxes_and_of_pixels(show: Any) -> None:
    viewer = show(sheets.detection())
    for cell, images in {(1, 3): [3], (3, 0): [2], (2, 1): [1], (0, 0): [0, 2, 4]}.items():
        viewer.cell(*cell)
        assert viewer.shown() == images
    viewer = show(sheets.semantic())
    truths, preds = sheets.label_maps(12)
    viewer.cell(0, 1)
    found = [at for at in range(12) if ((truths[at] == 0) & (preds[at] == 1)).any()]
    assert viewer.shown() == found


def test_the_matrix_by_keys(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.page.locator(".matrix").focus()
    viewer.press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight")
    said = viewer.page.locator(".cursor").get_attribute("aria-label")
    assert said == "dog predicted as bike: 1"
    viewer.press("Enter")
    assert viewer.shown() == [1]


def test_a_bar_shows_where_its_class_is_wrong(show: Any) -> None:
    viewer = show(sheets.detection())
    for at, images in enumerate(([2], [1, 3], [1, 5])):
        viewer.page.locator(f'.bar[data-class="{at}"]').click()
        viewer.settle()
        assert viewer.shown() == images
    assert viewer.filters() == ["dog wrong"]
    viewer.page.locator('.bar[data-class="2"]').click()
    viewer.settle()
    assert viewer.filters() == []
    viewer.choose("Bars show", "recall")
    assert viewer.bars() == {"dog": "0.0000", "bike": "0.6667", "car": "1.0000"}


def test_a_point_takes_its_threshold_and_shows_what_is_positive(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.choose("Curve of", "car")
    curve = viewer.page.locator(".curve")
    box = curve.bounding_box()
    # The car found in the crowd is no point; those with 0.95, 0.9, 0.85 and 0.6 are.
    assert curve.get_attribute("data-points") == "4"
    # Recall 2/3 at precision 1, where the plot lies from 38 to 304 and 8 to 168 of 312 × 196.
    x = box["x"] + (38 + 2 / 3 * 266) / 312 * box["width"]
    y = box["y"] + 8 / 196 * box["height"]
    viewer.page.mouse.move(x, y)
    assert "t 0.9 " in viewer.page.locator(".readout").inner_text()
    viewer.page.mouse.click(x, y)
    viewer.settle()
    assert viewer.filters() == ["positive: car"]
    assert viewer.shown() == [0, 2]
    assert viewer.figures()["TP"] == "2"
    viewer.page.mouse.click(x, y)
    viewer.settle()
    assert viewer.filters() == []


def test_a_curve_by_keys(show: Any) -> None:
    viewer = show(sheets.anomaly())
    viewer.page.locator(".curve").focus()
    viewer.press("ArrowLeft", "Enter")
    assert float(viewer.page.get_by_label("Threshold").first.input_value()) == pytest.approx(0.73)
    assert viewer.shown() == [3, 5, 7, 9, 11, 13]


def test_positive_of_a_probability(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    _, probs = sheets.class_numbers()
    viewer.choose("Curve of", "ship")
    viewer.page.locator(".curve").focus()
    viewer.press("ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter")
    threshold = float(viewer.page.get_by_label("Threshold").first.input_value())
    assert viewer.shown() == [at for at in range(48) if probs[at, 3] >= threshold]


def test_a_bar_of_the_distribution_shows_its_samples(show: Any) -> None:
    viewer = show(sheets.depth())
    bins = viewer.page.locator(".bin[tabindex='0']")
    labels = bins.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
    assert sum(int(label.rpartition(": ")[2]) for label in labels) == 8
    bins.last.click()
    viewer.settle()
    assert len(viewer.shown()) == int(labels[-1].rpartition(": ")[2])
    bins.last.click()
    viewer.settle()
    assert len(viewer.shown()) == 8


@pytest.mark.parametrize("classes", [2, 25, 26, 100])
def test_a_matrix_of_few_and_of_many_classes(show: Any, classes: int) -> None:
    names = tuple(f"class number {at}" for at in range(classes))
    viewer = show(sheets.classification(200, names))
    box = viewer.page.locator(".matrix").bounding_box()
    panel = viewer.page.locator(".panel").bounding_box()
    assert box["x"] >= panel["x"]
    assert box["x"] + box["width"] <= panel["x"] + panel["width"]
    top = viewer.page.locator(".confusions li button")
    assert (top.count() > 0) == (classes > 25)
    if classes > 25:
        count = int(top.first.locator("b").inner_text())
        top.first.click()
        viewer.settle()
        assert len(viewer.shown()) == count


def test_beyond_a_hundred_classes_the_confusions_are_listed(show: Any) -> None:
    viewer = show(sheets.classification(300, tuple(f"class {at}" for at in range(150))))
    assert viewer.page.locator(".matrix").count() == 0
    assert viewer.page.locator(".confusions li").count() == 10
    assert viewer.page.locator(".bar").count() == 20
    viewer.click("Show all 150")
    assert viewer.page.locator(".bar").count() == 150


def test_the_panel_can_be_put_away(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.click("Charts")
    assert viewer.page.locator(".panel").count() == 0
    viewer.click("Charts")
    assert viewer.page.locator(".panel").count() == 1
