"""Twenty-four networks of five tasks, each with what a user's own loop measures of it.

Random weights; what a loop decodes is written here in plain PyTorch, and shares nothing with
the steps that serve it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

SAMPLES, SIDE, COUNT = 8, 64, 3
NAMES = ["cat", "dog", "owl"]
CLASSIFIERS = (
    "resnet18", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "densenet121",
    "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t",
)  # fmt: skip
SEGMENTERS = ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50")
DETECTORS = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "ssdlite320_mobilenet_v3_large",
    "retinanet_resnet50_fpn",
    "fcos_resnet50_fpn",
)
KEEP = 0.05
"""Boxes below it are not measured; the served ones are asked for the same."""


@dataclass(frozen=True)
class Network:
    """A network, what its loop measured, and how it is to be served.

    ``measured`` is one array for each named output, or for detections one dict a picture.
    """

    task: str
    model: nn.Module
    measured: Any
    predictions: Any
    options: dict[str, Any] = field(default_factory=dict)


def pictures() -> np.ndarray[Any, Any]:
    """Return pictures as a file has them, N × H × W × 3."""
    small = np.random.default_rng(0).integers(0, 256, (SAMPLES, 10, 12, 3), np.uint8)
    return small.repeat(8, 1).repeat(8, 2)


def prepare(side: int = SIDE) -> Any:
    """Return the transform of a user."""
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize((side, side), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )


def plain() -> Any:
    """Return the transform of a detector, which normalises by itself."""
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def _batch(transform: Any) -> torch.Tensor:
    return torch.stack([transform(picture) for picture in pictures()])


def _run(model: nn.Module, inputs: Any) -> Any:
    with torch.no_grad():
        return model.eval()(inputs)


def _awake(model: nn.Module, inputs: Any) -> nn.Module:
    from tests.release.export.models import awake

    return awake(model, lambda each: each(inputs))


def classifier(name: str) -> Network:
    """Return one of torchvision's classifiers."""
    from cvtrack_magics import Predictions

    made = getattr(torchvision.models, name)(weights=None, num_classes=COUNT)
    model, inputs = made, _batch(prepare())
    model = _awake(model, inputs)
    logits = _run(model, inputs)
    found = logits.softmax(1).numpy()
    predictions = Predictions.classification(
        pictures(), np.arange(SAMPLES) % COUNT, probabilities=found, classes=NAMES
    )
    return Network(
        "classification", model, {"": found}, predictions, {"pre": prepare(), "post": "softmax"}
    )


class Out(nn.Module):
    """A segmenter's map, without its auxiliary one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.model(x)["out"]


def segmenter(name: str) -> Network:
    """Return one of torchvision's segmenters."""
    from cvtrack_magics import Predictions

    made = getattr(torchvision.models.segmentation, name)
    model = Out(made(weights=None, weights_backbone=None, num_classes=COUNT))
    inputs = _batch(plain())
    model = _awake(model, inputs)
    found = _run(model, inputs).argmax(1).numpy()
    predictions = Predictions.semantic(pictures(), found, found, classes=NAMES)
    return Network("segmentation", model, {"": found}, predictions, {
        "pre": plain(), "post": "argmax",
    })  # fmt: skip


def _detections(found: list[dict[str, Any]], names: list[str]) -> Any:
    from cvtrack_magics import Predictions

    truth = [{"boxes": one["boxes"][:1], "labels": one["labels"][:1]} for one in found]
    return Predictions.detection(pictures(), truth, found, classes=names)


def detector(name: str) -> Network:
    """Return one of torchvision's detectors."""
    side = 320 if "ssdlite" in name else 96
    sizes = {} if "ssdlite" in name else {"min_size": side, "max_size": 128}
    few = (
        {"rpn_post_nms_top_n_test": 50, "box_detections_per_img": 10}
        if "rcnn" in name
        else {"topk_candidates": 50, "detections_per_img": 10}
    )
    names = ["background", *NAMES]
    make = getattr(torchvision.models.detection, name)
    model = make(weights=None, weights_backbone=None, num_classes=len(names), **sizes, **few)
    images = list(_batch(plain()))
    model = _awake(model, images)
    found = [
        {key: one[key] for key in ("boxes", "scores", "labels")} for one in _run(model, images)
    ]
    options = {"pre": plain(), "post": "boxes", "labels": names}
    return Network("detection", model, found, _detections(found, names), options)


class Grid(nn.Module):
    """Boxes of the cells of a grid, centre and size in pixels, and what a head says of them."""

    def __init__(self, outputs: int, form: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 5, 4, 2), nn.ReLU(), nn.Conv2d(16, 16, 5, 4, 2), nn.ReLU()
        )
        self.sizes, self.scores = nn.Conv2d(16, 2, 1), nn.Conv2d(16, outputs, 1)
        self.form = form
        row = torch.arange(4) * 16.0 + 8
        centres = torch.stack(torch.meshgrid(row, row, indexing="xy"), -1).reshape(1, 16, 2)
        self.register_buffer("centres", centres)
        with torch.no_grad():
            self.scores.weight.mul_(40)
            self.sizes.weight.mul_(5)

    def forward(self, x: torch.Tensor) -> Any:  # noqa: D102
        cells = self.backbone(x)
        sizes = 6 + 8 * self.sizes(cells).sigmoid().flatten(2).transpose(1, 2)
        boxes = torch.cat((self.centres.expand_as(sizes), sizes), -1)
        return self.form(boxes, self.scores(cells).flatten(2).transpose(1, 2))


