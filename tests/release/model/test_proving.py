"""Steps behind a classifier or a mask: one logit, a second softmax, names that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.describing import describe_post
from cvtrack_magics.release.model.proving import proved
from cvtrack_magics.release.model.serving import load
from cvtrack_magics.release.model.serving.model import plain
from cvtrack_magics.release.model.serving.preparing import Placing
from cvtrack_magics.release.model.serving.steps import Batch, apply
from cvtrack_magics.tasks.predictions import Predictions

SIDE = 8
LOGITS = torch.tensor([[-3.0], [2.0]])
THREE = torch.tensor([[1.0, 2, -1], [4.0, -2, 0]])
PIXELS = torch.linspace(-4, 4, 2 * SIDE * SIDE).reshape(2, 1, SIDE, SIDE)
PAIR = ("cat", "dog")


def tried(post: str, value: Any, names: Any = ()) -> tuple[Any, Any]:
    batch = Batch((Placing(SIDE, SIDE),) * 2, ((SIDE, SIDE),) * 2, tuple(names))
    steps, notes = proved(describe_post(post).steps, value, batch, None, None)
    for step in steps:
        value = apply(step, value, batch)
    return plain(value), notes


ONE_LOGIT = {
    "N×1": LOGITS,
    "N": LOGITS[:, 0],
    "a dict": {"logits": LOGITS},
    "a tuple": (LOGITS, torch.zeros(2, 9)),
}


@pytest.mark.parametrize("case", ONE_LOGIT)
@pytest.mark.parametrize("first", ["softmax|", "sigmoid|", ""])
def test_one_logit_is_the_second_class(case: str, first: str) -> None:
    value = ONE_LOGIT[case]
    labels, _ = tried(f"{first}labels", value, PAIR)
    assert [one["label"] for one in labels] == ["cat", "dog"]
    wanted = [torch.sigmoid(torch.tensor(logit)).item() for logit in (3.0, 2.0)]
    assert [one["score"] for one in labels] == pytest.approx(wanted)
    assert tried(f"{first}argmax", value)[0].tolist() == [0, 1]
    top = tried(f"{first}top:2", value, PAIR)[0]
    assert [row[0]["label"] for row in top] == ["cat", "dog"]


def test_served_as_measured() -> None:
    served, _ = tried("softmax", LOGITS)
    measured = Predictions.classification(
        np.zeros((2, 8, 8, 3), np.uint8), torch.tensor([0, 1]), logits=LOGITS, classes=PAIR
    )
    np.testing.assert_allclose(served, measured.data.probabilities, atol=1e-6)


@pytest.mark.parametrize("form", ["N×1×H×W", "N×H×W", "a dict"])
@pytest.mark.parametrize(
    "post", ["argmax", "softmax|argmax", "sigmoid|argmax", "sigmoid|threshold"]
)
def test_one_logit_a_pixel(form: str, post: str) -> None:
    value: Any = {"N×1×H×W": PIXELS, "N×H×W": PIXELS[:, 0], "a dict": {"out": PIXELS}}[form]
    masks, _ = tried(f"{post}|original", value)
    for mask, logits in zip(masks, PIXELS[:, 0], strict=True):
        np.testing.assert_array_equal(mask, (logits > 0).numpy())


def test_other_heads() -> None:
    found, _ = tried("sigmoid|multilabel:0.5", THREE, "abc")
    assert [[one["label"] for one in row] for row in found] == [["b", "a"], ["a"]]
    ranks = torch.tensor([[3.0, 1], [2, -1]])
    assert tried("ordinal|labels", ranks, "abc")[0] == [{"label": "c"}, {"label": "b"}]
    conditional = torch.tensor([[0.2, 0.2], [4, 3]])  # .55 · .55 is below one half
    assert tried("ordinal:conditional", conditional)[0].tolist() == [1, 2]
    logs, _ = tried("exp|labels", THREE.log_softmax(1), "abc")
    plain_ones, _ = tried("softmax|labels", THREE, "abc")
    assert [one["label"] for one in logs] == ["b", "a"]
    assert [one["score"] for one in logs] == pytest.approx([one["score"] for one in plain_ones])
    sure, _ = tried("probability|labels", LOGITS.sigmoid(), PAIR)
    assert [one["label"] for one in sure] == ["cat", "dog"]


REFUSED: dict[str, tuple[str, Any, Any, str]] = {
    "too few names": ("softmax|labels", THREE, PAIR, "2 names for 3 classes"),
    "too few names in the step": ("softmax|labels:a,b", THREE, (), "2 names for 3 classes"),
    "too many names": ("softmax", THREE, "abcd", "4 names for 3 classes"),
    "names of a mask": ("argmax|original", torch.randn(2, 4, SIDE, SIDE), "abc", "3 names for 4"),
    "three names for one logit": ("softmax|labels", LOGITS, "abc", "3 names for 2 classes"),
    "one name for one logit": ("sigmoid|labels", LOGITS, ("dog",), "1 name for 2 classes"),
    "names of ordinals": ("ordinal|labels", THREE, "abc", "3 names for 4 classes"),
    "second softmax": ("softmax|labels", THREE.softmax(1), "abc", "second one"),
    "second softmax of a mask": ("softmax", torch.randn(2, 4, 8, 8).softmax(1), (), "second one"),
    "exp of logits": ("exp|labels", THREE, "abc", "no logarithm"),
    "several of logits": ("multilabel:0.5", THREE, "abc", "sigmoid.multilabel"),
    "logit or probability": ("labels", LOGITS.sigmoid(), PAIR, "probability.labels"),
    "sigmoid after softmax": ("sigmoid|multilabel", THREE.softmax(1), "abc", "second one"),
    "classes last": ("argmax|original", torch.randn(2, SIDE, SIDE, 3), (), "its classes last"),
    "softmax of classes last": ("softmax", torch.randn(2, SIDE, SIDE, 1), (), "its classes last"),
    "no steps": ("", THREE, PAIR, "2 names for 3 classes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(case: str) -> None:
    post, value, names, said = REFUSED[case]
    batch = Batch((Placing(SIDE, SIDE),) * 2, ((SIDE, SIDE),) * 2, tuple(names))
    steps = describe_post(post).steps if post else ()
    with pytest.raises(UsageProblem, match=said) as caught:
        proved(steps, value, batch, None, None)
    assert "\n" not in str(caught.value)


def test_sigmoid_of_what_lies_within_0_and_1_is_doubted() -> None:
    assert "is sigmoid the second one?" in tried("sigmoid", PIXELS.sigmoid())[1][0]


def head(*last: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 1 if len(last) > 1 else 3), *last)


@pytest.mark.parametrize(
    ("model", "post", "said"),
    [
        (head(nn.Softmax(1)), "softmax", "end in softmax already"),
        (head(nn.Sigmoid()), "sigmoid", "end in sigmoid already"),
        (head(nn.LogSoftmax(1)), "sigmoid", "end in log_softmax already"),
        (head(nn.Sigmoid(), nn.Identity()), "softmax", "probability in its place"),
    ],
)
def test_the_graphs_last_operator(model: Any, post: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=said):
        build(model, torch.rand(2, 3, 2, 2), tmp_path, post=post)


def test_a_network_that_ends_in_sigmoid_gives_the_second_class(tmp_path: Path) -> None:
    model = head(nn.Sigmoid(), nn.Identity())
    x = torch.rand(5, 3, 2, 2)
    built = build(model, x, tmp_path, post="labels", labels=PAIR)
    wanted = [PAIR[int(p > 0.5)] for p in model(x)[:, 0]]
    assert [one["label"] for one in load(built.data).predict(x.numpy())] == wanted
