"""A stored model gives the numbers of the network, and its signature says what it takes."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms as v1
from PIL import Image
from torch import nn
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights
from torchvision.ops import nms

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.serving import load
from tests.release.model.nets import (
    MEAN,
    STD,
    Classifier,
    Corners,
    Mask,
    encoded,
    photos,
    small_photos,
    text,
)

TRANSFORM = v1.Compose([v1.Resize(40), v1.CenterCrop(32), v1.ToTensor(), v1.Normalize(MEAN, STD)])
Pair = namedtuple("Pair", "mean double")


def shaped(about: Any) -> tuple[Any, ...]:
    return (about["name"], about["dtype"], about["shape"])


def test_tensors(tmp_path: Path) -> None:
    model = Classifier().train()
    example = torch.rand(1, 3, 20, 20)
    built = build(model, example, tmp_path / "m")
    assert all(module.training for module in model.modules())
    assert built.network == "torch.export"
    assert [shaped(about) for about in built.inputs] == [("image", "float32", [-1, 3, 20, 20])]
    assert shaped(built.outputs[0]) == ("", "float32", [-1, 3])
    assert np.array_equal(built.example, example.numpy())
    stored = load(built.data)
    for count in (1, 2, 7):
        batch = torch.rand(count, 3, 20, 20)
        wanted = model.eval()(batch).detach().numpy()
        assert np.abs(stored.predict(batch.numpy()) - wanted).max() <= 1e-6
    assert built.max_abs <= 1e-6
    assert built.size == sum(built.files.values())
    assert f"torch=={torch.__version__.partition('+')[0]}" in built.requirements
    for path in built.folder.rglob("*"):  # nothing tells where it was made
        assert path.is_dir() or str(Path(__file__).parent).encode() not in path.read_bytes()


def test_raw_images_and_softmax(tmp_path: Path) -> None:
    model = Classifier().eval()
    built = build(model, photos(), tmp_path, pre=TRANSFORM, post="softmax")
    assert built.inputs == ({"kind": "image", "name": "image"},)
    batch = torch.stack([TRANSFORM(Image.fromarray(photo)) for photo in photos()])
    wanted = model(batch).softmax(1).detach().numpy()
    stored = load(built.data)
    files = [encoded(photo) for photo in photos()]
    for sent in (photos(), np.stack(photos()), files, [text(file) for file in files]):
        got = stored.predict(sent)
        assert got.dtype == np.float32
        assert np.abs(got - wanted).max() <= 1e-6
    many = stored.predict(photos() * 20)  # more than one batch of the server's
    assert many.shape == (40, 3)
    assert np.abs(many[38:] - wanted).max() <= 1e-6


def test_labels(tmp_path: Path) -> None:
    built = build(
        Classifier(), small_photos(), tmp_path, pre=TRANSFORM, post="softmax|labels:cat,dog,owl"
    )
    got = load(built.data).predict(small_photos())
    assert [set(one) for one in got] == [{"label", "score"}] * 2
    assert all(one["label"] in ("cat", "dog", "owl") and 1 / 3 <= one["score"] <= 1 for one in got)
    assert [about["name"] for about in built.outputs] == ["label", "score"]
    assert json.loads(json.dumps(got)) == got


def test_labels_given_apart_and_doubts(tmp_path: Path) -> None:
    options: dict[str, Any] = {"pre": TRANSFORM, "labels": ["cat", "dog", "owl"]}
    top = build(Classifier(), small_photos(), tmp_path / "a", post="softmax|top:2", **options)
    first = load(top.data).predict(small_photos()[0])[0]
    assert [one["label"] in options["labels"] for one in first] == [True, True]
    assert first[0]["score"] >= first[1]["score"]
    raw = build(Classifier(), small_photos(), tmp_path / "b", post="labels", **options)
    assert any("put softmax" in note for note in raw.notes) != (
        0 <= load(raw.data).predict(small_photos())[0]["score"] <= 1
    )


def test_functions_of_the_notebook(tmp_path: Path) -> None:
    limit = 0.25

    def before(image: np.ndarray) -> torch.Tensor:  # type: ignore[type-arg]
        return torch.from_numpy(image[:32, :32].copy()).permute(2, 0, 1).float() / 255

    def after(logits: torch.Tensor) -> Any:
        return [{"above": int((row > limit).sum())} for row in logits.softmax(1)]

    model = Classifier().eval()
    built = build(model, small_photos(), tmp_path, pre=before, post=after)
    batch = torch.stack([before(image) for image in small_photos()])
    assert load(built.data).predict(small_photos()) == after(model(batch).detach())
    kept = (built.data / "function_after.py").read_text()
    assert "limit = 0.25" in kept
    assert "def after" in kept


def test_masks_at_the_size_of_each_picture(tmp_path: Path) -> None:
    first, second = small_photos()
    built = build(Mask(), [first], tmp_path, pre="resize:32x48|float", post="argmax|original")
    got = load(built.data).predict([first, second[:40]])
    assert [mask.shape for mask in got] == [(64, 96), (40, 96)]
    bright = np.zeros((64, 96, 3), np.uint8)
    bright[:, 48:] = 255
    mask = load(built.data).predict(bright)[0]
    assert mask[:, 50:].all()
    assert not mask[:, :46].any()


def test_pictures_that_keep_their_size(tmp_path: Path) -> None:
    built = build(Mask(), small_photos(), tmp_path, pre="float", post="argmax")
    assert built.outputs[0]["shape"] == [-1, -1, -1]
    first, second = small_photos()
    got = load(built.data).predict([first, second[:41, :33]])
    assert [mask.shape for mask in got] == [(64, 96), (41, 33)]


def test_detector_boxes_come_back_to_the_picture(tmp_path: Path) -> None:
    """DETR's form of output; the crop of the transform is taken back."""
    pre = v1.Compose([v1.Resize((100, 200)), v1.CenterCrop((100, 100)), v1.ToTensor()])
    built = build(
        Corners(),
        small_photos(),
        tmp_path,
        pre=pre,
        post="boxes:cxcywh,relative|nms:0.5,0.6",
        labels=["car", "bus"],
    )
    picture = np.zeros((400, 800, 3), np.uint8)  # 4 times the resized one
    found = load(built.data).predict([picture])[0]
    assert found["labels"] == ["car", "bus"] or found["labels"] == ["bus", "car"]
    by_label = dict(zip(found["labels"], found["boxes"], strict=True))
    # [0, 0, 50, 50] of the crop, which begins 50 pixels from the left
    assert by_label["car"] == pytest.approx([200, 0, 400, 200], abs=1e-3)
    # [70, 80, 110, 100] of the crop
    assert by_label["bus"] == pytest.approx([480, 320, 640, 400], abs=1e-3)
    names = {about["name"]: about["type"] for about in built.outputs}
    assert names == {"boxes": "double[][]", "labels": "string[]", "scores": "double[]"}


