"""Steps of one run, and two runs side by side."""

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


def test_steps_of_a_run(show: Any) -> None:
    viewer = show(sheets.steps())
    accuracy = []
    for step in (2, 1, 0):
        viewer.slide("Step", step)
        assert viewer.page.locator(".frame-label").inner_text() == f"epoch {step + 1}"
        accuracy.append(float(viewer.figures()["Accuracy"]))
    assert accuracy[0] > accuracy[1] > accuracy[2]


def test_steps_are_played(show: Any) -> None:
    viewer = show(sheets.steps())
    label = viewer.page.locator(".frame-label")
    assert label.inner_text() == "epoch 3"
    viewer.click("Play")
    for wanted in ("epoch 1", "epoch 2"):
        viewer.page.wait_for_function(
            "wanted => document.querySelector('.frame-label').textContent === wanted", arg=wanted
        )
    viewer.click("Pause")
    said = label.inner_text()
    viewer.page.wait_for_timeout(900)
    assert label.inner_text() == said


def test_what_a_change_fixed_and_broke(show: Any) -> None:
    viewer = show(sheets.compared())
    chips = viewer.page.locator(".chip")
    assert chips.all_inner_texts() == ["fixed 1", "broken 2", "still wrong 1", "still right 1"]
    assert viewer.showing() == "5 of 5 shown"
    for at, samples in enumerate(([0], [1, 2], [3], [4])):
        chips.nth(at).click()
        viewer.settle()
        assert viewer.shown() == samples
    chips.nth(3).click()
    viewer.settle()
    assert viewer.shown() == [0, 1, 2, 3, 4]
    assert viewer.captions(0) == ["✗ cat → dog 0.70", "✓ cat 0.70"]
    assert sum(viewer.matrix().values()) == 5


def test_one_run_of_two_alone(show: Any) -> None:
    viewer = show(sheets.compared())
    viewer.click("Compare")
    assert viewer.page.locator(".chip").count() == 0
    assert viewer.shown() == [0, 1, 2, 3, 4, 5]
    viewer.choose("Run", "baseline")
    assert viewer.shown() == [0, 1, 2, 3, 4]
    assert viewer.captions(0) == ["✗ cat → dog 0.70"]


def test_maps_are_better_or_worse(show: Any) -> None:
    document, packs = sheets.semantic()
    frame = document["frames"][0]
    before = {**frame, "label": "before", "scores": {"iou": sheets.column("f4", [0.85] * 12)}}
    viewer = show((document, packs), frames=[before, frame], compare=[0, 1])
    names = [text.split()[0] for text in viewer.page.locator(".chip").all_inner_texts()]
    assert names == ["better", "worse", "the"]


def test_both_are_seen_closely(show: Any) -> None:
    viewer = show(sheets.compared())
    viewer.open(0)
    assert viewer.page.locator(".pane-label").all_inner_texts() == ["baseline", "wider"]
    assert viewer.page.locator(".run-name").all_inner_texts() == ["baseline", "wider"]
    first = viewer.page.locator(".objects").first.inner_text()
    assert "predicted" in first
    scales = viewer.page.locator("canvas.look").evaluate_all("n => n.map(c => c.dataset.scale)")
    viewer.click("Zoom in")
    zoomed = viewer.page.locator("canvas.look").evaluate_all("n => n.map(c => c.dataset.scale)")
    assert scales[0] == scales[1]
    assert zoomed[0] == zoomed[1] != scales[0]
