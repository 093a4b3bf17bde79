"""The document that the viewer is fed: every column and picture against its source."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.display.viewer.build import Frame, Sheet, build_sheet
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.palette import CLASSES
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.columns import Packs, read_column
from tests.vision.examples import NAMES, TASKS, example, photos


def sheet_of(*frames: Frame, limit: int = 10_000_000, **options: Any) -> Sheet:
    made = build_sheet(frames, limit=limit, **options)
    json.dumps(made.document, allow_nan=False)
    return made


def picture(sheet: Sheet, places: Any, at: int) -> bytes:
    pack, start, size = (int(read_column(places[k])[at]) for k in ("pack", "start", "size"))
    return sheet.packs[pack][start : start + size] if size else b""


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("task", TASKS)
def test_every_sample_and_its_picture_are_there(task: str) -> None:
    made = example(task)
    sheet = sheet_of(Frame(made, 3), title="t")
    document = sheet.document
    assert (document["task"], document["count"], document["ids"]) == (task, 4, list("0123"))
    assert document["shown"] == {"tiles": 4, "of": 4, "note": ""}
    assert document["frames"][0]["label"] == "step 3"
    assert document["frames"][0]["present"] is None
    assert read_column(document["width"]).tolist() == [64] * 4
    assert read_column(document["tile_height"]).tolist() == [48] * 4
    assert made.pixels is not None
    for at in range(4):
        assert picture(sheet, document["tile"], at) == made.pixels.full(at).data
    assert [one["name"] for one in document["classes"]] == list(made.classes)
    assert len(sheet.packs) == document["packs"]


def test_classification_columns() -> None:
    made = example("classification")
    frame = sheet_of(Frame(made)).document["frames"][0]
    data = frame["data"]
    probs = made.labels.probabilities
    assert read_column(data["truth"]).tolist() == made.labels.truth.tolist()
    assert read_column(data["pred"]).tolist() == probs.argmax(axis=1).tolist()
    np.testing.assert_allclose(read_column(data["probs"]).reshape(4, 3), probs, rtol=1e-6)
    np.testing.assert_allclose(
        read_column(data["top"]["probs"]).reshape(4, 3), -np.sort(-probs, axis=1), rtol=1e-6
    )
    loss = -np.log(probs[np.arange(4), made.labels.truth])
    np.testing.assert_allclose(read_column(frame["scores"]["loss"]), loss, rtol=1e-6)


@pytest.mark.parametrize("task", ["detection", "instance"])
def test_object_columns(task: str) -> None:
    made = example(task)
    data = sheet_of(Frame(made)).document["frames"][0]["data"]
    for key, boxes in (("truth", made.boxes.truth), ("pred", made.boxes.prediction)):
        assert read_column(data[key]["offsets"]).tolist() == boxes.offsets.tolist()
        np.testing.assert_allclose(read_column(data[key]["xyxy"]).reshape(-1, 4), boxes.xyxy)
        assert read_column(data[key]["labels"]).tolist() == boxes.labels.tolist()
        if task == "detection":
            assert data[key]["runs"] is None
            continue
        assert boxes.masks is not None
        ends = read_column(data[key]["runs"]["offsets"])
        counts = read_column(data[key]["runs"]["counts"])
        for row, mask in enumerate(boxes.masks):
            assert counts[ends[row] : ends[row + 1]].tolist() == mask.counts.tolist()


def test_of_a_detectors_boxes_only_those_that_count_are_shown_first() -> None:
    from cvtrack_magics.tasks.evaluate import measure

    made = example("detection", 6)
    best = measure(made, resamples=0).metrics["best_threshold"]
    assert sheet_of(Frame(made)).document["settings"] == {"threshold": best}
    given = sheet_of(Frame(made), settings={"threshold": 0.25}).document["settings"]
    assert given == {"threshold": 0.25}
    assert sheet_of(Frame(example("classification"))).document["settings"] == {}


def test_label_maps_and_their_confusion_are_exact() -> None:
    made = example("semantic")
    sheet = sheet_of(Frame(made))
    data = sheet.document["frames"][0]["data"]
    for at in range(4):
        truth, said = made.segments.truth[at], made.segments.prediction[at]
        assert (pixels(picture(sheet, data["truth"], at)) == truth).all()
        assert (pixels(picture(sheet, data["pred"], at)) == said).all()
        ends = read_column(data["cells"]["offsets"])
        part = slice(ends[at], ends[at + 1])
        table = np.zeros(9, int)
        table[read_column(data["cells"]["index"])[part]] = read_column(data["cells"]["count"])[part]
        np.testing.assert_array_equal(
            table.reshape(3, 3),
            [[((truth == t) & (said == p)).sum() for p in range(3)] for t in range(3)],
        )


def test_more_than_254_classes_take_two_channels_and_ignored_pixels_are_no_class() -> None:
    truth = np.array([[[0, 299], [7, 65000]]])
    made = Predictions.semantic(
        photos()[:1], truth, np.array([[[0, 299], [8, 5]]]), classes=300, ignore=65000
    )
    sheet = sheet_of(Frame(made))
    data = sheet.document["frames"][0]["data"]
    shown = pixels(picture(sheet, data["truth"], 0)).astype(int)
    assert data["wide"] is True
    assert (shown[..., 0] + 256 * shown[..., 1]).tolist() == [[0, 299], [7, 65535]]
    assert read_column(data["cells"]["count"]).sum() == 3


def test_heat_and_depth_are_scaled_and_gaps_are_marked() -> None:
    made = example("depth")
    sheet = sheet_of(Frame(made))
    data = sheet.document["frames"][0]["data"]
    low, high = data["range"]
    truth = made.depths.truth[0]
    grey = pixels(picture(sheet, data["truth"], 0)).astype(float)
    assert (grey[:4] == 0).all()
    back = low + (grey[4:] - 1) / 254 * (high - low)
    assert np.abs(back - truth[4:]).max() <= (high - low) / 254
    made = example("anomaly")
    sheet = sheet_of(Frame(made))
    data = sheet.document["frames"][0]["data"]
    assert made.anomalies.heat is not None
    assert made.anomalies.masks is not None
    low, high = data["heat_range"]
    grey = pixels(picture(sheet, data["heat"], 1)).astype(float)
    assert np.abs(low + grey / 255 * (high - low) - made.anomalies.heat[1]).max() <= 1 / 255
    mask = pixels(picture(sheet, data["mask"], 1))
    assert (mask == made.anomalies.masks[1] * 255).all()


def test_frames_are_joined_by_id() -> None:
    old, new = example("classification", 3), example("classification", 3, seed=1, ids=[2, 1, 9])
    document = sheet_of(Frame(old, 1, "old"), Frame(new, 2, "new"), compare=(0, 1)).document
    assert document["ids"] == ["0", "1", "2", "9"]
    assert [f["label"] for f in document["frames"]] == ["old · step 1", "new · step 2"]
    first, second = document["frames"]
    assert read_column(first["present"]).tolist() == [1, 1, 1, 0]
    assert read_column(second["present"]).tolist() == [0, 1, 1, 1]
    truth = new.labels.truth
    assert read_column(second["data"]["truth"]).tolist() == [-1, truth[1], truth[0], truth[2]]
    assert np.isnan(read_column(second["scores"]["loss"])[0])


def test_equal_pictures_of_two_frames_are_there_once() -> None:
    one = sheet_of(Frame(example("semantic"), 0))
    two = sheet_of(Frame(example("semantic"), 0), Frame(example("semantic"), 1))
    assert two.packs == one.packs


def test_the_worst_go_first_into_a_limit() -> None:
    made = example("classification", 6)
    assert made.pixels is not None
    sizes = [len(made.pixels.full(at).data) for at in range(6)]
    loss = -np.log(made.labels.probabilities[np.arange(6), made.labels.truth])
    order = np.argsort(-loss)
    limit = sum(sizes[at] for at in order[:3])
    document = sheet_of(Frame(made), limit=limit, where_all="More in the run.").document
    shown = read_column(document["tile"]["size"]) > 0
    assert shown[order[:3]].all()
    assert document["shown"]["tiles"] == shown.sum() < 6
    assert "of 6 pictures fit into" in document["shown"]["note"]
    assert document["shown"]["note"].endswith("More in the run.")
    none = sheet_of(Frame(Predictions.classification(None, [0, 1], np.eye(2)))).document
    assert none["shown"]["note"] == "There are no pictures, only figures."


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(UsageProblem, match="cannot be shown together"):
        sheet_of(Frame(example("depth")), Frame(example("anomaly")))
    frames = [Frame(example("depth", 2, ids=ids)) for ids in ("ab", "cd")]
    with pytest.raises(UsageProblem, match="share no sample"):
        sheet_of(*frames, compare=(0, 1))


def test_packs_split_and_stop() -> None:
    packs = Packs(3_000_000)
    blobs = [bytes([at]) * 700_000 for at in range(5)]
    places = [packs.add(blob) for blob in blobs]
    done = packs.done()
    assert places[4] is None
    assert packs.add(blobs[0]) == places[0]
    assert len(done) == 4
    for blob, place in zip(blobs, places[:4], strict=False):
        assert place is not None
        assert done[place[0]][place[1] : place[1] + place[2]] == blob


def test_a_name_keeps_its_colour() -> None:
    assert colours(NAMES) == tuple(reversed(colours(NAMES[::-1])))
    assert len(set(colours(["a", "b", "c", "d", "e", "f", "g"]))) == 7
    many = [f"class {at}" for at in range(200)]
    assert set(colours(many)) == set(CLASSES)
    assert len(set(colours(many[:24]))) == 24
    assert colours(["a", "a"])[0] == colours(["a", "a"])[1]
    assert colours([]) == ()
