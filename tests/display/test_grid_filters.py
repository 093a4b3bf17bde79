"""Which samples are shown, in which order, and how that is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.vision.columns import column
from tests.display import sheets
from tests.display.viewer import needs_viewer, opener

pytestmark = needs_viewer


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    yield from opener(browser, tmp_path, "light")


def numbers() -> tuple[Any, Any, Any]:
    truth, probs = sheets.class_numbers()
    return truth, probs, probs.argmax(1)


def where(condition: Any) -> list[int]:
    return [at for at, one in enumerate(condition) if one]


def test_outcomes(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    truth, _, pred = numbers()
    viewer.choose("Show", "wrong")
    assert viewer.shown() == where(truth != pred)
    assert viewer.showing() == f"{(truth != pred).sum()} of 48 shown"
    viewer.choose("Show", "right")
    assert viewer.shown() == where(truth == pred)
    assert viewer.filters() == ["right"]
    viewer.click("Clear the filter right")
    assert viewer.filters() == []
    assert viewer.shown() == list(range(48))


def test_suspects_are_the_samples_with_a_suspicion(show: Any) -> None:
    document, packs = sheets.classification()
    scores = document["frames"][0]["scores"]
    assert "suspicion" not in scores
    viewer = show((document, packs), height=1600)
    assert "label suspects" not in viewer.page.locator("select").first.inner_text()
    values = np.full(48, np.nan)
    values[[3, 17, 40]] = [0.2, 0.9, 0.5]
    doubted = {**document["frames"][0], "scores": {**scores, "suspicion": column(values, "f4")}}
    asked = {**document["settings"], "only": "suspect", "sort": "suspicion"}
    viewer = show(({**document, "frames": [doubted], "settings": asked}, packs), height=1600)
    assert viewer.filters() == ["label suspects"]
    assert viewer.showing() == "3 of 48 shown"
    assert viewer.shown() == [17, 40, 3]


@pytest.mark.parametrize(
    ("outcome", "images"),
    [
        ("true positives", [0, 2, 3, 4]),
        ("false positives", [1, 2, 5]),
        ("false negatives", [1, 3]),
        ("wrong", [1, 2, 3, 5]),
        ("right", [0, 4]),
    ],
)
def test_outcomes_of_a_detection(show: Any, outcome: str, images: list[int]) -> None:
    viewer = show(sheets.detection())
    viewer.choose("Show", outcome)
    assert viewer.shown() == images


def test_outcomes_of_an_anomaly(show: Any) -> None:
    viewer = show(sheets.anomaly())
    for outcome, samples in (
        ("false negatives", [15]),
        ("true negatives", list(range(0, 16, 2))),
        ("true positives", list(range(1, 15, 2))),
        ("false positives", []),
    ):
        viewer.choose("Show", outcome)
        assert viewer.shown() == samples


def test_classes(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    truth, _, pred = numbers()
    viewer.choose("True class", "dog")
    assert viewer.shown() == where(truth == 1)
    viewer.choose("Predicted class", "cat")
    assert viewer.shown() == where((truth == 1) & (pred == 0))
    assert viewer.filters() == ["truth: dog", "predicted: cat"]
    viewer.click("Clear all")
    assert viewer.filters() == []
    assert len(viewer.shown()) == 48


def test_classes_of_a_detection_and_of_label_maps(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.choose("True class", "bike")
    assert viewer.shown() == [0, 3]
    viewer.choose("Predicted class", "bike")
    assert viewer.shown() == [0, 3]
    viewer.choose("True class", "any")
    assert viewer.shown() == [0, 1, 3]
    viewer.slide("Threshold", 0.75)
    assert viewer.shown() == [0]
    viewer = show(sheets.semantic())
    viewer.choose("True class", "building")
    assert len(viewer.shown()) == 12


def test_search_in_ids_names_and_classes(show: Any) -> None:
    names = [f"street/{at}.jpg" for at in range(48)]
    viewer = show(sheets.classification(), names=names)
    truth, _, pred = numbers()
    search = viewer.page.get_by_label("Search id, name or class")
    for text, wanted in (
        ("ID-0007", [7]),
        ("street/3.", [3]),
        ("horse", where((truth == 2) | (pred == 2))),
        ("nothing like it", []),
    ):
        search.fill(text)
        viewer.settle()
        assert viewer.shown() == wanted
        assert viewer.filters() == [f"“{text}”"]


def test_sort_by_a_score_begins_with_the_worst(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    truth, probs, _ = numbers()
    scores = sheets.class_scores(truth, probs)
    viewer.choose("Sort", "loss")
    assert viewer.shown() == list((-scores["loss"]).argsort(kind="stable"))
    viewer.click("Descending")
    assert viewer.shown() == list(scores["loss"].argsort(kind="stable"))
    viewer.choose("Sort", "confidence")
    assert viewer.shown() == list(scores["confidence"].argsort(kind="stable"))
    viewer.choose("Sort", "data order")
    assert viewer.shown() == list(range(48))
    viewer.click("Ascending")
    assert viewer.shown() == list(range(47, -1, -1))


def test_what_has_no_score_comes_last(show: Any) -> None:
    document, packs = sheets.classification(6)
    truth, probs = sheets.class_numbers(6)
    frame = sheets.class_frame(truth, probs)
    frame["scores"] = {"loss": sheets.column("f4", [2, float("nan"), 1, 3, float("nan"), 0])}
    viewer = show((document, packs), frames=[frame])
    viewer.choose("Sort", "loss")
    assert viewer.shown() == [3, 0, 2, 5, 1, 4]
    viewer.click("Descending")
    assert viewer.shown() == [5, 2, 0, 3, 1, 4]


def test_the_worst_n(show: Any) -> None:
    viewer = show(sheets.classification())
    truth, probs, _ = numbers()
    loss = sheets.class_scores(truth, probs)["loss"]
    viewer.page.get_by_label("Worst n").fill("5")
    viewer.settle()
    worst = list((-loss).argsort(kind="stable")[:5])
    assert viewer.shown() == worst
    viewer.choose("Sort", "confidence")
    unsure = list(probs.max(1).argsort(kind="stable")[:5])
    assert viewer.shown() == unsure
    viewer.click("Ascending")
    assert viewer.shown() == unsure[::-1]
    assert viewer.filters() == ["worst 5"]
    viewer.click("Clear the filter worst 5")
    assert viewer.showing() == "48 of 48 shown"


def test_the_threshold_filters_again_at_once(show: Any) -> None:
    viewer = show(sheets.classification(), height=1600)
    truth, probs, pred = numbers()
    viewer.choose("Show", "wrong")
    viewer.slide("Threshold", 0.7)
    assert viewer.shown() == where((truth != pred) | (probs.max(1) < 0.7))


def test_nothing_left_says_what_to_do(show: Any) -> None:
    viewer = show(sheets.classification())
    viewer.choose("Show", "wrong")
    viewer.page.get_by_label("Search id, name or class").fill("zzz")
    viewer.settle()
    assert "No sample matches." in viewer.page.locator(".empty").inner_text()
    viewer.click("Clear all filters")
    assert viewer.page.locator(".empty").count() == 0
    assert len(viewer.shown()) > 0
    viewer = show(sheets.empty())
    assert "There are no samples here." in viewer.page.locator(".empty").inner_text()


def test_settings_are_what_it_begins_with(show: Any) -> None:
    truth, probs, pred = numbers()
    settings = {"sort": "loss", "only": "wrong", "threshold": 0.25, "truth": "dog", "worst": 3}
    viewer = show(sheets.classification(), settings=settings)
    loss = sheets.class_scores(truth, probs)["loss"]
    wrong = where(((truth != pred) | (probs.max(1) < 0.25)) & (truth == 1))
    assert viewer.shown() == sorted(wrong, key=lambda at: -loss[at])[:3]
    assert viewer.filters() == ["wrong", "truth: dog", "worst 3"]
    viewer = show(sheets.classification(), settings={"text": "id-0004", "pred": None, "sort": "no"})
    assert viewer.shown() == [4]


def test_settings_say_which_end_comes_first(show: Any) -> None:
    truth, probs, _ = numbers()
    loss = sheets.class_scores(truth, probs)["loss"]
    viewer = show(sheets.classification(), height=1600, settings={"sort": "-loss"})
    assert viewer.shown() == list(loss.argsort(kind="stable"))
    viewer = show(sheets.classification(), height=1600, settings={"sort": "confidence"})
    assert viewer.shown() == list((-probs.max(1)).argsort(kind="stable"))


def test_settings_may_ask_for_what_changed(show: Any) -> None:
    for only, samples in (("fixed", [0]), ("broken", [1, 2]), ("still-wrong", [3])):
        viewer = show(sheets.compared(), settings={"only": only})
        assert viewer.shown() == samples


def test_the_worst_of_an_anomaly_are_those_on_the_wrong_side(show: Any) -> None:
    viewer = show(sheets.anomaly(), settings={"worst": 3})
    # The normal ones with the highest scores; the anomalous 15 scores less than any of them.
    assert viewer.shown() == [14, 12, 10]


def test_ids_of_what_is_shown_can_be_copied(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.choose("Show", "false negatives")
    viewer.page.evaluate("""() => { navigator.clipboard.writeText = async (text) => {
        window.written = text; } }""")
    viewer.page.get_by_text("Copy ids").click()
    viewer.settle()
    assert viewer.page.evaluate("window.written") == "id-0001\nid-0003"
    viewer.page.evaluate("() => { navigator.clipboard.writeText = async () => { throw 1 } }")
    viewer.page.wait_for_timeout(2100)
    viewer.page.get_by_text("Copy ids").click()
    box = viewer.page.locator("textarea")
    assert box.input_value() == "id-0001\nid-0003"
    assert box.evaluate("n => n.selectionEnd - n.selectionStart") == 15
    viewer.click("Close")
    assert box.count() == 0
