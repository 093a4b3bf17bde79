"""Transforms give the same numbers as torchvision's own, after JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms as v1
from PIL import Image
from torchvision.models import ResNet18_Weights
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights
from torchvision.models.segmentation import LRASPP_MobileNet_V3_Large_Weights
from torchvision.transforms import v2

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.describing import describe_post, describe_pre
from cvtrack_magics.release.model.serving.preparing import Preparing
from cvtrack_magics.release.model.serving.rejected import Rejected
from cvtrack_magics.release.model.serving.transforms import rebuilt
from tests.release.model.nets import MEAN, STD, photos


def rebuilt_from_json(pre: Any) -> Preparing:
    described = describe_pre(pre)
    steps = json.loads(json.dumps(described.steps, allow_nan=False))
    return Preparing(described.takes, steps, {})


CHAINS = {
    "v1": v1.Compose([v1.Resize(80), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "v1 bicubic": v1.Compose(
        [v1.Resize((70, 60), v1.InterpolationMode.BICUBIC), v1.Pad(3, fill=7), v1.ToTensor()]
    ),
    "v2": v2.Compose(
        [
            v2.ToImage(),
            v2.Resize((64, 96), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(MEAN), list(STD)),
        ]
    ),
    "nested": v1.Compose([v1.Compose([v1.Resize(40)]), v1.PILToTensor()]),
    "classification": ResNet18_Weights.DEFAULT.transforms(),
    "segmentation": LRASPP_MobileNet_V3_Large_Weights.DEFAULT.transforms(),
    "detection": SSDLite320_MobileNet_V3_Large_Weights.DEFAULT.transforms(),
    "grey": v1.Compose([v1.Grayscale(3), v1.ToTensor()]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_same_numbers_as_torchvision(name: str) -> None:
    prepare = rebuilt_from_json(CHAINS[name])
    for photo in photos():
        got, _ = prepare(photo)
        wanted = torch.as_tensor(CHAINS[name](Image.fromarray(photo)))
        assert got.shape == wanted.shape
        assert float((got.double() - wanted.double()).abs().max()) <= 1e-6


def test_a_chain_for_tensors_is_given_tensors() -> None:
    chain = v2.Compose([v2.Resize((30, 40)), v2.ToDtype(torch.float32, scale=True)])
    photo = photos()[0]
    got, _ = rebuilt_from_json(chain)(photo)
    assert torch.equal(got, chain(torch.from_numpy(photo).permute(2, 0, 1)))


def test_normalisation_is_of_each_channel() -> None:
    prepare = rebuilt_from_json("float|normalize:imagenet")
    got, _ = prepare(np.full((4, 4, 3), 128, np.uint8))
    wanted = [(128 / 255 - m) / s for m, s in zip(MEAN, STD, strict=True)]
    assert got[:, 0, 0].tolist() == pytest.approx(wanted, abs=1e-6)
    assert len(set(got[:, 0, 0].tolist())) == 3


def test_words_are_torchvisions_steps() -> None:
    photo = photos()[0]
    got, _ = rebuilt_from_json("shorter:80|crop:64|float|normalize:imagenet")(photo)
    assert torch.allclose(got, CHAINS["v1"](Image.fromarray(photo)), atol=1e-6)
    assert rebuilt_from_json("resize:32x48|float")(photo)[0].shape == (3, 32, 48)


@pytest.mark.parametrize(
    "pre",
    [
        v1.Compose([v1.Resize(80), v1.CenterCrop(64), v1.Pad((1, 2, 3, 4)), v1.ToTensor()]),
        v1.Compose([v1.Resize((60, 50)), v1.CenterCrop((90, 30)), v1.ToTensor()]),
        v1.Compose([v1.Pad(5), v1.Resize((50, 70)), v1.ToTensor()]),
    ],
)
def test_where_a_pixel_went_is_known(pre: Any) -> None:
    """A bright square is found where the placing says, within half a pixel."""
    photo = np.zeros((120, 160, 3), np.uint8)
    photo[50:70, 64:96] = 255
    tensor, placing = rebuilt_from_json(pre)(photo)
    rows, columns = torch.nonzero(tensor[0] > 0.5, as_tuple=True)
    left, top = 64 * placing.scale_x + placing.left, 50 * placing.scale_y + placing.top
    right, bottom = 96 * placing.scale_x + placing.left, 70 * placing.scale_y + placing.top
    height, width = tensor.shape[1:]
    assert abs(max(0, left) - columns.min()) <= 1
    assert abs(max(0, top) - rows.min()) <= 1
    assert abs(min(width, right) - (columns.max() + 1)) <= 1
    assert abs(min(height, bottom) - (rows.max() + 1)) <= 1


REFUSED = {
    "chance": (v1.Compose([v1.RandomHorizontalFlip(), v1.ToTensor()]), "RandomHorizontalFlip"),
    "lambda": (v1.Compose([v1.ToTensor(), v1.Lambda(lambda x: x * 2)]), "lambda"),
    "network": (torch.nn.Conv2d(3, 3, 1), "Conv2d is neither a transform"),
    "unknown word": ("resise:3", "Did you mean 'resize'"),
    "no number": ("resize:big", "not understood"),
    "no step": ([], "no step"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_stand_before_a_network(case: str) -> None:
    pre, said = REFUSED[case]
    with pytest.raises(UsageProblem, match=said):
        describe_pre(pre)


def test_a_subclass_of_the_notebook_is_no_transform_of_torchvision() -> None:
    class Normalize(v1.Normalize):
        pass

    with pytest.raises(UsageProblem, match="neither a transform"):
        describe_pre(Normalize(MEAN, STD))


@pytest.mark.parametrize("post", ["softmaks", "nms:x", "boxes:yolo", "softmax:2", "top:"])
def test_unknown_steps_behind_a_network(post: str) -> None:
    with pytest.raises(UsageProblem):
        describe_post(post)


@pytest.mark.parametrize(
    "description",
    [
        {"class": "v1.Lambda", "args": {}},
        {"class": "os.system", "args": {"command": "true"}},
        {"class": "v2.RandomErasing", "args": {}},
        {"class": "v1.ConvertImageDtype", "args": {"dtype": {"dtype": "load"}}},
        {"class": "v1.Resize", "args": {"colour": 3}},
    ],
)
def test_only_listed_transforms_are_rebuilt(description: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        rebuilt(description)
