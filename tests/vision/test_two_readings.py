"""What can be read in two ways is told by what made it, asked for, or shown with a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms as one
from torchvision.transforms import v2

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.collect import collect
from cvtrack_magics.vision.images import range_to_show, to_images
from cvtrack_magics.vision.normalisation import KNOWN, _steps, normalisation_of
from tests.vision.examples import photos

IMAGENET = KNOWN["imagenet"]
OWN: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ADE20K's": ((0.491, 0.466, 0.430), (0.257, 0.254, 0.268)),
    "a dark set's": ((0.30, 0.29, 0.28), (0.42, 0.42, 0.42)),
    "EuroSAT's": ((0.3444, 0.3803, 0.4078), (0.45, 0.42, 0.40)),
    "FGVC's": ((0.4796, 0.5107, 0.5341), (0.2301, 0.2301, 0.2425)),
    "a bright set's": ((0.62, 0.6, 0.58), (0.31, 0.31, 0.31)),
    "halves and quarters": ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
    "STL-10's": ((0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)),
    "Tiny ImageNet's": ((0.4802, 0.4481, 0.3975), (0.2770, 0.2691, 0.2821)),
    "ImageNet's in BGR": (IMAGENET[0][::-1], IMAGENET[1][::-1]),
    "ImageNet's, rounded": ((0.48, 0.45, 0.40), (0.23, 0.23, 0.23)),
    "Places'": ((0.4578, 0.4414, 0.4078), (0.2435, 0.2418, 0.2622)),
}


def batch(statistics: Any) -> torch.Tensor:
    mean, std = (torch.tensor(part).view(3, 1, 1) for part in statistics)
    return (torch.tensor(photos()[:4]).permute(0, 3, 1, 2) / 255.0 - mean) / std


@pytest.mark.parametrize("name", OWN)
def test_statistics_of_ones_own_are_never_taken_for_known_ones(name: str) -> None:
    with pytest.raises(UsageProblem, match="value_range"):
        to_images(batch(OWN[name]))
    (low, high), said = range_to_show(batch(OWN[name]))
    assert (low, high) == (float(batch(OWN[name]).min()), float(batch(OWN[name]).max()))
    assert "shown from the least value to the greatest. Say value_range=" in said
    found = np.stack(to_images(batch(OWN[name]), value_range=OWN[name]))
    assert np.abs(found.astype(int) - photos()[:4]).max() <= 1


@pytest.mark.parametrize("name", KNOWN)
def test_known_ones_are_told_by_their_levels(name: str) -> None:
    assert range_to_show(batch(KNOWN[name])) == (name, "")


def test_pictures_that_were_resized_in_floats_are_on_no_levels_and_asked_for() -> None:
    resized = torch.nn.functional.interpolate(batch(IMAGENET), scale_factor=0.5, mode="bilinear")
    with pytest.raises(UsageProblem, match="by 'imagenet' or by other means and deviations"):
        to_images(resized)


class Photos(Dataset[Any]):
    """Photos in floats of no levels, as their transform makes them."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return self.transform(torch.tensor(photos()[index]).permute(2, 0, 1) / 255.0 * 0.999), 0


def own(module: Any) -> Any:
    return module.Normalize(*OWN["STL-10's"])


@pytest.mark.parametrize(
    ("transform", "told"),
    [
        (own(one), True),
        (one.Compose([own(one)]), True),
        (one.Compose([one.Resize(16), one.Compose([own(one)])]), True),
        (v2.Compose([v2.Resize(16), own(v2)]), True),
        (torch.nn.Sequential(own(v2)), True),
        (one.Lambda(own(one)), False),
        (one.RandomApply([own(one)], p=1.0), False),
        (one.Compose([one.RandomChoice([own(one)])]), False),
        (one.Compose([own(one), one.Normalize((0.0,) * 3, (1.0,) * 3)]), False),
        (one.Compose([own(one), one.Lambda(lambda image: image * 3)]), False),
    ],
)
def test_the_transform_of_the_data_set_tells(transform: Any, told: bool) -> None:
    def model(images: Any) -> Any:
        return torch.nn.functional.one_hot(torch.zeros(len(images), dtype=torch.long), 3) * 9.0

    loader = DataLoader(Subset(Photos(transform), range(4)), batch_size=2)
    found = collect(model, loader, "classification")
    lines = [note for note in found.notes if "least value" in note]
    assert bool(lines) is not told
    if told and len(list(_steps(transform))) == 1:
        wanted = to_images(torch.stack([Photos(lambda x: x)[at][0] for at in range(4)]))
        pairs = zip(found.pixels, wanted, strict=True)
        assert max(np.abs(a.astype(int) - b).max() for a, b in pairs) <= 1