class Bright(nn.Module):
    """Takes a list of pictures, as torchvision's detectors do, and keeps boxes by NMS."""

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        found: list[dict[str, torch.Tensor]] = []
        for image in images:
            rows = (image.mean(0) > 0.9).nonzero()
            corner = torch.flip(rows, [1]).float()
            boxes = torch.cat([corner, corner + 8], dim=1)
            scores = torch.arange(len(boxes)).float() * 0.001 + 0.5
            keep = nms(boxes, scores, 0.3)
            labels = torch.ones(len(keep), dtype=torch.int64)
            found.append({"boxes": boxes[keep], "scores": scores[keep], "labels": labels})
        return found


def test_a_detector_that_takes_a_list(tmp_path: Path) -> None:
    preset = SSDLite320_MobileNet_V3_Large_Weights.DEFAULT.transforms()
    built = build(Bright(), small_photos(), tmp_path, pre=preset, post="boxes|score:0.7")
    assert built.network == "TorchScript (script)"
    sent = [small_photos()[0], small_photos()[0][:30, 20:]]
    wanted = Bright()([preset(Image.fromarray(image)) for image in sent])
    for got, own, image in zip(
        load(built.data, trust=True).predict(sent), wanted, sent, strict=True
    ):
        kept = own["scores"] >= 0.7
        assert 0 < len(got["boxes"]) < len(own["boxes"])
        most = torch.tensor([image.shape[1], image.shape[0]] * 2)
        assert got["boxes"] == torch.minimum(own["boxes"][kept], most).tolist()
        assert got["scores"] == own["scores"][kept].tolist()


class Several(nn.Module):
    def forward(self, image: torch.Tensor, size: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"a": image.mean((1, 2, 3)), "b": size.float() * 2}


