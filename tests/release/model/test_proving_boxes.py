"""A detector's layout is proved from names, shape and values, or asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_fpn

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.describing import describe_post
from cvtrack_magics.release.model.proving import proved
from cvtrack_magics.release.model.serving import load
from cvtrack_magics.release.model.serving.preparing import Placing
from cvtrack_magics.release.model.serving.steps import Batch, apply

Q, SIDE = 20, 32
BOX = torch.tensor([16.0, 12, 8, 6])  # cxcywh
CORNERS = [12.0, 9.0, 20.0, 15.0]
NAMES = ("car", "bus", "van")


def boxes(scale: float = 1.0) -> torch.Tensor:
    found = torch.tensor([2.0, 2, 1, 1]).repeat(Q, 1)
    found[0] = BOX
    return found / scale


def scores(classes: int = 3) -> torch.Tensor:
    """One object of the last class."""
    found = torch.full((Q, classes), 0.01)
    found[0, -1] = 0.9
    return found


def with_no_object(last: float = 6.0) -> torch.Tensor:
    logits = torch.cat((torch.zeros(Q, 3), torch.full((Q, 1), last)), 1)
    logits[0] = torch.tensor([0.0, 0, 6, 0])
    return logits


def objects() -> torch.Tensor:
    return scores(1)


def final() -> torch.Tensor:
    found = torch.zeros(Q, 2)
    found[0] = torch.tensor([0.9, 2])
    return torch.cat((boxes(), found), 1)


ROWS = torch.cat((boxes(), scores()), 1)[None]
OBJECTNESS = torch.cat((boxes(), torch.tensor([[0.95]] + [[0.02]] * (Q - 1)), scores()), 1)[None]
ANCHORS = torch.cat([OBJECTNESS] + [OBJECTNESS[:, 1:2]] * (3 * (16 + 4 + 1) - Q), 1)
LOGITS = torch.logit(scores())[None]
SHARES = boxes(SIDE)[None]
REL = "boxes:cxcywh,relative"

READ: dict[str, tuple[str, Any]] = {
    "rows": ("boxes:cxcywh", ROWS),
    "YOLOv8": ("boxes:cxcywh", ROWS.transpose(1, 2)),
    "YOLOv8 with its feature maps": (
        "boxes:cxcywh",
        (ROWS.transpose(1, 2), [torch.zeros(1, 9, 4, 4)]),
    ),
    "YOLOv8 in a dict": ("boxes:cxcywh", {"output0": ROWS.transpose(1, 2)}),
    "YOLOv5": ("boxes:cxcywh", ANCHORS),
    "YOLOv5 with three feature maps": ("boxes:cxcywh", (ANCHORS, torch.zeros(1, 3, 4, 4, 8))),
    "YOLOX": ("boxes:cxcywh,objectness", OBJECTNESS),
    "YOLOv10": ("boxes:cxcywh", final()[None]),
    "YOLOX of logits": (
        "boxes:cxcywh,objectness,sigmoid",
        torch.cat((OBJECTNESS[..., :4], torch.logit(OBJECTNESS[..., 4:])), 2),
    ),
    "rows of logits": ("boxes:cxcywh,sigmoid", torch.cat((ROWS[..., :4], LOGITS), 2)),
    "columns of logits": (
        "boxes:cxcywh,sigmoid,columns",
        torch.cat((ROWS[..., :4], LOGITS), 2).transpose(1, 2),
    ),
    "Deformable DETR": (REL, {"logits": LOGITS, "pred_boxes": SHARES}),
    "DINO": (REL, {"pred_logits": LOGITS, "pred_boxes": SHARES}),
    "sigmoids in a tuple": (REL, (SHARES, LOGITS)),
    "DETR": (REL, {"logits": with_no_object()[None], "pred_boxes": SHARES}),
    "DETR, said": (REL + ",softmax", {"logits": with_no_object(-1)[None], "pred_boxes": SHARES}),
    "scores": ("boxes:cxcywh", {"boxes": boxes()[None], "scores": scores()[None]}),
    "scores in a tuple": ("boxes:cxcywh", (boxes()[None], scores()[None])),
    "scores and labels": (
        "boxes:cxcywh",
        (boxes()[None], scores()[None].amax(-1), scores()[None].argmax(-1)),
    ),
}


def tried(post: str, value: Any, names: Any = NAMES, model: Any = None) -> tuple[Any, Any]:
    batch = Batch((Placing(SIDE, SIDE),), ((SIDE, SIDE),), tuple(names))
    steps, notes = proved(describe_post(post).steps, value, batch, None, model)
    for step in steps:
        value = apply(step, value, batch)
    return value, notes


@pytest.mark.parametrize("case", READ)
def test_the_box_that_the_network_says(case: str) -> None:
    post, value = READ[case]
    (found,), notes = tried(f"{post}|nms:0.5,0.3", value)
    assert found["boxes"] == [pytest.approx(CORNERS, abs=1e-4)]
    assert found["labels"] == ["van"]
    assert found["scores"][0] > 0.8
    assert notes == ()


REFUSED: dict[str, tuple[str, Any, tuple[str, ...], str]] = {
    "rows, two names": ("boxes:cxcywh", ROWS, ("a", "b"), "3 classes of which one has no name"),
    "YOLOX": ("boxes:cxcywh", OBJECTNESS, NAMES, "boxes:cxcywh,objectness"),
    "sizes for corners": ("boxes:xyxy", ROWS, NAMES, "boxes:cxcywh,rows or boxes:xywh,rows"),
    "v8, four names": ("boxes:cxcywh", ROWS.mT, tuple("abcd"), "does not fit 4 names"),
    "v5, five names": ("boxes:cxcywh", OBJECTNESS, tuple("abcde"), "does not fit 5 names"),
    "v8, no names": ("boxes:cxcywh", ROWS.mT, (), "boxes:cxcywh,columns"),
    "masks behind the classes": (
        "boxes:cxcywh",
        torch.cat((ROWS, torch.rand(1, Q, 32)), 2).mT,
        NAMES,
        "1×39×20 does not fit",
    ),
    "the wrong word": ("boxes:cxcywh,rows", ROWS.mT, NAMES, "not within 0..1|names for"),
    "logits as rows": (
        "boxes:cxcywh",
        torch.cat((ROWS[..., :4], LOGITS), 2),
        NAMES,
        "boxes:cxcywh,sigmoid",
    ),
    "as many queries as rows": (
        "boxes:cxcywh",
        torch.full((1, 7, 7), 0.5),
        NAMES,
        "boxes:cxcywh,rows or ",
    ),
    "two classes or end to end": (
        "boxes:cxcywh",
        torch.cat((ROWS[..., :4] + 9, torch.zeros(1, Q, 2)), 2),
        ("a", "b"),
        "rows or .*end2end",
    ),
    "DETR, two names": (
        REL,
        {"logits": with_no_object()[None], "pred_boxes": SHARES},
        ("a", "b"),
        "2 names for 4 classes",
    ),
    "DETR, no names": (REL, {"logits": LOGITS, "pred_boxes": SHARES}, (), ",sigmoid"),
    "no object named": (
        REL,
        {"logits": LOGITS, "pred_boxes": SHARES},
        ("a", "b", "no-object"),
        "last class is named",
    ),
    "sigmoids of one class more": (
        REL,
        {"logits": torch.full((1, Q, 4), -4.0), "pred_boxes": SHARES},
        NAMES,
        "never likely",
    ),
    "scores, two names": (
        REL,
        {"boxes": SHARES, "scores": scores()[None]},
        ("a", "b"),
        "2 names for 3",
    ),
    "labels without names": (
        "boxes",
        [{"boxes": boxes(), "scores": scores()[:, 2], "labels": torch.full((Q,), 3)}],
        NAMES,
        "class 3 has no name",
    ),
    "scores first": (REL, (scores()[None], SHARES), NAMES, "second output"),
    "shares as pixels": (
        "boxes:cxcywh",
        (SHARES, scores()[None]),
        NAMES,
        "Say boxes:cxcywh,relative",
    ),
    "pixels as shares": (REL, (boxes()[None] * 9, scores()[None]), NAMES, "Leave out relative"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused_in_one_line(case: str) -> None:
    post, value, names, said = REFUSED[case]
    with pytest.raises(UsageProblem, match=said) as caught:
        tried(post, value, names)
    assert "\n" not in str(caught.value)


def test_a_second_sigmoid_is_said() -> None:
    _, notes = tried(REL + ",sigmoid", {"logits": scores()[None], "pred_boxes": SHARES})
    assert "is sigmoid the second one?" in notes[0]


def test_a_torchvision_detector_knows_its_classes() -> None:
    model = fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None, num_classes=4)
    found = [{"boxes": boxes(), "scores": scores()[:, 2], "labels": torch.full((Q,), 1)}]
    with pytest.raises(UsageProblem, match="3 names for a detector of 4 classes"):
        tried("boxes", found, NAMES, model)
    answer, _ = tried("boxes", found, ("background", *NAMES), model)
    assert answer[0]["labels"][0] == "car"


class Columns(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ROWS.mT.repeat(x.shape[0], 1, 1) + x.mean((1, 2, 3))[:, None, None] * 0


def test_the_layout_is_kept_with_the_model(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 255, (1, 64, 96, 3), np.uint8)
    post = "boxes:cxcywh|nms:0.5,0.3"
    built = build(Columns(), raw, tmp_path, pre="resize:32|float", post=post, labels=NAMES)
    (found,) = load(built.data).predict(raw)
    assert found["boxes"] == [[36, 18, 60, 30]]
    assert found["labels"] == ["van"]