def test_a_transform_that_says_nothing_is_none() -> None:
    for nothing in (None, 3, "x", len, one.Compose([]), one.ToTensor(), object()):
        assert normalisation_of(nothing) is None


METRES = np.random.default_rng(0).uniform(0.5, 9.0, (3, 8, 8)).astype(np.float32)
MILLIMETRES = (METRES * 1000).astype(np.uint16)


@pytest.mark.parametrize(
    ("truth", "predictions", "said"),
    [
        (MILLIMETRES, METRES, "the truth has whole numbers, some 1,000 times larger"),
        (MILLIMETRES.astype(np.float32), METRES, "some 1,000 times larger"),
        (MILLIMETRES.astype(np.int32), METRES * 1.3, "some 1,000 times larger"),
        (np.where(METRES > 3, MILLIMETRES, 0), METRES, "some 1,000 times larger"),
        ((METRES * 256).astype(np.uint16), METRES, "some 256 times larger"),
        ((METRES * 100).astype(np.uint16), METRES, "some 100 times larger"),
        (METRES, MILLIMETRES, "the prediction has whole numbers, some 1,000 times larger"),
        (torch.tensor(MILLIMETRES.astype(np.int32)), torch.tensor(METRES), "some 1,000 times"),
        (list(MILLIMETRES), list(METRES), "some 1,000 times larger"),
        (MILLIMETRES[:, None], METRES[:, None], "some 1,000 times larger"),
        (METRES, METRES * 1.1, ""),
        (MILLIMETRES, MILLIMETRES + 9, ""),
        (np.round(METRES), METRES, ""),
        (np.zeros_like(METRES), METRES, ""),
    ],
)
def test_depths_in_two_units_are_said(truth: Any, predictions: Any, said: str) -> None:
    found = Predictions.depth(None, truth, predictions)
    assert any(said in note for note in found.notes) if said else not found.notes


def rows(box_format: str, class_first: bool, count: int = 6) -> list[np.ndarray[Any, Any]]:
    """Return boxes of two 200 × 300 pictures in whole pixels, with their classes 0 to 2."""
    pick = np.random.default_rng(count)
    found = []
    for _ in range(2):
        x, y = pick.integers(20, 100, (2, count))
        w, h = pick.integers(20, 90, (2, count))
        sides = {
            "xyxy": (x, y, x + w, y + h),
            "xywh": (x, y, w, h),
            "cxcywh": (x + w // 2, y + h // 2, w, h),
        }[box_format]
        label = pick.integers(0, 3, count)
        columns = (label, *sides) if class_first else (*sides, label)
        found.append(np.stack(columns, 1).astype(np.float32))
    return found


@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("box_format", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("class_first", [True, False])
def test_rows_that_may_begin_with_the_class_are_asked_for(
    box_format: str, class_first: bool, count: int
) -> None:
    truth = rows(box_format, class_first, count)
    nothing = [np.zeros((0, 6))] * 2

    def made() -> Predictions:
        return Predictions.detection(
            None, truth, nothing, box_format=box_format, sizes=[(200, 300)] * 2
        )

    if class_first:
        with pytest.raises(UsageProblem, match="class"):
            made()
    else:
        assert set(made().data.truth.labels.tolist()) <= {0, 1, 2}