class Branches(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.sum() > 0:
            return image * 2
        return image


class Named(nn.Module):
    def forward(self, image: torch.Tensor) -> Any:
        return Pair(image.mean((1, 2, 3)), image * 2)


def test_several_inputs_and_a_dict(tmp_path: Path) -> None:
    example = (torch.rand(2, 3, 8, 8), torch.tensor([[4, 5], [6, 7]]))
    built = build(Several(), example, tmp_path)
    assert [shaped(about) for about in built.inputs] == [
        ("image", "float32", [-1, 3, 8, 8]),
        ("size", "int64", [-1, 2]),
    ]
    assert [about["name"] for about in built.outputs] == ["a", "b"]
    got = load(built.data).predict(built.example)
    assert np.allclose(got["a"], example[0][:1].mean((1, 2, 3)).numpy())
    assert got["b"].tolist() == [[8, 10]]


def test_torchscript_where_the_export_fails(tmp_path: Path) -> None:
    built = build(Branches(), torch.rand(2, 3, 4, 4), tmp_path)
    assert built.network == "TorchScript (script)"
    assert any(note.startswith("Not torch.export:") for note in built.notes)
    assert any("--trust only" in note for note in built.notes)
    for sign in (1, -1):
        batch = sign * np.ones((3, 3, 4, 4), np.float32)
        wanted = Branches()(torch.from_numpy(batch)).numpy()
        assert np.array_equal(load(built.data, trust=True).predict(batch), wanted)


def test_an_output_of_a_class_becomes_a_dict(tmp_path: Path) -> None:
    built = build(Named(), torch.rand(1, 3, 4, 4), tmp_path)
    assert built.network == "torch.export"
    assert set(load(built.data).predict(built.example)) == {"mean", "double"}


def test_targets_of_a_loader_are_left_out(tmp_path: Path) -> None:
    built = build(nn.Conv2d(3, 2, 1), [torch.rand(2, 3, 4, 4), torch.zeros(2)], tmp_path)
    assert "The targets of the example were left out." in built.notes


class Chance(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class Number(nn.Module):
    def forward(self, x: torch.Tensor) -> float:
        return 1.0


def returns_object(logits: Any) -> Any:
    return set(logits.shape)


REFUSED: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "no network": (len, torch.rand(1, 3), {}, "expected a torch.nn.Module"),
    "chance": (Chance(), torch.rand(1, 3, 4, 4), {}, "no graph that agrees"),
    "no tensor": (Number(), torch.rand(1, 3, 4, 4), {}, "returns a float"),
    "wrong example": (Classifier(), torch.rand(1, 5, 8, 8), {}, "fails on the example"),
    "text": (Classifier(), "photo.png", {}, "expected a tensor or an array"),
    "floats as pictures": (Classifier(), torch.rand(1, 3, 8, 8), {"pre": TRANSFORM}, "raw images"),
    "two inputs missing": (Several(), torch.rand(1, 3, 8, 8), {}, "forward takes image, size"),
    "few names": (
        Classifier(),
        small_photos(),
        {"pre": TRANSFORM, "post": "labels:cat"},
        "has no name",
    ),
    "object back": (
        Classifier(),
        torch.rand(1, 3, 8, 8),
        {"post": returns_object},
        "cannot answer with",
    ),
    "boxes of logits": (
        Classifier(),
        small_photos(),
        {"pre": TRANSFORM, "post": "nms:0.5"},
        "boxes: expected",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_built_is_one_line(case: str, tmp_path: Path) -> None:
    model, example, options, said = REFUSED[case]
    with pytest.raises((UsageProblem, CvtrackError), match=said) as caught:
        build(model, example, tmp_path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (np.zeros((1, 3, 20, 21), np.float32), "expected float32 N × 3 × 20 × 20, got float32 1"),
        (np.zeros((1, 3, 20, 20), np.complex64), "expected float32, got complex64"),
        (np.zeros((0, 3, 20, 20), np.float32), "no samples"),
        ([[1, 2], [3]], "different lengths"),
        ("text", "expected float32, got <U4"),
        (torch.zeros(1, 3, 20, 20, dtype=torch.int64), "got int64"),
    ],
)
def test_wrong_tensors_are_refused(sent: Any, said: str, tmp_path: Path, plain_model: Any) -> None:
    with pytest.raises(ValueError, match=said):
        plain_model.predict(sent)


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("plain")
    return load(build(Classifier(), torch.rand(1, 3, 20, 20), folder).data)


def test_a_network_of_one_size_needs_no_resize_before_it(tmp_path: Path) -> None:
    """Its pre-processing keeps every size, and only the example's can be run."""
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 1), np.uint8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    built = build(model, images, tmp_path / "built", pre="float")
    assert built.network == "torch.export"
    assert built.max_abs == 0


def test_before_pytorch_2_6_the_network_is_torchscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.export.Dim, "DYNAMIC")
    net, x = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval(), torch.rand(2, 3, 2, 2)
    built = build(net, x, tmp_path / "model")
    assert built.network == "TorchScript (script)"
    assert not [note for note in built.notes if "torch.export" in note]
    served = load(built.data, trust=True).predict(x.numpy())
    np.testing.assert_allclose(served, net(x).detach())
