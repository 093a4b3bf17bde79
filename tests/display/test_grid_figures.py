"""What the viewer counts is what the rules say: figures, matrices, areas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.display.text import number, numbers
from tests.display import sheets
from tests.display.viewer import needs_viewer, opener

pytestmark = needs_viewer


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    yield from opener(browser, tmp_path, "light")


def written(value: float) -> str:
    """Return a figure as %mleval writes it."""
    return number(float(value)) if np.isfinite(value) else "–"


def column(values: dict[str, float]) -> dict[str, str]:
    return dict(zip(values, numbers(map(float, values.values())), strict=True))


def test_detection_counts_each_box_once(show: Any) -> None:
    viewer = show(sheets.detection())
    counts = {name: viewer.figures()[name] for name in ("TP", "FP", "FN")}
    assert counts == {"TP": "5", "FP": "3", "FN": "2"}
    assert viewer.figures()["Precision"] == written(5 / 8)
    assert viewer.figures()["Recall"] == written(5 / 7)
    assert viewer.figures()["F1"] == written(10 / 15)
    assert viewer.matrix() == {
        ("car", "car"): 3,
        ("bike", "bike"): 2,
        ("dog", "bike"): 1,
        ("bike", "nothing"): 1,
        ("nothing", "car"): 1,
        ("nothing", "dog"): 1,
    }
    assert viewer.captions(4) == ["✓ 1 TP"]
    assert viewer.captions(1) == ["✗ 0 TP · 1 FP · 1 FN"]


def test_several_labels_are_judged_one_by_one(show: Any) -> None:
    viewer = show(sheets.multilabel(4))
    counts = {name: viewer.figures()[name] for name in ("TP", "FP", "FN")}
    assert counts == {"TP": "3", "FP": "2", "FN": "1"}
    assert viewer.figures()["Exact match"] == written(2 / 4)
    assert viewer.figures()["Micro F1"] == written(6 / 9)
    assert viewer.captions(0) == ["✓ car, person"]
    assert viewer.captions(1) == ["✓ nothing"]
    assert viewer.captions(2) == ["✗ bicycle → car"]
    assert viewer.captions(3)[0].startswith("✗ car → car, a traffic light")
    viewer.slide("Threshold", 0.3)
    assert viewer.captions(1) == ["✗ nothing → bicycle"]
    assert viewer.figures()["Exact match"] == written(1 / 4)


def test_a_higher_threshold_drops_boxes_and_misses_more(show: Any) -> None:
    viewer = show(sheets.detection())
    viewer.slide("Threshold", 0.82)
    counts = {name: viewer.figures()[name] for name in ("TP", "FP", "FN")}
    assert counts == {"TP": "3", "FP": "0", "FN": "4"}
    assert viewer.matrix() == {
        ("car", "car"): 3,
        ("bike", "nothing"): 3,
        ("dog", "nothing"): 1,
    }
    assert viewer.captions(5) == ["✓ 0 TP"]
    viewer.click("Reset the threshold")
    assert viewer.figures()["TP"] == "5"


def test_average_precision_is_cocos(show: Any) -> None:
    viewer = show(sheets.detection())
    found = [(0.95, 1), (0.9, 1), (0.85, 1), (0.8, 1), (0.7, 0), (0.6, 0), (0.55, 1), (0.3, 0)]
    hits = np.cumsum([hit for _, hit in found])
    precision = hits / np.arange(1, 9)
    recall = hits / 7
    marks = [max(precision[recall >= mark - 1e-12], default=0) for mark in np.linspace(0, 1, 101)]
    assert viewer.page.locator(".area").inner_text() == f"micro AP {written(np.mean(marks))}"


def test_masks_are_compared_by_their_pixels(show: Any) -> None:
    viewer = show(sheets.instance())
    assert {name: viewer.figures()[name] for name in ("TP", "FP", "FN")} == {
        "TP": "2",
        "FP": "1",
        "FN": "1",
    }
    viewer.open(0)
    iou = (sheets.disc(50, 60, 30) & sheets.disc(52, 60, 30)).sum()
    iou /= (sheets.disc(50, 60, 30) | sheets.disc(52, 60, 30)).sum()
    assert f"IoU {iou:.2f}" in viewer.page.locator(".object").first.inner_text()


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.8])
def test_many_classes_answer_only_when_sure(show: Any, threshold: float) -> None:
    viewer = show(sheets.classification())
    truth, probs = sheets.class_numbers()
    pred = np.where(probs.max(1) >= threshold, probs.argmax(1), 4)
    viewer.slide("Threshold", threshold)
    names = [*sheets.ANIMALS, "none"]
    wanted: dict[tuple[str, str], int] = {}
    for one, other in zip(truth, pred, strict=True):
        wanted[names[one], names[other]] = wanted.get((names[one], names[other]), 0) + 1
    assert viewer.matrix() == wanted
    right = (pred == truth).sum()
    assert viewer.figures()["Micro precision"] == written(right / (pred < 4).sum())
    assert viewer.figures()["Micro recall"] == written(right / len(truth))
    assert viewer.figures()["Accuracy"] == written(right / len(truth))
    f1 = {}
    for at, name in enumerate(sheets.ANIMALS):
        tp = ((truth == at) & (pred == at)).sum()
        wrong = ((truth == at) ^ (pred == at)).sum()
        f1[name] = 2 * tp / (2 * tp + wrong)
    assert viewer.bars() == column(f1)
    assert viewer.figures()["Macro F1"] == written(np.mean(list(f1.values())))


def test_two_classes_begin_at_one_half_of_the_second(show: Any) -> None:
    viewer = show(sheets.binary())
    truth, probs = sheets.class_numbers(40, 2, seed=5)
    for threshold in (0.5, 0.9):
        viewer.slide("Threshold", threshold)
        pred = probs[:, 1] >= threshold
        wanted = {"TP": pred & (truth == 1), "FP": pred & (truth == 0), "FN": ~pred & (truth == 1)}
        for name, hits in wanted.items():
            assert viewer.figures()[name] == str(hits.sum())


def test_areas_agree_with_scikit_learn(show: Any) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    viewer = show(sheets.binary())
    truth, probs = sheets.class_numbers(40, 2, seed=5)
    area = viewer.page.locator(".area")
    ap = metrics.average_precision_score(truth, probs[:, 1])
    assert area.inner_text() == f"AP {written(ap)}"
    viewer.choose("Curve", "ROC")
    auroc = metrics.roc_auc_score(truth, probs[:, 1])
    assert area.inner_text() == f"AUROC {written(auroc)}"
    viewer = show(sheets.classification())
    truth, probs = sheets.class_numbers()
    viewer.choose("Curve of", "horse")
    ap = metrics.average_precision_score(truth == 2, probs[:, 2])
    assert viewer.page.locator(".area").inner_text() == f"AP {written(ap)}"
    viewer.choose("Bars show", "AP")
    assert viewer.bars() == column(
        {
            name: metrics.average_precision_score(truth == at, probs[:, at])
            for at, name in enumerate(sheets.ANIMALS)
        }
    )


def test_an_anomaly_begins_at_the_best_f1(show: Any) -> None:
    viewer = show(sheets.anomaly())
    assert viewer.figures() == {
        "Precision": "1",
        "Recall": "0.875",
        "F1": "0.9333",
        "TP": "7",
        "FP": "0",
        "FN": "1",
    }
    begun = float(viewer.page.get_by_label("Threshold").first.input_value())
    assert begun == pytest.approx(0.71)


def test_a_score_that_is_no_number_is_always_wrong(show: Any) -> None:
    document, packs = sheets.anomaly()
    score = [0.1, 0.9, np.nan, np.nan, *([0.2, 0.8] * 6)]
    data = {**document["frames"][0]["data"], "score": sheets.column("f4", score)}
    frame = sheets.frame(data, {"score": score})
    viewer = show((document, packs), frames=[frame])
    for threshold in (0.15, 0.5, 0.85):
        viewer.slide("Threshold", threshold)
        viewer.choose("Show", "wrong")
        assert {2, 3} <= set(viewer.shown())
        viewer.choose("Show", "all")
    viewer.slide("Threshold", 0.5)
    assert {name: viewer.figures()[name] for name in ("TP", "FP", "FN")} == {
        "TP": "7",
        "FP": "1",
        "FN": "1",
    }


def test_a_semantic_matrix_sums_pixels(show: Any) -> None:
    viewer = show(sheets.semantic())
    truths, preds = sheets.label_maps(12)
    truth, pred = np.stack(truths), np.stack(preds)
    known = truth != 255
    wanted = {}
    for t, row in enumerate(sheets.LAND):
        for p, name in enumerate(sheets.LAND):
            count = int(((truth == t) & (pred == p) & known).sum())
            if count:
                wanted[row, name] = count
    assert viewer.matrix() == wanted
    assert viewer.figures()["Pixel accuracy"] == written((truth == pred)[known].mean())
    iou = {}
    for at, name in enumerate(sheets.LAND):
        both = ((truth == at) & (pred == at) & known).sum()
        either = (((truth == at) | (pred == at)) & known).sum()
        iou[name] = both / either
    assert viewer.bars() == column(iou)
    assert viewer.figures()["mIoU"] == written(np.mean(list(iou.values())))
    assert viewer.page.get_by_label("Threshold").count() == 0


def test_samples_that_a_frame_does_not_know_are_not_counted(show: Any) -> None:
    document, packs = sheets.classification()
    truth, probs = sheets.class_numbers()
    known = np.arange(48) % 3 > 0
    frames = [sheets.class_frame(truth, probs, present=sheets.column("u1", known))]
    viewer = show((document, packs), frames=frames)
    assert viewer.showing() == "32 of 32 shown"
    right = (probs.argmax(1) == truth)[known].mean()
    assert viewer.figures()["Accuracy"] == written(right)
    assert sum(viewer.matrix().values()) == 32


def test_without_all_probabilities_the_top_ones_do(show: Any) -> None:
    document, packs = sheets.classification()
    truth, probs = sheets.class_numbers()
    viewer = show((document, packs), frames=[sheets.class_frame(truth, probs, carry=False)])
    right = (probs.argmax(1) == truth).mean()
    assert viewer.figures()["Accuracy"] == written(right)
    viewer.slide("Threshold", 0.6)
    sure = probs.max(1) >= 0.6
    assert viewer.figures()["Micro recall"] == written(((probs.argmax(1) == truth) & sure).mean())


def test_an_unknown_truth_is_shown_and_not_counted(show: Any) -> None:
    document, packs = sheets.classification()
    truth, probs = sheets.class_numbers()
    frame = sheets.class_frame(np.where(np.arange(48) < 8, -1, truth), probs)
    viewer = show((document, packs), frames=[frame])
    assert viewer.showing() == "48 of 48 shown"
    assert sum(viewer.matrix().values()) == 40
    assert not viewer.captions(0)[0].startswith(("✓", "✗"))
