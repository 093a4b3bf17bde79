"""COCO's files as people and tools write them: read as pycocotools reads them, or one line."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem

POLYGON = [10.0, 10.0, 40.0, 10.0, 40.0, 30.0, 10.0, 30.0]
TRUTH: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "1.png", "height": 60, "width": 100}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 12, "name": "dog"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 3,
            "bbox": [10, 10, 30, 20],
            "area": 600,
            "iscrowd": 0,
            "segmentation": [POLYGON],
        }
    ],
}
RESULT: dict[str, Any] = {"image_id": 1, "category_id": 12, "score": 0.9, "bbox": [1, 2, 3, 4]}
SQUARE = np.zeros((60, 100), np.uint8)
SQUARE[20:35, 50:80] = 1


def packed(mask: Any) -> dict[str, Any]:
    found = dict(mask_tools.encode(np.asfortranarray(mask)))
    found["counts"] = found["counts"].decode()
    return found


def plain(mask: Any) -> dict[str, Any]:
    flat = mask.T.reshape(-1)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    return {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], changes])).tolist()}


def result(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in {**RESULT, **changes}.items() if v is not ...}


def truth(where: str, **changes: Any) -> dict[str, Any]:
    made = copy.deepcopy(TRUTH)
    made[where][0] = {k: v for k, v in {**made[where][0], **changes}.items() if v is not ...}
    return made


NO_BOX: dict[str, dict[str, Any]] = {
    "a packed mask": {"segmentation": packed(SQUARE)},
    "a plain mask": {"segmentation": plain(SQUARE)},
    "a polygon": {"segmentation": [[50, 20, 80, 20, 80, 35, 50, 35]]},
    "a flat polygon": {"segmentation": [50, 20, 80, 20, 80, 35, 50, 35]},
    "two polygons": {"segmentation": [[50, 20, 60, 20, 60, 35], [70, 25, 80, 25, 80, 30]]},
    "key points": {"keypoints": [50, 20, 2, 80, 35, 1, 60, 22, 0]},
}


@pytest.mark.parametrize("bbox", [..., None])
@pytest.mark.parametrize("case", NO_BOX)
def test_a_result_without_a_box_has_that_of_its_shape(case: str, bbox: Any) -> None:
    made = Predictions.from_coco(TRUTH, [result(bbox=bbox, **NO_BOX[case])])
    assert made.data.prediction.xyxy.tolist() == [[50, 20, 80, 35]]
    assert made.data.prediction.labels.tolist() == [1]


def test_its_box_is_the_one_of_pycocotools() -> None:
    api = COCO()
    api.dataset = copy.deepcopy(TRUTH)
    api.createIndex()
    theirs = api.loadRes([result(bbox=..., segmentation=packed(SQUARE))]).dataset["annotations"]
    mine = Predictions.from_coco(TRUTH, [result(bbox=..., segmentation=packed(SQUARE))])
    x, y, width, height = theirs[0]["bbox"]
    assert mine.data.prediction.xyxy[0].tolist() == [x, y, x + width, y + height]


@pytest.mark.parametrize("case", [name for name in NO_BOX if name != "key points"])
def test_its_mask_is_the_one_of_pycocotools(case: str) -> None:
    shape = NO_BOX[case]["segmentation"]
    nested = [shape] if isinstance(shape, list) and isinstance(shape[0], int) else shape
    api = COCO()
    api.dataset = copy.deepcopy(TRUTH)
    api.createIndex()
    theirs = api.annToMask({"image_id": 1, "segmentation": nested})
    made = Predictions.from_coco(TRUTH, [result(bbox=..., segmentation=shape)], masks=True)
    assert np.array_equal(made.data.prediction.masks[0].array(), theirs)


READ: dict[str, tuple[Any, Any]] = {
    "ids are texts": (
        {
            **TRUTH,
            "images": [{**TRUTH["images"][0], "id": "1"}],
            "categories": [{"id": "3", "name": "cat"}, {"id": "12", "name": "dog"}],
        },
        [result(image_id="1", category_id="12")],
    ),
    "ids are fractions": (TRUTH, [result(image_id=1.0, category_id=12.0)]),
    "ids are names": (
        {
            "images": [{"id": "a/1.png", "height": 60, "width": 100}],
            "categories": [{"id": "cat", "name": "cat"}, {"id": "dog", "name": "dog"}],
        },
        [result(image_id="a/1.png", category_id="dog")],
    ),
    "annotations are null": ({**TRUTH, "annotations": None}, [RESULT]),
    "there are none": ({k: v for k, v in TRUTH.items() if k != "annotations"}, [RESULT]),
    "results as a data set": (TRUTH, {"annotations": [RESULT]}),
    "a crowd without saying": (truth("annotations", iscrowd=None), [RESULT]),
    "sizes are fractions": (truth("images", height=60.0, width=100.0), [RESULT]),
    "NumPy's numbers": (
        TRUTH,
        [result(image_id=np.int64(1), score=np.float32(0.9), bbox=[np.float32(1), 2, 3, 4])],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_has_one_reading_is_read(case: str) -> None:
    made = Predictions.from_coco(*READ[case])
    assert made.data.prediction.xyxy.tolist() == [[1, 2, 4, 6]]
    assert made.data.prediction.labels.tolist() == [1]
    assert made.classes == ("cat", "dog")
    assert made.sizes.tolist() == [[60, 100]]


def test_a_category_without_a_name_is_called_by_its_id() -> None:
    nameless = {**TRUTH, "categories": [{"id": 3}, {"id": 12, "name": None}]}
    made = Predictions.from_coco(nameless, [RESULT])
    assert made.classes == ("3", "12")
    assert [note for note in made.notes if "12 has no name" in note]


REFUSED: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "a null category": (TRUTH, [result(category_id=None)], {}, "object 0.*category_id is None"),
    "no category": (TRUTH, [result(category_id=...)], {}, "object 0.*category_id is None"),
    "a foreign category": (TRUTH, [RESULT, result(category_id=7)], {}, "object 1.*category 7"),
    "a foreign image": (TRUTH, [result(image_id=9)], {}, "object 0 .image 9"),
    "a null image": (TRUTH, [result(image_id=None)], {}, "image_id is None"),
    "yes for an image": (TRUTH, [result(image_id=True)], {}, "image_id is True"),
    "neither box nor shape": (TRUTH, [result(bbox=None)], {}, "no bbox, and no segmentation"),
    "a shape without points": (
        TRUTH,
        [result(bbox=None, segmentation=[])],
        {},
        "no bbox, and no segmentation",
    ),
    "three numbers": (TRUTH, [result(bbox=[1, 2, 3])], {}, "expected 4 numbers"),
    "a box with a null": (TRUTH, [result(bbox=[1, 2, None, 4])], {}, "expected 4 numbers"),
    "a box with NaN": (TRUTH, [result(bbox=[1, 2, float("nan"), 4])], {}, "expected 4 numbers"),
    "a box of text": (TRUTH, [result(bbox="1,2,3,4")], {}, "expected 4 numbers"),
    "no score": (TRUTH, [result(score=...)], {}, "score is None"),
    "a score of text": (TRUTH, [result(score="0.9")], {}, "score is '0.9'"),
    "no mask": (TRUTH, [RESULT], {"masks": True}, "no segmentation, which masks=True needs"),
    "an empty mask": (TRUTH, [result(segmentation=[])], {"masks": True}, "no segmentation"),
    "no mask in the truth": (
        truth("annotations", segmentation=...),
        [],
        {"masks": True},
        "truth: object 0.*no segmentation",
    ),
    "a mask of another size": (
        TRUTH,
        [result(segmentation={"size": [50, 50], "counts": [0, 2500]})],
        {"masks": True},
        "mask is 50 × 50, the image 60 × 100",
    ),
    "the same without masks": (
        TRUTH,
        [result(bbox=None, segmentation={"size": [50, 50], "counts": [0, 2500]})],
        {},
        "mask is 50 × 50, the image 60 × 100",
    ),
    "an x without a y": (
        TRUTH,
        [result(segmentation=[[1, 2, 3, 4, 5, 6, 7]])],
        {"masks": True},
        "x without a y",
    ),
    "key points in pairs": (
        TRUTH,
        [result(bbox=None, keypoints=[1, 2, 3, 4])],
        {},
        "expected x, y, v",
    ),
    "no sizes and no pictures": (truth("images", height=...), [], {}, "image 1 has no height"),
    "a null size": (truth("images", width=None), [], {}, "image 1 has no height"),
    "a size of text": (truth("images", width="wide"), [], {}, "no size in pixels"),
    "an image twice": ({**TRUTH, "images": TRUTH["images"] * 2}, [], {}, "id 1 occurs twice"),
    "a category twice": (
        {**TRUTH, "categories": TRUTH["categories"] * 2},
        [],
        {},
        "id 3 occurs twice",
    ),
    "an image without an id": (truth("images", id=...), [], {}, "images: an id is None"),
    "images as a dict": ({**TRUTH, "images": {"1": {}}}, [], {}, "expected a list"),
    "an object that is none": (TRUTH, [None], {}, "object 0 is None"),
    "results that are a text": (TRUTH, {"annotations": "none"}, {}, "expected a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(case: str) -> None:
    data, said, more, line = REFUSED[case]
    with pytest.raises(UsageProblem, match=line) as refused:
        Predictions.from_coco(data, said, **more)
    assert "\n" not in refused.value.problem


# -- the pictures


def saved(folder: Path, values: Any, orientation: int = 0, name: str = "1.png") -> None:
    picture = Image.fromarray(values)
    exif = picture.getexif()
    if orientation:
        exif[0x0112] = orientation
    picture.save(folder / name, exif=exif)


def test_a_file_without_sizes_takes_those_of_its_pictures(tmp_path: Path) -> None:
    saved(tmp_path, SQUARE * 255)
    made = Predictions.from_coco(truth("images", height=..., width=None), [RESULT], images=tmp_path)
    assert made.sizes.tolist() == [[60, 100]]
    assert np.array_equal(made.pixels.image(0), SQUARE * 255)


def test_a_picture_of_another_size_than_the_file_says_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, SQUARE[:50])
    with pytest.raises(UsageProblem, match=r"1\.png' is 50 × 100, but the file says 60 × 100"):
        Predictions.from_coco(TRUTH, [], images=tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_what_the_files_size_says(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(6000, dtype=np.uint8).reshape(60, 100)
    across = orientation >= 5  # its sides are swapped
    saved(tmp_path, upright.T if across else upright, orientation)
    made = Predictions.from_coco(TRUTH, [], images=tmp_path)
    told = [note for note in made.notes if "EXIF" in note]
    if across:  # only one way fits the size
        turn: dict[int, Callable[[Any], Any]] = {
            5: lambda a: a.T,
            6: lambda a: np.rot90(a, -1),
            7: lambda a: np.rot90(a, 2).T,
            8: np.rot90,
        }
        assert np.array_equal(made.pixels.image(0), turn[orientation](upright.T))
        assert not told
    else:
        assert np.array_equal(made.pixels.image(0), upright)
        assert bool(told) == (orientation > 1)


DEEP: dict[str, Any] = {
    "16 bits": (np.linspace(0, 65535, 6000).reshape(60, 100).astype(np.uint16), (0, 65535)),
    "12 bits of 16": (np.linspace(0, 4095, 6000).reshape(60, 100).astype(np.uint16), (0, 4095)),
    "fractions above 1": (np.linspace(0, 30, 6000).reshape(60, 100).astype(np.float32), (0, 30)),
    "32 bits": (np.linspace(0, 1e6, 6000).reshape(60, 100).astype(np.int32), (0, 1e6)),
}


@pytest.mark.parametrize("case", DEEP)
def test_pictures_of_more_bits_are_scaled_as_said_or_asked_for(case: str, tmp_path: Path) -> None:
    values, range_ = DEEP[case]
    Image.fromarray(values).save(tmp_path / "1.tiff")
    file = truth("images", file_name="1.tiff")
    with pytest.raises(UsageProblem, match=r"value_range=\(black, white\)"):
        Predictions.from_coco(file, [], images=tmp_path)
    made = Predictions.from_coco(file, [], images=tmp_path, value_range=range_)
    shown = made.pixels.image(0)
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.abs(shown - values / range_[1] * 255).max() <= 0.51
    given = Predictions.classification(
        [Image.fromarray(values)], [0], np.eye(2)[[0]] * 3.0, value_range=range_
    )
    assert np.array_equal(given.pixels.image(0), shown)


def test_white_of_16_bits_in_a_png_is_what_the_format_says(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 6000).reshape(60, 100).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "1.png")
    Image.new("RGB", (100, 60), (200, 100, 50)).save(tmp_path / "2.png")
    two = copy.deepcopy(TRUTH)
    two["images"].append({"id": 2, "file_name": "2.png", "height": 60, "width": 100})
    made = Predictions.from_coco(two, [], images=tmp_path)
    assert np.abs(made.pixels.image(0) - values / 257).max() <= 0.51
    assert made.pixels.image(1)[0, 0].tolist() == [200, 100, 50]
    assert [note for note in made.notes if "1 of 2 pictures have 16 bits" in note]


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "RGBX", "RGBa", "La")


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode_is_shown_as_pillow_shows_it(mode: str) -> None:
    base = Image.new("RGBA", (12, 10), (200, 100, 50, 128))
    steps = {"La": ("LA", "La"), "PA": ("P", "PA"), "HSV": ("RGB", "HSV")}.get(mode, (mode,))
    picture: Any = base
    for step in steps if mode not in ("1", "L", "LA", "P") else (mode,):
        picture = picture.convert("RGB") if step in ("YCbCr", "CMYK", "P", "1") else picture
        picture = picture.convert(step)
    made = Predictions.classification([picture], [0], np.eye(2)[[0]] * 3.0)
    shown = np.asarray(made.pixels.image(0), np.int64)
    opaque = picture.convert("LA") if mode == "La" else picture
    clear = mode in ("LA", "PA", "RGBA", "RGBa", "La")
    expected = np.asarray(opaque.convert("RGBA" if clear else "RGB"), np.int64)
    shown = shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)
    assert np.array_equal(shown[..., :3], expected[..., :3])


class Odd:
    """A picture of a mode that this Pillow cannot turn into colours."""

    mode = "LAB"
    info: Mapping[str, Any] = {}

    def convert(self, mode: str) -> Any:
        raise ValueError(f"conversion from LAB to {mode} not supported")


def test_a_mode_that_pillow_cannot_show_is_refused_in_one_line() -> None:
    with pytest.raises(UsageProblem, match="mode LAB cannot be shown"):
        Predictions.classification([Odd()], [0], np.eye(2)[[0]] * 3.0)
