"""Key points measured beside pycocotools itself, and read in every usual form."""

from __future__ import annotations

import contextlib
import io
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.keypoints.oks import COCO_PERSON
from tests.vision.measure.make import measured, pose_files, posed

KINDS: list[dict[str, Any]] = [
    {},
    {"points": 5},
    {"classes": 3},
    {"unlabelled": 0.6},
    {"crowd": True},
    {"ties": True},
    {"images": 1},
    {"images": 12, "most": 25},
]
ORDER = ("", "50", "75")


def test_cocos_files_are_read(tmp_path: Any) -> None:
    import json

    made = pose_files(4, crowd=True)
    truth, said = tmp_path / "truth.json", tmp_path / "results.json"
    truth.write_text(json.dumps(made["truth"]))
    said.write_text(json.dumps(made["said"]))
    read = Predictions.from_coco(truth, said, keypoints=True)
    assert not any("no bbox" in note for note in read.notes)
    found = measured(read).metrics
    expected = by_pycocotools(made, COCO_PERSON)
    assert {name: found[name] for name in expected} == expected


def by_pycocotools(made: dict[str, Any], sigmas: Any, area: str = "all") -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = made["truth"]
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(made["said"]), "keypoints")
        run.params.kpt_oks_sigmas = np.array(sigmas)
        run.evaluate()
        run.accumulate()
    at = run.params.areaRngLbl.index(area)
    precision = run.eval["precision"][:, :, :, at, 0]
    recall = run.eval["recall"][:, :, at, 0]

    def mean(values: Any) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else math.nan

    found = {"": mean(precision), "50": mean(precision[0]), "75": mean(precision[5])}
    return {**{f"keypoint_AP{k}": v for k, v in found.items()}, "keypoint_AR": mean(recall)}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_the_figures_are_pycocotools_to_the_last_bit(seed: int, kind: dict[str, Any]) -> None:
    made = pose_files(seed, **kind)
    if not made["said"]:
        made = pose_files(seed + 100, **kind)
    points = kind.get("points", 17)
    sigmas = COCO_PERSON if points == 17 else [0.05, 0.1, 0.07, 0.02, 0.09]
    data = posed(made, sigmas=None if points == 17 else sigmas)
    found = measured(data).metrics
    for name, value in by_pycocotools(made, sigmas).items():
        assert found[name] == value or (math.isnan(found[name]) and math.isnan(value)), name


@pytest.mark.parametrize("boxed", [False, True], ids=["points only", "with boxes"])
@pytest.mark.parametrize("seed", range(4))
def test_the_parts_by_size_are_pycocotools(seed: int, boxed: bool) -> None:
    """Of results with a box pycocotools takes its area, of others that around the points."""
    from cvtrack_magics.tasks.slices import measure_slices, parts_of

    made = pose_files(seed, images=20, boxed=boxed)
    data = posed(made)
    whole = measured(data)
    for part in measure_slices(data, parts_of(data, ["size"]), whole, resamples=0):
        expected = by_pycocotools(made, COCO_PERSON, part.part.value)["keypoint_AP"]
        assert part.evaluation is not None
        assert part.evaluation.metrics["keypoint_AP"] == pytest.approx(expected, abs=0, nan_ok=True)


@pytest.mark.parametrize("seed", range(6))
def test_annotations_that_were_evaluated_before_are_the_same(seed: int) -> None:
    """COCOeval leaves its ``ignore`` in them, of crowds and of objects without points."""
    made = pose_files(seed, images=12, crowd=True)
    before = measured(posed(made)).metrics
    expected = by_pycocotools(made, COCO_PERSON)
    assert any(one["ignore"] and not one["iscrowd"] for one in made["truth"]["annotations"])
    after = measured(posed(made)).metrics
    assert {name: after[name] for name in expected} == expected
    assert {name: before[name] for name in expected} == expected


def one_pose(**more: Any) -> dict[str, Any]:
    spots = np.stack((np.linspace(8, 50, 17), np.linspace(50, 8, 17), np.full(17, 2.0)), axis=1)
    return {"keypoints": spots[None], "boxes": [[5, 5, 55, 55]], "labels": [0], **more}


NONE = {"keypoints": np.zeros((0, 17, 3)), "boxes": np.zeros((0, 4)), "labels": np.zeros(0, int)}
FOUND = one_pose(scores=[0.9])
EDGES: dict[str, tuple[Any, Any, float, float, float]] = {
    "nothing on either side": ([], [], math.nan, math.nan, math.nan),
    "nothing, as arrays": (NONE, {**NONE, "scores": []}, math.nan, math.nan, math.nan),
    "nothing true": ([], FOUND, math.nan, 0, math.nan),
    "nothing predicted": (one_pose(), [], 0, math.nan, 0),
    "no arrays predicted": (one_pose(), {**NONE, "scores": []}, 0, math.nan, 0),
    "a score that is no number": (one_pose(), one_pose(scores=[math.nan]), 0, math.nan, 0),
    "only a crowd": (one_pose(iscrowd=[1]), FOUND, math.nan, math.nan, math.nan),
    "no labelled point": (
        one_pose(keypoints=np.zeros((1, 17, 3))),
        FOUND,
        math.nan,
        math.nan,
        math.nan,
    ),
    "found": (one_pose(), FOUND, 1, 1, 1),
}


