"""The container: made from what people have, cut, joined, and refused in one line."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.samples import unique
from tests.vision.examples import NAMES, TASKS, example, photos


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("class_names", "Say classes="),
        ("label_names", "Say classes="),
        ("image_ids", "Say ids="),
        ("value_rang", "Did you mean 'value_range'"),
        ("colour", "Predictions take no colour=.$"),
    ],
)
@pytest.mark.parametrize("task", TASKS)
def test_an_argument_of_another_library_is_told_ours(task: str, word: str, line: str) -> None:
    with pytest.raises(UsageProblem, match=f"Predictions take no {word}=") as raised:
        example(task, **{word: ["x"]})
    assert re.search(line, str(raised.value))


@pytest.mark.parametrize("task", TASKS)
def test_cut_and_joined_it_is_the_same(task: str) -> None:
    from cvtrack_magics.tasks.npz import dump

    whole = example(task, 4)
    again = whole[:1] + whole[[1, 2]] + whole[np.array([False, False, False, True])]
    assert dump(again, 0) == dump(whole, 0)
    assert again.pixels is not None
    assert whole.pixels is not None
    assert again.pixels.digests() == whole.pixels.digests()
    assert whole[2].ids == ("2",)
    assert "4 samples" in repr(whole)
    assert task in repr(whole)
    assert dump(Predictions.join([whole[at] for at in range(4)]), 0) == dump(whole, 0)


def test_logits_and_probabilities_are_told_apart() -> None:
    logits = np.array([[2.0, -1.0], [0.0, 3.0]])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given: list[Any] = [
        {"scores": logits},
        {"logits": torch.tensor(logits, requires_grad=True)},
        {"scores": probabilities},
        {"probabilities": probabilities},
        {"scores": probabilities[:, 1]},
        {"logits": logits[:, 1] - logits[:, 0]},
        {"logits": (logits[:, 1] - logits[:, 0])[:, None]},
    ]
    for form in given:
        made = Predictions.classification(photos()[:2], [0, 1], **form)
        np.testing.assert_allclose(made.labels.probabilities, probabilities, atol=1e-12)
        assert made.classes == ("0", "1")


def test_large_logits_do_not_overflow_and_nan_stays() -> None:
    made = Predictions.classification(None, [0, 1], logits=np.array([[1e4, 0], [np.nan, 1]]))
    assert made.labels.probabilities[0].tolist() == [1.0, 0.0]
    assert np.isnan(made.labels.probabilities[1]).all()


def test_boxes_of_every_format_are_the_same_boxes() -> None:
    xyxy = np.array([[10.0, 5.0, 30.0, 25.0], [0.0, 0.0, 64.0, 48.0]])
    width, height = 64, 48
    scale = np.array([width, height, width, height])
    wh = xyxy[:, 2:] - xyxy[:, :2]
    forms = {
        "xyxy": xyxy,
        "xywh": np.hstack((xyxy[:, :2], wh)),
        "cxcywh": np.hstack((xyxy[:, :2] + wh / 2, wh)),
    }
    forms |= {f"{name}-rel": boxes / scale for name, boxes in forms.items()}
    for name, boxes in forms.items():
        table = np.hstack((boxes, [[1], [0]]))
        made = Predictions.detection(photos()[:1], [table], [[]], classes=NAMES, box_format=name)
        np.testing.assert_allclose(made.boxes.truth.xyxy, xyxy, atol=1e-12, err_msg=name)
        assert made.boxes.truth.labels.tolist() == [1, 0]


def test_objects_of_every_kind_are_the_same_objects() -> None:
    from torchvision import tv_tensors

    boxes, labels, scores = [[10.0, 5.0, 30.0, 25.0]], [2], [0.75]
    dicts = {"boxes": torch.tensor(boxes), "labels": torch.tensor(labels)}
    moved = tv_tensors.BoundingBoxes(  # type: ignore[call-overload]
        torch.tensor([[10.0, 5.0, 20.0, 20.0]]), format="XYWH", canvas_size=(48, 64)
    )
    annotation = {"bbox": [10, 5, 20, 20], "category_id": 2, "score": 0.75}
    for said in (
        {**dicts, "scores": torch.tensor(scores)},
        {"boxes": moved, "labels": labels, "scores": scores},
        [annotation],
    ):
        made = Predictions.detection(photos()[:1], [dicts], [said], classes=NAMES)
        assert made.boxes.prediction.xyxy.tolist() == boxes
        assert made.boxes.prediction.labels.tolist() == labels
        assert made.boxes.prediction.scores is not None
        assert made.boxes.prediction.scores.tolist() == scores


def test_supervision_detections() -> None:
    class Like:  # the fields of supervision.Detections
        xyxy = np.array([[1.0, 2.0, 3.0, 4.0]])
        class_id = np.array([1])
        confidence = np.array([0.5])
        mask = None

    made = Predictions.detection(photos()[:1], [[]], [Like()], classes=NAMES)
    assert made.boxes.prediction.xyxy.tolist() == [[1, 2, 3, 4]]
    assert made.boxes.prediction.labels.tolist() == [1]


def test_masks_alone_give_their_boxes_and_probabilities_are_cut_at_a_half() -> None:
    mask = np.zeros((1, 48, 64))
    mask[0, 10:20, 5:15] = 0.9
    mask[0, 0, 0] = 0.4
    entry = {"masks": torch.tensor(mask[:, None]), "labels": [0], "scores": [0.5]}
    made = Predictions.instance(photos()[:1], [entry], [entry], classes=NAMES)
    assert made.boxes.prediction.xyxy.tolist() == [[5, 10, 15, 20]]
    assert made.boxes.prediction.masks is not None
    assert made.boxes.prediction.masks[0].area == 100
    assert (made.boxes.prediction.masks[0].array() == (mask[0] > 0.5)).all()


def test_ids_follow_the_content_and_stay_unique() -> None:
    images = np.concatenate((photos()[:2], photos()[:1]))
    first = Predictions.classification(images, None, np.eye(3))
    second = Predictions.classification(images[[1, 0]], None, np.eye(2))
    assert second.ids == (first.ids[1], first.ids[0])
    assert first.ids[2] == f"{first.ids[0]}-2"
    assert unique(["a", "a-2", "a", "a"]) == ("a", "a-2", "a-3", "a-4")


BOX = {"boxes": np.array([[1.0, 2.0, 3.0, 4.0]]), "labels": [0]}
BARE = {"boxes": BOX["boxes"]}
FOUND = {**BARE, "labels": [2], "scores": [0.5]}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda p: Predictions.classification(p, [0, 1], np.zeros((2, 3))),
            "within 0..1, yet a row sums to 0",
        ),
        (
            lambda p: Predictions.classification(p, [0, 1], np.full((2, 3), 0.9)),
            "within 0..1, yet a row sums to 2.7",
        ),
        (lambda p: Predictions.classification(p, [0, 1], [1, 2]), "looks like predicted labels"),
        (lambda p: Predictions.classification(p, [0, 9], logits=np.eye(2)), "label 9 is beyond"),
        (lambda p: Predictions.classification(p, [0.5, 1], logits=np.eye(2)), "whole numbers"),
        (lambda p: Predictions.classification(p, [0, 1, 1], logits=np.eye(2)), "2 images, but"),
        (lambda p: Predictions.classification(p, [0, 1]), "give the model's output once"),
        (
            lambda p: Predictions.classification(p, [0, 1], logits=np.eye(2), classes=["a"]),
            "2 columns, but 1 class names",
        ),
        (
            lambda p: Predictions.classification(p, [0, 1], logits=np.eye(2), ids=[1, 1]),
            "ids: some occur twice",
        ),
        (lambda p: Predictions.detection(p, [BOX], [[], []]), "truth: 1 entries for 2 images"),
        (
            lambda p: Predictions.detection(p, [np.zeros((1, 5))] * 2, [[], []]),
            "an array of boxes can be of several formats",
        ),
        (
            lambda p: Predictions.detection(p, [BOX] * 2, [BOX] * 2),
            "predictions of image 0: predictions need 'scores'",
        ),
        (
            lambda p: Predictions.detection(
                p, [{"boxes": np.array([[9.0, 9, 3, 3]]), "labels": [0]}] * 2, [[], []]
            ),
            "is no xyxy box, its end lies before its start",
        ),
        (
            lambda p: Predictions.detection(
                p, [{"boxes": np.array([[0.1, 0.1, np.nan, 3]]), "labels": [0]}] * 2, [[], []]
            ),
            "NaN or infinite",
        ),
        (
            lambda p: Predictions.detection(
                p, [{"boxes": np.array([[0.1, 0.1, 0.4, 0.3]]), "labels": [0]}] * 2, [[], []]
            ),
            "all boxes lie within 0..1: relative, or in pixels? Say box_format='xyxy-rel'",
        ),
        (
            lambda p: Predictions.detection(p, [BOX] * 2, [[], []], box_format="xywy"),
            "box_format='xywy' is none of",
        ),
        (lambda p: Predictions.detection(p, [{"box": 1}] * 2, [[], []]), "expected the keys boxes"),
        (lambda p: Predictions.instance(p, [BOX] * 2, [[], []]), "needs 'masks'"),
        (
            lambda p: Predictions.instance(
                p, [{"masks": np.ones((1, 4, 4)), "labels": [0]}] * 2, [[], []]
            ),
            "masks are M×48×64 as the image, saw 1×4×4",
        ),
        (
            lambda p: Predictions.detection(p, [{**BOX, "labels": [0, 1]}] * 2, [[], []]),
            "1 boxes, but 2 labels",
        ),
        (
            lambda p: Predictions.semantic(
                p, np.full((2, 4, 4), 255), np.zeros((2, 4, 4)), classes=3
            ),
            "label 255 is beyond the 3 classes. Say ignore=255",
        ),
        (
            lambda p: Predictions.detection(p, [BARE] * 2, [FOUND] * 2),
            "truth of image 0: its objects have no labels, and there are 3 classes",
        ),
        (
            lambda p: Predictions.detection(p, [{"boxes": []}, BARE], [FOUND] * 2, classes=2),
            "truth of image 1: its objects have no labels, and there are 2 classes",
        ),
        (
            lambda p: Predictions.detection(p, [BOX, BARE], [[], []]),
            "truth of image 1: its objects have no labels, and other images have them",
        ),
        (
            lambda p: Predictions.semantic(p, np.zeros((2, 4, 4)), np.zeros((2, 5, 4))),
            "sample 0 has a truth of 4×4 and a prediction of 5×4",
        ),
        (
            lambda p: Predictions.semantic(p, np.full((2, 4, 4), -1), np.zeros((2, 4, 4))),
            "label -1 is below 0",
        ),
        (lambda p: Predictions.anomaly(p, [0, 2], [0.1, 0.2]), "expected 0 (normal) and 1"),
        (lambda p: Predictions.anomaly(p, [0, 1], [0.1]), "expected 2 numbers, one a sample"),
        (
            lambda p: Predictions.depth(p, np.ones((2, 4, 4)), np.ones((2, 4, 5))),
            "sample 0 has a truth of 4×4 and a prediction of 4×5",
        ),
        (lambda p: Predictions.of(3), "Expected Predictions, saw int"),
        (lambda p: Predictions.of((p,), "depth"), "expected (images, truth, output)"),
        (lambda p: Predictions.of((p,), "depths"), "Task 'depths' is none of"),
        (lambda p: Predictions.classification(p[:0], [], np.zeros((0, 2))), "There are no samples"),
        (lambda p: example("depth") + example("anomaly"), "cannot be joined"),
    ],
)
def test_what_does_not_fit_is_one_line(make: Any, said: str) -> None:
    with pytest.raises(UsageProblem) as error:
        make(photos()[:2])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_no_boxes_at_all_is_fine() -> None:
    empty = {"boxes": torch.zeros((0, 4)), "labels": torch.zeros(0), "scores": torch.zeros(0)}
    made = Predictions.detection(photos()[:2], [[], empty], [empty, None], classes=NAMES)
    assert made.boxes.truth.offsets.tolist() == [0, 0, 0]
    assert made.boxes.prediction.xyxy.shape == (0, 4)


def test_one_pixel_and_a_whole_wall() -> None:
    small = Predictions.classification(
        np.zeros((1, 1, 1, 3), np.uint8), [0], np.eye(2)[:1], layout="HWC"
    )
    assert small.pixels is not None
    assert (small.pixels.tile(0).width, small.pixels.tile(0).height) == (1, 1)
    rng = np.random.default_rng(0)
    wall = np.kron(rng.integers(0, 255, (64, 64, 3), np.uint8), np.ones((128, 128, 1), np.uint8))
    large = Predictions.classification([wall], [0], np.eye(2)[:1])
    assert large.pixels is not None
    assert wall.shape == (8192, 8192, 3)
    assert large.pixels.tile(0).width == 160
    assert large.pixels.full(0).width == 8192
