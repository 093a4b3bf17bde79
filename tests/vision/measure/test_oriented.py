"""Oriented boxes: areas beside a polygon clipped edge by edge, figures beside hotcoco."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.quads import areas_of, convex, corners_of, ious
from tests.vision.measure.make import measured, turned, turned_boxes

SIDE = 128
KINDS: list[dict[str, Any]] = [
    {},
    {"classes": 1},
    {"classes": 4},
    {"ties": True},
    {"images": 1},
    {"images": 15, "most": 20},
]


def clipped(one: Any, other: Any) -> float:
    """Return the common area of two convex polygons, cut edge by edge (Sutherland, Hodgman)."""
    left = [tuple(point) for point in one]
    for start, end in zip(other, np.roll(other, -1, axis=0), strict=True):

        def inside(p: Any, a: Any = start, b: Any = end) -> bool:
            return bool((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) >= 0)

        made = []
        for at, here in enumerate(left):
            ahead = left[(at + 1) % len(left)]
            if inside(here):
                made.append(here)
            if inside(here) != inside(ahead):
                r, s = np.subtract(ahead, here), np.subtract(end, start)
                off = np.subtract(start, here)
                t = (off[0] * s[1] - off[1] * s[0]) / (r[0] * s[1] - r[1] * s[0])
                made.append((here[0] + t * r[0], here[1] + t * r[1]))
        left = made
        if not left:
            return 0.0
    x, y = np.array(left).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def test_the_common_area_is_that_of_a_clipped_polygon() -> None:
    rng = np.random.default_rng(0)
    sides = [
        np.c_[rng.uniform(0, 60, (n, 2)), rng.uniform(2, 40, (n, 2)), rng.uniform(-4, 4, n)]
        for n in (60, 40)
    ]
    one, other = (convex(corners_of(side)) for side in sides)
    found, mine, theirs = ious(one, other), areas_of(one), areas_of(other)
    for row in range(len(one)):
        for column in range(len(other)):
            both = clipped(one[row], other[column])
            wanted = both / (mine[row] + theirs[column] - both)
            assert found[row, column] == pytest.approx(wanted, abs=1e-12)


BOX = [50.0, 40, 20, 10, 0.3]
PAIRS: dict[str, tuple[list[float], list[float], float]] = {
    "the same": (BOX, BOX, 1),
    "half a turn": (BOX, [50, 40, 20, 10, 0.3 + math.pi], 1),
    "a quarter with its sides exchanged": (BOX, [50, 40, 10, 20, 0.3 + math.pi / 2], 1),
    "almost a whole turn": (BOX, [50, 40, 20, 10, 0.3 - 2 * math.pi], 1),
    "a cross": ([50, 40, 20, 10, 0], [50, 40, 20, 10, math.pi / 2], 100 / 300),
    "half of it": ([50, 40, 20, 10, 0], [60, 40, 20, 10, 0], 100 / 300),
    "at its edge": ([50, 40, 20, 10, 0], [70, 40, 20, 10, 0], 0),
    "inside": ([50, 40, 20, 10, 0.5], [50, 40, 10, 5, 0.5], 0.25),
    "a turned square": (
        [0, 0, 2, 2, 0],
        [0, 0, 2, 2, math.pi / 4],
        (8 * math.sqrt(2) - 8) / (16 - 8 * math.sqrt(2)),
    ),
    "no width": ([50, 40, 0, 10, 0.3], BOX, 0),
    "far away": (BOX, [500, 40, 20, 10, 0.3], 0),
}


@pytest.mark.parametrize("name", list(PAIRS))
def test_edge_cases_of_the_common_area(name: str) -> None:
    one, other, wanted = PAIRS[name]
    pair = [convex(corners_of(np.array([box]))) for box in (one, other)]
    assert ious(*pair)[0, 0] == pytest.approx(wanted, abs=1e-9)
    backward = convex(pair[0][:, ::-1])
    assert ious(backward, pair[1])[0, 0] == pytest.approx(wanted, abs=1e-9)


def test_corners_that_are_not_convex_are_their_hull() -> None:
    bow = np.array([[[0, 0], [2, 2], [2, 0], [0, 2]]])
    dart = np.array([[[0, 0], [4, 0], [1, 1], [0, 4]]])
    assert areas_of(convex(bow)).tolist() == [4]
    assert areas_of(convex(dart)).tolist() == [8]


def by_hotcoco(data: Predictions) -> dict[str, float]:
    from hotcoco import COCO, COCOeval

    def rows(boxes: Any, turned_as: Any) -> list[dict[str, Any]]:
        made = []
        for at, box in enumerate(turned_as):
            corners = boxes.xyxy[at].tolist()
            x1, y1, x2, y2 = corners
            one = {"id": at + 1, "image_id": int(boxes.images[at]), "obb": list(map(float, box))}
            one |= {"category_id": int(boxes.labels[at]), "bbox": [x1, y1, x2 - x1, y2 - y1]}
            one |= {"area": float(box[2] * box[3]), "iscrowd": 0}
            if boxes.scores is not None:
                one["score"] = float(boxes.scores[at])
            made.append(one)
        return made

    def sides(boxes: Any) -> list[list[float]]:
        made = []
        for a, b, _, d in boxes.corners:
            across, down = b - a, d - a
            centre = a + (across + down) / 2
            angle = math.atan2(across[1], across[0])
            made.append([*centre, np.hypot(*across), np.hypot(*down), angle])
        return made

    truth = COCO(
        {
            "images": [{"id": at, "height": SIDE, "width": SIDE} for at in range(len(data))],
            "categories": [{"id": k, "name": str(k)} for k in range(len(data.classes))],
            "annotations": rows(data.boxes.truth, sides(data.boxes.truth)),
        }
    )
    said = rows(data.boxes.prediction, sides(data.boxes.prediction))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = COCOeval(truth, truth.load_res(said), "obb")
        run.evaluate()
        run.accumulate()
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]

    def mean(values: Any) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else math.nan

    named = {"mAP50": precision[0], "mAP75": precision[5], "mAP50-95": precision}
    return {name: mean(values) for name, values in named.items()}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(10))
def test_the_figures_are_hotcocos(seed: int, kind: dict[str, Any]) -> None:
    data = turned(turned_boxes(seed, **kind))
    if not len(data.boxes.prediction.labels) or not len(data.boxes.truth.labels):
        data = turned(turned_boxes(seed + 100, **kind))
    found = measured(data).metrics
    for name, value in by_hotcoco(data).items():
        assert found[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_boxes_that_are_not_turned_are_those_of_a_detection() -> None:
    truth, said = turned_boxes(3, images=20)
    for item in (*truth, *said):
        item["boxes"][:, 4] = 0
    data = turned((truth, said))
    plain = Predictions.detection(
        None,
        [{"boxes": t["boxes"][:, :4], "labels": t["labels"]} for t in truth],
        [{"boxes": s["boxes"][:, :4], "labels": s["labels"], "scores": s["scores"]} for s in said],
        classes=data.classes,
        box_format="cxcywh",
        sizes=data.sizes,
    )
    mine, theirs = measured(data).metrics, measured(plain).metrics
    assert mine == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_the_interval_is_around_the_figure() -> None:
    found = measured(turned(turned_boxes(1, images=60)), resamples=200)
    assert found.interval is not None
    assert found.interval.low < found.metrics["mAP50"] < found.interval.high


CORNERS = corners_of(np.array([BOX]))


def ultralytics(scored: bool) -> Any:
    obb = SimpleNamespace(
        xyxyxyxy=torch.tensor(CORNERS), cls=torch.tensor([1.0]), conf=torch.tensor([0.9])
    )
    return SimpleNamespace(obb=obb)


FORMS: dict[str, Any] = {
    "corners": {"corners": CORNERS, "labels": [1]},
    "eight numbers": {"polygons": CORNERS.reshape(1, 8), "labels": [1]},
    "centre and angle": {"boxes": np.array([BOX]), "labels": [1]},
    "another winding": {"corners": CORNERS[:, ::-1], "labels": [1]},
    "names": {"corners": CORNERS, "labels": ["ship"]},
}


@pytest.mark.parametrize("name", [*FORMS, "ultralytics"])
def test_each_form_says_the_same(name: str) -> None:
    truth = ultralytics(False) if name == "ultralytics" else FORMS[name]
    said = ultralytics(True) if name == "ultralytics" else {**FORMS[name], "scores": [0.9]}
    data = Predictions.oriented(
        None, [truth], [said], classes=["plane", "ship"], sizes=[(100, 120)], angle="radians"
    )
    assert data.boxes.truth.labels.tolist() == [1]
    assert data.boxes.truth.areas is not None
    assert data.boxes.truth.areas.tolist() == pytest.approx([200])
    assert measured(data).metrics["mAP50-95"] == pytest.approx(1)


def test_label_files_of_dota_and_yolo_are_read(tmp_path: Path) -> None:
    flat = " ".join(f"{one:.6f}" for one in CORNERS.reshape(-1))
    dota = tmp_path / "P0001.txt"
    dota.write_text(f"imagesource:GoogleEarth\ngsd:0.14\n{flat} ship 0\n{flat} plane 1\n")
    shares = " ".join(f"{one:.8f}" for one in (CORNERS / [120, 100]).reshape(-1))
    yolo = tmp_path / "0001.txt"
    yolo.write_text(f"1 {shares}\n")
    for path, count in ((dota, 2), (str(yolo), 1)):
        said = {"corners": CORNERS, "labels": [1], "scores": [0.9]}
        data = Predictions.oriented(
            None, [path], [said], classes=["plane", "ship"], sizes=[(100, 120)]
        )
        truth = data.boxes.truth
        assert truth.corners is not None
        assert truth.corners[0] == pytest.approx(convex(CORNERS)[0], abs=1e-4)
        assert len(truth.labels) == count
        assert measured(data).metrics["recall"] == 1
        assert (truth.ignored is not None) == (count == 2)


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "an angle of two readings": ({"boxes": [BOX], "labels": [0]}, {}, "radians or degrees"),
    "a unit that is none": ({"corners": CORNERS, "labels": [0]}, {"angle": "turns"}, "neither"),
    "four numbers": ({"boxes": [[1, 2, 3, 4]], "labels": [0]}, {"angle": "radians"}, "M×5"),
    "no corners": ({"labels": [0]}, {}, "no corners and no boxes"),
    "a negative side": (
        {"boxes": [[1, 2, -3, 4, 0.1]], "labels": [0]},
        {"angle": "radians"},
        "negative width",
    ),
    "a NaN": ({"corners": CORNERS * np.nan, "labels": [0]}, {}, "NaN or infinite"),
    "no file": ("nowhere.txt", {}, "cannot be read"),
    "another thing": (7, {}, "expected a dict with corners"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_read_is_said_in_a_line(name: str) -> None:
    truth, more, words = BAD[name]
    said = {"corners": CORNERS, "labels": [0], "scores": [0.9]}
    with pytest.raises(UsageProblem, match=words):
        Predictions.oriented(None, [truth], [said], sizes=[(100, 120)], **more)


def test_degrees_need_no_word_where_they_can_be_nothing_else() -> None:
    box = [*BOX[:4], 30.0]
    data = Predictions.oriented(
        None,
        [{"boxes": [box], "labels": [0]}],
        [
            {
                "corners": corners_of(np.array([[*BOX[:4], math.radians(30)]])),
                "labels": [0],
                "scores": [1],
            }
        ],
        sizes=[(100, 120)],
    )
    assert measured(data).metrics["mAP50-95"] == pytest.approx(1)


@pytest.mark.parametrize("line", ["1 2 3", "1 2 3 4 5 6 7 x ship 0", "1 2 3 4 5 6 7 8 ship 7"])
def test_a_line_that_is_no_box_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(f"1 2 3 4 5 6 7 8 ship 0\n{line}\n")
    with pytest.raises(UsageProblem, match=r"line 2 of labels\.txt is no box"):
        Predictions.oriented(None, [path], [None], classes=["ship"], sizes=[(100, 120)])


def test_a_served_answer_is_compared_corner_by_corner() -> None:
    from cvtrack_magics.release.model.measured import Alike, Differs, Unlike, compared

    data = turned(turned_boxes(2, images=1, most=3, classes=1))
    said = data.boxes.prediction
    assert said.corners is not None
    answer = {"boxes": said.xyxy, "scores": said.scores, "labels": ["class 0"] * len(said.labels)}
    assert isinstance(compared([{**answer, "corners": said.corners}], data, ["class 0"]), Alike)
    moved = said.corners + np.array([5, 0])
    found = compared([{**answer, "corners": moved}], data, ["class 0"])
    assert isinstance(found, Differs)
    assert "5.0 pixels" in found.how
    assert isinstance(compared([answer], data, ["class 0"]), Unlike)


ONE = {"corners": CORNERS, "labels": [0]}
SAID = {**ONE, "scores": [0.5]}


@pytest.mark.parametrize(
    ("truth", "said", "recall", "precision"),
    [
        ([ONE], [None], 0, math.nan),
        ([None], [SAID], math.nan, 0),
        ([None], [None], math.nan, math.nan),
        ([ONE, None], [None, SAID], 0, 0),
        ([ONE], [{**SAID, "scores": [math.nan]}], 0, math.nan),
        ([{"corners": [], "labels": []}], [SAID], math.nan, 0),
    ],
)
def test_a_side_without_objects_is_measured(
    truth: list[Any], said: list[Any], recall: float, precision: float
) -> None:
    sizes = [(100, 120)] * len(truth)
    data = Predictions.oriented(None, truth, said, classes=["ship"], sizes=sizes)
    found = measured(data + data).metrics
    assert found["recall"] == pytest.approx(recall, nan_ok=True)
    assert found["precision"] == pytest.approx(precision, nan_ok=True)
