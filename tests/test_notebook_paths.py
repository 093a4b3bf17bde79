"""What the tutorials tell people to do with files of their own, on small real files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
DIGITS = load_digits()
# As in COCO: ids with gaps, and neither images nor categories in the order of their ids.
CATEGORIES = {44: "four", 3: "zero", 7: "one"}
CLASSES = ("zero", "one", "four")
SIZES = {30: (40, 64), 4: (48, 32), 100: (32, 32)}  # height, width
IMAGES = [4, 30, 100]  # the last without an object
DIGIT_OF = {"zero": 0, "one": 1, "four": 4}


def digit(name: str, scale: int) -> Any:
    """Return an enlarged digit, 8 · scale pixels a side."""
    picture = DIGITS.images[np.flatnonzero(DIGITS.target == DIGIT_OF[name])[0]]
    return np.kron(picture / 16 * 255, np.ones((scale, scale))).round().astype(np.uint8)


class Scene:
    """A picture with digits and the masks of their ink."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.picture = np.zeros(size, np.uint8)
        self.masks: list[Any] = []

    def put(self, name: str, scale: int, top: int, left: int) -> Any:
        ink = digit(name, scale)
        part = slice(top, top + len(ink)), slice(left, left + len(ink))
        self.picture[part] = ink
        mask = np.zeros(self.picture.shape, bool)
        mask[part] = ink > 100
        return mask


def box_of(mask: Any) -> list[float]:
    """Return x, y, width and height, as COCO writes them."""
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    return [float(x), float(y), float(xs.max() + 1 - x), float(ys.max() + 1 - y)]


def compressed(mask: Any) -> dict[str, Any]:
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": runs["counts"].decode()}


