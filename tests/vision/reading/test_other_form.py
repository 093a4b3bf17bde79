"""What else boxes, labels and COCO's files may be than what they were read as."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions

HEIGHT, WIDTH = 480, 640


def boxes(seed: int) -> tuple[list[Any], list[Any]]:
    """Return true and predicted boxes of good and of bad models, often near the corner."""
    rng = np.random.default_rng(seed)
    noise, reach = rng.choice([0.02, 0.1, 0.3, 2.0]), rng.choice([0.3, 1.0])
    truth, said = [], []
    for _ in range(int(rng.integers(3, 20))):
        size = rng.uniform(0.05, 0.5, (int(rng.integers(0, 8)), 2)) * [WIDTH, HEIGHT]
        low = rng.random(size.shape) * np.maximum(np.array([WIDTH, HEIGHT]) * reach - size, 1)
        true = np.concatenate((low, low + size), axis=1)
        moved = true + rng.normal(size=true.shape) * noise * np.tile(size, 2)
        moved = np.concatenate((moved, rng.random((2, 4)) * [WIDTH, HEIGHT, WIDTH, HEIGHT]))
        truth.append(true)
        said.append(np.sort(moved.reshape(-1, 2, 2), axis=1).reshape(-1, 4))
    return truth, said


def entry(corners: Any, form: str) -> dict[str, Any]:
    sizes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)
    return {
        "boxes": corners if form == "xyxy" else sizes,
        "labels": np.zeros(len(corners), int),
        "scores": np.full(len(corners), 0.5),
    }


def read(seed: int, true_form: str, said_form: str, box_format: str) -> str:
    truth, said = boxes(seed)
    try:
        made = Predictions.detection(
            None,
            [entry(each, true_form) for each in truth],
            [entry(each, said_form) for each in said],
            classes=["a", "b"],
            box_format=box_format,
            sizes=[(HEIGHT, WIDTH)] * len(truth),
        )
    except UsageProblem:
        return "refused"
    words = ("box_format right", "reach out of their picture")
    return next((note for note in made.notes if any(word in note for word in words)), "")


@pytest.mark.parametrize("form", ["xyxy", "xywh"])
def test_no_honest_set_is_doubted(form: str) -> None:
    assert [seed for seed in range(100) if read(seed, form, form, form)] == []


@pytest.mark.parametrize(
    ("true_form", "said_form", "box_format", "least"),
    [
        ("xyxy", "xywh", "xyxy", 50),
        ("xywh", "xyxy", "xyxy", 50),
        ("xywh", "xyxy", "xywh", 25),
        ("xyxy", "xywh", "xywh", 20),
    ],
)
def test_boxes_of_one_side_in_another_form_are_asked_about(
    true_form: str, said_form: str, box_format: str, least: int
) -> None:
    found = [read(seed, true_form, said_form, box_format) for seed in range(50)]
    assert sum(map(bool, found)) >= least


def test_which_side_and_which_form_is_said() -> None:
    truth, said = [np.array([[10.0, 10, 40, 50]] * 3)] * 2, [np.array([[10.0, 10, 40, 50]] * 3)] * 2
    made = Predictions.detection(
        None,
        [entry(each, "xywh") for each in truth],
        [entry(each, "xyxy") for each in said],
        classes=["a", "b"],
        box_format="xywh",
        sizes=[(HEIGHT, WIDTH)] * 2,
    )
    assert made.notes == (
        "predictions: read as corners, the boxes lie on those of the other side (mean IoU 1.00), "
        "as they were read they do not (0.60); is box_format right?",
    )


def maps(*labels: int) -> Any:
    plane = np.zeros((1, 8, 8), int)
    plane[0, 0, : len(labels)] = labels
    return plane


@pytest.mark.parametrize("void", [254, 253, 100, 99])
@pytest.mark.parametrize("ignore", [None, 255])
def test_a_lone_high_label_is_asked_about(void: int, ignore: int | None) -> None:
    truth, said = maps(1, 2, 3, void), maps(1, 2, 3)
    with pytest.raises(UsageProblem) as error:
        Predictions.semantic(None, truth, said, classes=19, ignore=ignore)
    how = f"Say ignore={void}." if ignore is None else "Give its pixels the label 255."
    assert how in str(error.value)
    made = Predictions.semantic(None, truth, said, ignore=ignore)
    assert [note for note in made.notes if note.startswith(f"Label {void} was read as a class")]
    assert Predictions.semantic(None, truth, said, classes=256, ignore=ignore).notes == ()


COCO = {
    "images": [{"id": 1, "width": 20, "height": 10, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "a"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}],
}
RESULTS = [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4], "score": 0.9}]


@pytest.mark.parametrize("name", ["truth.json.gz", "truth.json"])  # the content says what it is
def test_packed_files_of_coco_are_read(tmp_path: Path, name: str) -> None:
    truth, results = tmp_path / name, tmp_path / "results.json.gz"
    truth.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(COCO).encode()))
    results.write_bytes(gzip.compress(json.dumps(RESULTS).encode()))
    made = Predictions.from_coco(truth, results)
    assert made.boxes.prediction.xyxy.tolist() == [[1, 1, 5, 5]]


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00",
        gzip.compress(b"{}" * 500, mtime=0)[:20],
        gzip.compress(b"no", mtime=0),
    ],
    ids=["two", "head", "cut", "text"],
)
def test_a_packed_file_that_is_broken_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "truth.json.gz"
    file.write_bytes(content)
    with pytest.raises(UsageProblem, match=r"truth\.json\.gz.* is no JSON file"):
        Predictions.from_coco(file, None)


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.vision import foreign

    monkeypatch.setattr(foreign, "TEXT_LIMIT", 1000)
    file = tmp_path / "truth.json.gz"
    file.write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(UsageProblem, match=r"is over .* unpacked") as said:
        Predictions.from_coco(file, None)
    assert "JSON" not in str(said.value)


def test_both_sides_in_another_form_are_asked_about() -> None:
    """As far as they lie in the whole picture: near its corner both readings fit in."""
    found = [read(seed, "xyxy", "xyxy", "xywh") for seed in range(50)]
    assert sum("none read as corners" in note for note in found) >= 25


def test_swapped_sides_of_pictures_are_asked_about() -> None:
    wide = np.array([[10.0, 10, 100, 50], [60, 5, 110, 55]] * 3)
    made = Predictions.detection(
        None,
        [entry(wide, "xyxy")],
        [entry(wide, "xyxy")],
        classes=["a"],
        box_format="xyxy",
        sizes=[(120, 60)],
    )
    assert "none with height and width swapped; are the sizes right?" in made.notes[0]