def _v8(boxes: torch.Tensor, scores: torch.Tensor) -> Any:
    return torch.cat((boxes, scores.sigmoid()), -1).transpose(1, 2)


def _rows(boxes: torch.Tensor, scores: torch.Tensor) -> Any:
    return torch.cat((boxes, scores.sigmoid()), -1)


def _objectness(boxes: torch.Tensor, scores: torch.Tensor) -> Any:
    return torch.cat((boxes, scores.sigmoid()), -1)


def _detr(boxes: torch.Tensor, scores: torch.Tensor) -> Any:
    return {"logits": scores, "pred_boxes": boxes / SIDE}


HEADS: dict[str, tuple[int, Any, str, str]] = {
    "rows (4 + K)": (COUNT, _rows, "boxes:cxcywh,rows", "all"),
    "columns, as YOLOv8": (COUNT, _v8, "boxes:cxcywh,columns", "all"),
    "objectness, as YOLOX": (COUNT + 1, _objectness, "boxes:cxcywh,objectness", "objectness"),
    "sigmoids, as Deformable DETR": (COUNT, _detr, "boxes:cxcywh,relative,sigmoid", "all"),
    "softmax with no object, as DETR": (
        COUNT + 1,
        _detr,
        "boxes:cxcywh,relative,softmax",
        "softmax",
    ),
}


def head(name: str) -> Network:
    """Return a small network with the layout of a family of detectors."""
    outputs, form, post, said = HEADS[name]
    torch.manual_seed(3)
    model, inputs = Grid(outputs, form), _batch(prepare())
    height, width = pictures().shape[1:3]
    scale = torch.tensor([width / SIDE, height / SIDE] * 2)
    with torch.no_grad():
        cells = model.backbone(inputs)
        sizes = 6 + 8 * model.sizes(cells).sigmoid().flatten(2).transpose(1, 2)
        logits = model.scores(cells).flatten(2).transpose(1, 2)
    centres = model.centres.expand_as(sizes)
    corners = torch.cat((centres - sizes / 2, centres + sizes / 2), -1) * scale
    if said == "objectness":
        scores = logits[..., :1].sigmoid() * logits[..., 1:].sigmoid()
    else:
        scores = logits.softmax(-1)[..., :-1] if said == "softmax" else logits.sigmoid()
    found = []
    for boxes, rows in zip(corners, scores, strict=True):
        best, labels = rows.max(-1)
        keep = best > KEEP
        found.append({"boxes": boxes[keep], "scores": best[keep], "labels": labels[keep]})
    options = {"pre": prepare(), "post": f"{post}|score:{KEEP}", "labels": NAMES}
    return Network("detection", model, found, _detections(found, NAMES), options)


class Dense(nn.Module):
    """Features of a network, and a plane as large as the picture."""

    def __init__(self, name: str) -> None:
        super().__init__()
        whole = getattr(torchvision.models, name)(weights=None)
        self.features = (
            nn.Sequential(*list(whole.children())[:-2]) if name == "resnet18" else whole.features
        )
        width = {"resnet18": 512, "mobilenet_v3_small": 576}[name]
        self.plane = nn.Conv2d(width, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        plane = self.plane(self.features(x))
        return F.softplus(F.interpolate(plane, x.shape[-2:], mode="bilinear", align_corners=False))


class Scored(nn.Module):
    """A heat map and its highest value."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # noqa: D102
        heat = self.model(x)[:, 0]
        return {"scores": heat.amax((1, 2)), "heat": heat}


def depth(name: str) -> Network:
    """Return a network that gives a depth for each pixel."""
    from cvtrack_magics import Predictions

    inputs = _batch(plain())
    model = _awake(Dense(name), inputs)
    found = _run(model, inputs)[:, 0].numpy()
    predictions = Predictions.depth(pictures(), found + 1, found)
    return Network("depth", model, {"": found[:, None]}, predictions, {"pre": plain()})


def anomaly(name: str) -> Network:
    """Return a network that gives a heat map and a score."""
    from cvtrack_magics import Predictions

    inputs = _batch(plain())
    model = _awake(Scored(Dense(name)), inputs)
    found = {key: value.numpy() for key, value in _run(model, inputs).items()}
    predictions = Predictions.anomaly(
        pictures(), np.arange(SAMPLES) % 2, found["scores"], heat=found["heat"]
    )
    return Network("anomaly", model, found, predictions, {"pre": plain()})


NETWORKS: dict[str, Callable[[], Network]] = {
    **{name: lambda name=name: classifier(name) for name in CLASSIFIERS},
    **{name: lambda name=name: segmenter(name) for name in SEGMENTERS},
    **{name: lambda name=name: detector(name) for name in DETECTORS},
    **{name: lambda name=name: head(name) for name in HEADS},
    **{f"depth of {n}": lambda n=n: depth(n) for n in ("resnet18", "mobilenet_v3_small")},
    **{f"heat of {n}": lambda n=n: anomaly(n) for n in ("resnet18", "mobilenet_v3_small")},
}  # fmt: skip