def uncompressed(mask: Any) -> dict[str, Any]:
    flat = mask.T.reshape(-1).astype(int)
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], flat)))).tolist()
    counts = np.diff([0, *bounds, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": counts}


def rectangle(x: float, y: float, width: float, height: float) -> list[list[float]]:
    """Return the four corners as COCO's polygon."""
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


@pytest.fixture
def coco(tmp_path: Path) -> tuple[Path, dict[int, list[dict[str, Any]]]]:
    """Return a folder with images, truth.json and results.json, and what is in them."""
    (tmp_path / "images").mkdir()
    scenes = {number: Scene(size) for number, size in SIZES.items()}
    zero = scenes[30].put("zero", 2, 3, 5)
    four = scenes[30].put("four", 3, 10, 30)
    one = scenes[4].put("one", 2, 20, 8)
    around = np.zeros(SIZES[4], bool)
    around[2:12, 4:24] = True
    objects: dict[int, list[dict[str, Any]]] = {
        30: [
            {"category_id": 3, "mask": zero, "segmentation": compressed(zero), "iscrowd": 0},
            {"category_id": 44, "mask": four, "segmentation": uncompressed(four), "iscrowd": 1},
        ],
        4: [
            {"category_id": 7, "mask": one, "segmentation": compressed(one), "iscrowd": 0},
            {
                "category_id": 3,
                "mask": around,
                "segmentation": rectangle(4, 2, 20, 10),
                "iscrowd": 0,
            },
        ],
        100: [],
    }
    for number, scene in scenes.items():
        Image.fromarray(scene.picture).save(tmp_path / "images" / f"{number:012}.png")
    written = [
        {"image_id": number, "bbox": box_of(one["mask"]), "area": int(one["mask"].sum())}
        | {key: one[key] for key in ("category_id", "segmentation", "iscrowd")}
        for number, several in objects.items()
        for one in several
    ]
    truth = {
        "images": [
            {"id": number, "file_name": f"{number:012}.png", "height": size[0], "width": size[1]}
            for number, size in SIZES.items()
        ],
        "annotations": [one | {"id": at} for at, one in enumerate(written, 1)],
        "categories": [{"id": number, "name": name} for number, name in CATEGORIES.items()],
    }
    keys = ("image_id", "category_id", "bbox", "segmentation")
    results = [
        {key: one[key] for key in keys} | {"score": 0.5 + at / 10}
        for at, one in enumerate(written)
        if not one["iscrowd"]
    ]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path, objects


def read(folder: Path, masks: bool) -> Predictions:
    return Predictions.from_coco(
        folder / "truth.json", folder / "results.json", images=folder / "images", masks=masks
    )


@pytest.mark.parametrize("masks", [False, True])
def test_a_coco_file_is_read_exactly(coco: Any, masks: bool) -> None:
    folder, objects = coco
    found = read(folder, masks)
    assert found.task == ("instance" if masks else "detection")
    assert found.classes == CLASSES
    assert found.ids == tuple(str(number) for number in IMAGES)
    assert found.names == tuple(f"{number:012}.png" for number in IMAGES)
    assert found.sizes.tolist() == [list(SIZES[number]) for number in IMAGES]
    assert found.pixels is not None
    for at, number in enumerate(IMAGES):
        expected = objects[number]
        with Image.open(folder / "images" / f"{number:012}.png") as picture:
            np.testing.assert_array_equal(found.pixels.image(at), np.asarray(picture))
        rows = found.boxes.truth.rows(at)
        labels = [CLASSES.index(CATEGORIES[one["category_id"]]) for one in expected]
        assert found.boxes.truth.labels[rows].tolist() == labels
        boxes = [box_of(one["mask"]) for one in expected]
        corners = [[x, y, x + width, y + height] for x, y, width, height in boxes]
        assert found.boxes.truth.xyxy[rows].tolist() == corners
        assert found.boxes.truth.crowd is not None
        assert found.boxes.truth.crowd[rows].tolist() == [bool(one["iscrowd"]) for one in expected]


def test_results_keep_scores_and_classes(coco: Any) -> None:
    folder, _ = coco
    said = read(folder, masks=False).boxes.prediction
    assert said.offsets.tolist() == [0, 2, 3, 3]  # images 4, 30 and 100
    assert said.labels.tolist() == [1, 0, 0]
    assert said.scores is not None
    assert said.scores.tolist() == pytest.approx([0.7, 0.8, 0.5])
    assert said.masks is None


def test_masks_are_read_from_polygons_and_run_lengths(coco: Any) -> None:
    folder, objects = coco
    boxes = read(folder, masks=True).boxes
    expected = [one for number in IMAGES for one in objects[number]]
    assert boxes.truth.masks is not None
    assert boxes.prediction.masks is not None
    for mask, one in zip(boxes.truth.masks, expected, strict=True):
        np.testing.assert_array_equal(mask.array(), one["mask"])
        assert mask.area == int(one["mask"].sum())
    kept = [one for one in expected if not one["iscrowd"]]
    for mask, one in zip(boxes.prediction.masks, kept, strict=True):
        np.testing.assert_array_equal(mask.array(), one["mask"])


def test_results_that_are_the_truth_are_perfect(coco: Any) -> None:
    folder, _ = coco
    assert measure(read(folder, masks=False)).metrics["mAP50-95"] == pytest.approx(1)
    assert measure(read(folder, masks=True)).metrics["mask_AP"] == pytest.approx(1)


def test_a_picture_that_is_missing_is_named(coco: Any) -> None:
    folder, _ = coco
    far = folder / ("a folder with a long name " * 4)
    far.mkdir()
    for inside in list(folder.iterdir()):
        if inside != far:
            inside.rename(far / inside.name)
    (far / "images" / f"{4:012}.png").unlink()
    with pytest.raises(UsageProblem, match=r"000000000004\.png"):
        read(far, masks=False)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Return a folder for each of three digits, with twelve PNGs each."""
    folder = tmp_path / "digits"
    for name in ("zero", "one", "four"):
        (folder / name).mkdir(parents=True)
        for at in np.flatnonzero(DIGITS.target == DIGIT_OF[name])[:12]:
            picture = (DIGITS.images[at] / 16 * 255).round().astype(np.uint8)
            Image.fromarray(picture).save(folder / name / f"{at:04}.png")
    return folder


def test_an_image_folder_goes_through_collect(image_folder: Path) -> None:
    prepare = v2.Compose([v2.Grayscale(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    dataset = ImageFolder(image_folder, transform=prepare)
    images = torch.stack([picture for picture, _ in dataset])
    targets = torch.tensor(dataset.targets)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.BatchNorm1d(64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 3)
    )
    with torch.no_grad():
        for label in range(3):  # each class weighs the pixels of its mean picture
            model[3].weight[label] = images[targets == label].mean(0).flatten() / 4
    model.train()
    found = Predictions.collect(model, DataLoader(dataset, batch_size=7), "classification")
    assert all(module.training for module in model.modules())
    assert found.classes == ("four", "one", "zero")  # as ImageFolder sorts them
    assert found.labels.truth.tolist() == dataset.targets
    assert found.ids == tuple(str(at) for at in range(36))
    assert found.seconds > 0
    with torch.no_grad():
        expected = model.eval()(images).softmax(1).numpy()
    np.testing.assert_allclose(found.labels.probabilities, expected, rtol=1e-5, atol=1e-7)
    assert found.pixels is not None
    for at, (path, _) in enumerate(dataset.samples):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(found.pixels.image(at), np.asarray(picture))
    metrics = measure(found, resamples=0).metrics
    assert metrics["top1_acc"] == (expected.argmax(1) == targets.numpy()).mean()
    assert metrics["FPS"] == pytest.approx(36 / found.seconds)


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_a_tutorial_names_no_folder_of_a_machine(name: str) -> None:
    text = (NOTEBOOKS / name).read_text(encoding="utf-8")
    for folder in ("site-packages", f"{NOTEBOOKS.parent}/", f"{tempfile.gettempdir()}/"):
        assert folder not in text
