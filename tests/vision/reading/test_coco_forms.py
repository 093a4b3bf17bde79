"""COCO's files in other forms than COCO's own: read with a line, or refused with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cvtrack_magics import Predictions, UsageProblem
from tests.vision.test_coco_files import POLYGON, RESULT, TRUTH, result, truth


@pytest.mark.parametrize(
    "results",
    [
        {1: {"boxes": [[1, 2, 4, 6]], "labels": [12], "scores": [0.9]}},
        {"predictions": [RESULT]},
        {"results": [RESULT], "info": {}},
        {"annotation": [RESULT]},
        {},
    ],
)
def test_a_dict_of_another_form_is_not_without_objects(results: Any) -> None:
    with pytest.raises(UsageProblem, match="expected COCO's list of results, saw a dict of"):
        Predictions.from_coco(TRUTH, results)


@pytest.mark.parametrize("results", [[RESULT], (RESULT,), {"annotations": [RESULT]}])
def test_results_are_read(results: Any) -> None:
    made = Predictions.from_coco(TRUTH, results)
    assert (len(made.boxes.prediction.labels), made.notes) == (1, ())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({k: v for k, v in TRUTH.items() if k != "annotations"}, "the file has no annotations"),
        ({**TRUTH, "annotations": None}, "the file has no annotations"),
        ({**TRUTH, "annotations": TRUTH["annotations"] * 3}, "2 of 3 objects have an id that"),
        (truth("annotations", keypoints=[12, 12, 2]), "truth: keypoints not read"),
        (
            truth("annotations", bbox=None, segmentation=None, keypoints=[9, 9, 2]),
            "1 of 1 objects have key points and no bbox",
        ),
    ],
)
def test_a_truth_of_another_form_is_said(data: Any, said: str) -> None:
    assert any(said in note for note in Predictions.from_coco(data, [RESULT]).notes)


@pytest.mark.parametrize("segmentation", [[[]], [[1, 1, 2, 2]], [[5, 5, 9, 9]]])
def test_a_polygon_without_an_area_is_said(segmentation: Any) -> None:
    data = truth("annotations", segmentation=segmentation)
    made = Predictions.from_coco(data, [result(segmentation=[POLYGON])], masks=True)
    assert made.notes == ("truth: 1 of 1 masks have no pixel, and match nothing.",)


@pytest.mark.parametrize(
    "changes",
    [
        {"bbox": np.array([1, 2, 3, 4], np.float32)},
        {"bbox": torch.tensor([1.0, 2, 3, 4])},
        {"bbox": [np.float32(1), np.int64(2), 3, 4]},
        {"score": torch.tensor(0.9)},
        {"score": np.float32(0.9)},
        {"image_id": torch.tensor(1), "category_id": np.int64(12)},
        {"image_id": torch.tensor([1])},
    ],
)
def test_results_hold_arrays_and_tensors(changes: dict[str, Any]) -> None:
    made = Predictions.from_coco(TRUTH, [result(**changes)])
    assert made.boxes.prediction.xyxy.tolist() == [[1, 2, 4, 6]]
    assert made.boxes.prediction.scores == pytest.approx([0.9])


def test_a_point_that_nobody_placed_is_in_no_box() -> None:
    points = [50, 20, 2, 80, 35, 1, 0, 0, 0]
    made = Predictions.from_coco(TRUTH, [result(bbox=..., keypoints=points)])
    assert made.boxes.prediction.xyxy.tolist() == [[50, 20, 80, 35]]
    assert "the box around the points is taken" in made.notes[0]


@pytest.mark.parametrize("sides", [("60", "100"), (60.0, 100.0), (0, 0), (None, None)])
def test_sizes_are_read_as_tools_write_them(sides: Any, tmp_path: Path) -> None:
    Image.new("RGB", (100, 60)).save(tmp_path / "1.png")
    data = truth("images", height=sides[0], width=sides[1])
    assert Predictions.from_coco(data, [RESULT], images=tmp_path).sizes.tolist() == [[60, 100]]
    if not sides[0]:
        with pytest.raises(UsageProblem, match="image 1 has no height and width"):
            Predictions.from_coco(data, [RESULT])


@pytest.mark.parametrize("sides", [("wide", "100"), (60.5, 100), (-60, 100), (60, [100])])
def test_what_is_no_size_is_shown_as_it_stands(sides: Any) -> None:
    with pytest.raises(UsageProblem, match=r"truth: image 1: .*is no size in pixels") as error:
        Predictions.from_coco(truth("images", height=sides[0], width=sides[1]), [RESULT])
    assert "None" not in str(error.value)


@pytest.mark.parametrize(("name", "shown"), [(7, "7"), (1.5, "1.5"), ("a", "a")])
def test_names_of_categories_may_be_numbers(name: Any, shown: str) -> None:
    made = Predictions.from_coco(truth("categories", name=name), [RESULT])
    assert (made.classes[0], made.notes) == (shown, ())


def test_a_mark_at_a_files_begin_is_no_content(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("\ufeff" + json.dumps([RESULT]), encoding="utf-8")
    assert len(Predictions.from_coco(TRUTH, tmp_path / "r.json").boxes.prediction.labels) == 1


def test_what_is_no_list_is_shown_in_one_line() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageProblem) as error:
        Predictions.from_coco(TRUTH, pandas.DataFrame([RESULT] * 3))
    assert "\n" not in str(error.value)