@pytest.mark.parametrize("name", list(EDGES))
def test_what_has_no_objects_is_measured_too(name: str) -> None:
    from cvtrack_magics.tasks import npz

    truth, said, *expected = EDGES[name]
    data = Predictions.keypoints(None, [truth], [said], classes=["person"], sizes=[(64, 64)])
    assert not any("sigmas" in note for note in data.notes)
    back, _ = npz.load(npz.dump(data, None))
    for one in (data, back):
        found = measured(one, resamples=20).metrics
        figures = [found[key] for key in ("keypoint_AP", "precision", "recall")]
        assert figures == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("sigmas", [None, np.full(17, 0.07)], ids=["COCO's", "said"])
@pytest.mark.parametrize("name", list(EDGES))
def test_a_batch_without_objects_is_joined_with_others(name: str, sigmas: Any) -> None:
    truth, said, *_ = EDGES[name]
    images = [np.full((64, 64, 3), at, np.uint8) for at in range(2)]
    common: dict[str, Any] = {"classes": ["person"], "sigmas": sigmas}
    part, full = (
        Predictions.keypoints(images[at : at + 1], [one], [two], ids=[str(at)], **common)
        for at, (one, two) in enumerate(((truth, said), (one_pose(), FOUND)))
    )
    both = Predictions.keypoints(
        images, [truth, one_pose()], [said, FOUND], ids=["0", "1"], **common
    )
    wanted = measured(both).metrics
    assert measured(part + full).metrics == pytest.approx(wanted, abs=0, nan_ok=True)
    assert len((full + part).data.sigmas) == 17  # type: ignore[union-attr]


def test_the_interval_is_around_the_figure() -> None:
    data = posed(pose_files(1, images=60))
    found = measured(data, resamples=200)
    assert found.headline == "keypoint_AP"
    assert found.interval is not None
    assert found.interval.low < found.metrics["keypoint_AP"] < found.interval.high


def test_the_similarity_is_the_one_that_matched() -> None:
    """The own formula, which the confusion and the viewer take, beside pycocotools' matches."""
    from cvtrack_magics.tasks.base import Poses
    from cvtrack_magics.tasks.detection.coco_metrics import evaluate
    from cvtrack_magics.tasks.keypoints.oks import oks

    data = posed(pose_files(5, images=20, classes=2, unlabelled=0.5))
    poses = data.data
    assert isinstance(poses, Poses)
    truth, said = poses.truth, poses.prediction
    _, matches = evaluate(truth, said, data.sizes, 2, 0.5, masks=False, sigmas=poses.sigmas)
    hits = np.flatnonzero(matches.truth[0] >= 0)
    assert len(hits) > 20
    for at in hits:
        one = np.array([matches.row[at]]), np.array([matches.truth[0, at]])
        own = oks(said, one[0], truth, one[1], np.array(poses.sigmas))
        assert own[0, 0] == pytest.approx(matches.overlap[0, at], rel=1e-12)


def test_what_is_found_counts() -> None:
    spots = [[10, 10], [30, 10], [30, 40], [10, 40]]
    truth = [{"keypoints": [spots], "boxes": [[5, 5, 35, 45]]}, {"keypoints": np.zeros((0, 4, 3))}]
    said = [
        {"keypoints": [spots, np.add(spots, 60)], "scores": [0.9, 0.4]},
        {"keypoints": [spots], "scores": [0.2]},
    ]
    data = Predictions.keypoints(None, truth, said, sizes=[(100, 120)] * 2)
    assert data.classes == ("0",) or len(data.classes) == 1
    found = measured(data, threshold=0.3)
    assert found.metrics["precision"] == 0.5
    assert found.metrics["recall"] == 1
    assert found.samples["tp"].tolist() == [1, 0]
    assert found.samples["fp"].tolist() == [1, 0]


def torchvisions(scored: bool) -> dict[str, Any]:
    made = {
        "boxes": torch.tensor([[5.0, 5, 35, 45]]),
        "labels": torch.tensor([1]),
        "keypoints": torch.tensor([[[10.0, 10, 1], [30, 40, 1]]]),
    }
    if scored:
        made |= {"scores": torch.tensor([0.9]), "keypoints_scores": torch.ones(1, 2)}
    return made


def ultralytics(scored: bool) -> Any:
    points = torch.tensor([[[10.0, 10, 0.9], [30, 40, 0.8]]])
    boxes = SimpleNamespace(
        xyxy=torch.tensor([[5.0, 5, 35, 45]]), cls=torch.tensor([1.0]), conf=torch.tensor([0.9])
    )
    return SimpleNamespace(keypoints=SimpleNamespace(data=points), boxes=boxes)


