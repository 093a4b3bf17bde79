"""Small networks, real pictures, and one way to store a model."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn

from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.built import Built
from cvtrack_magics.store.models import save_pyfunc

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Classifier(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pooled = torch.relu(self.norm(self.conv(image))).mean((2, 3))
        return self.head(self.drop(pooled)) * 3


class Mask(nn.Module):
    """Two channels at the input's size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        grey = image.mean(1)
        return torch.stack([1 - grey, grey], dim=1)


class Corners(nn.Module):
    """Detects the same boxes everywhere: shares of the picture, cxcywh, with logits."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        boxes = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.26, 0.25, 0.5, 0.5], [0.9, 0.9, 0.4, 0.2]])
        logits = torch.tensor([[4.0, 0, 0], [3.0, 0, 0], [0, 5.0, 0]])
        count = image.shape[0]
        zero = image.mean((1, 2, 3)).reshape(count, 1, 1) * 0
        return {
            "pred_boxes": boxes.expand(count, -1, -1) + zero,
            "pred_logits": logits.expand(count, -1, -1) + zero,
        }


def photos() -> list[np.ndarray[Any, Any]]:
    """Two real photos, 427 × 640 × 3 uint8."""
    return [np.array(image) for image in load_sample_images().images]


def small_photos() -> list[np.ndarray[Any, Any]]:
    return [np.array(Image.fromarray(image).resize((96, 64))) for image in photos()]


def encoded(image: np.ndarray[Any, Any], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def stored(model: Any, example: Any, folder: Path, **options: Any) -> tuple[Built, Path]:
    """Build a model and write it as MLflow keeps it."""
    built = build(model, example, folder / "built", **options)
    save_pyfunc(
        folder / "saved",
        loader=built.loader,
        data=built.data,
        code=built.code,
        inputs=built.inputs,
        outputs=built.outputs,
        example=built.example,
        requirements=built.requirements,
    )
    return built, folder / "saved"