def cocos(scored: bool) -> list[dict[str, Any]]:
    made: dict[str, Any] = {"keypoints": [10, 10, 2, 30, 40, 2], "category_id": 1}
    return [{**made, "score": 0.9} if scored else {**made, "bbox": [5, 5, 30, 40], "area": 800}]


def arrays(scored: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"keypoints": np.array([[[10, 10], [30, 40]]]), "labels": [1]}
    return {**made, "scores": [0.9]} if scored else {**made, "boxes": [[5, 5, 35, 45]]}


@pytest.mark.parametrize("form", [torchvisions, ultralytics, cocos, arrays])
def test_each_form_says_the_same(form: Any) -> None:
    truth = cocos(False) if form is ultralytics else form(False)
    data = Predictions.keypoints(
        None, [truth], [form(True)], classes=["a", "b"], sizes=[(100, 120)], sigmas=[0.1, 0.1]
    )
    boxes = data.boxes
    assert boxes.truth.points is not None
    assert boxes.truth.points[0, :, :2].tolist() == [[10, 10], [30, 40]]
    assert (boxes.truth.points[0, :, 2] > 0).all()
    assert boxes.truth.labels.tolist() == boxes.prediction.labels.tolist() == [1]
    assert measured(data).metrics["keypoint_AP"] == pytest.approx(1)


BAD: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "no points": ({"boxes": [[1, 1, 2, 2]], "labels": [0]}, arrays(True), {}, "no keypoints"),
    "other points": (
        {"keypoints": np.zeros((1, 3, 2))},
        arrays(True),
        {},
        "3 key points in the truth and 2 in the predictions",
    ),
    "a flat list": ([{"keypoints": [1, 2], "bbox": [1, 1, 2, 2]}], arrays(True), {}, "x, y, v"),
    "four columns": ({"keypoints": np.zeros((1, 2, 4))}, arrays(True), {}, "M×K×3 or M×K×2"),
    "a NaN": (
        {"keypoints": np.array([[[1, np.nan, 2], [3, 4, 2]]])},
        arrays(True),
        {},
        "NaN or infinite",
    ),
    "too few sigmas": (arrays(False), arrays(True), {"sigmas": [0.1]}, "expected 2 numbers"),
    "a sigma of 0": (arrays(False), arrays(True), {"sigmas": [0.1, 0]}, "above 0"),
    "no scores": (arrays(False), arrays(False), {}, "scores"),
    "more boxes": (
        {"keypoints": np.ones((1, 2, 2)), "boxes": [[1, 1, 2, 2]] * 2, "labels": [0, 0]},
        arrays(True),
        {},
        "2 boxes, but key points of 1",
    ),
    "an area of text": ({**arrays(False), "area": [-3]}, arrays(True), {}, "area is one number"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_read_is_said_in_a_line(name: str) -> None:
    truth, said, more, words = BAD[name]
    with pytest.raises(UsageProblem, match=words):
        Predictions.keypoints(None, [truth], [said], sizes=[(100, 120)], **more)


def test_sigmas_that_nobody_said_are_noted() -> None:
    data = Predictions.keypoints(None, [arrays(False)], [arrays(True)], sizes=[(100, 120)])
    assert any("sigmas are 1/2" in note for note in data.notes)
    person = posed(pose_files(1))
    assert not any("sigmas" in note for note in person.notes)


def test_parts_of_other_sigmas_are_not_joined() -> None:
    one, other = (
        Predictions.keypoints(
            None, [arrays(False)], [arrays(True)], sizes=[(100, 120)], sigmas=[k, k], ids=[str(k)]
        )
        for k in (0.1, 0.2)
    )
    with pytest.raises(UsageProblem, match="other sigmas"):
        one + other
    both = posed(pose_files(1)) + posed(pose_files(2))
    assert len(both) == 16
    assert both.boxes.truth.points is not None
    assert len(both.boxes.truth.points) == len(both.boxes.truth.labels)


def test_a_file_has_all_of_it() -> None:
    from cvtrack_magics.tasks import npz

    data = posed(pose_files(3, crowd=True))
    back, _ = npz.load(npz.dump(data, None))
    assert measured(back).metrics == pytest.approx(measured(data).metrics, abs=0, nan_ok=True)
    assert back.data.sigmas == data.data.sigmas  # type: ignore[union-attr]


def test_a_served_answer_is_compared_point_by_point() -> None:
    from cvtrack_magics.release.model.measured import Alike, Differs, Unlike, compared

    data = posed(pose_files(2, images=1, most=3))
    said = data.boxes.prediction
    assert said.points is not None
    answer = {"boxes": said.xyxy, "scores": said.scores, "labels": ["class 0"] * len(said.labels)}
    assert isinstance(compared([{**answer, "keypoints": said.points}], data, ["class 0"]), Alike)
    moved = said.points.copy()
    moved[0, 3, 0] += 5
    found = compared([{**answer, "keypoints": moved}], data, ["class 0"])
    assert isinstance(found, Differs)
    assert "5.0 pixels" in found.how
    assert isinstance(compared([answer], data, ["class 0"]), Unlike)
