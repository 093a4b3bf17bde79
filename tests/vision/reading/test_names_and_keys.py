"""Labels and scores as people hold them: names, other keys, missing values, empty rows."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions

CLASSES = ["cat", "dog"]
SCORES = np.array([[2.0, -1], [0, 3], [1, 0]])
BOX = [[10.0, 20.0, 60.0, 80.0], [5.0, 5.0, 50.0, 40.0]]
TRUE: dict[str, Any] = {"boxes": BOX, "labels": [0, 1]}
SAID: dict[str, Any] = {**TRUE, "scores": [0.9, 0.8]}


def detected(truth: Any = TRUE, said: Any = SAID, **more: Any) -> Predictions:
    return Predictions.detection(None, [truth], [said], sizes=[(100, 200)], **more)


NAMED: dict[str, Any] = {
    "list": ["cat", "dog", "cat"],
    "tuple": ("cat", "dog", "cat"),
    "array": np.array(["cat", "dog", "cat"]),
    "objects": np.array(["cat", "dog", "cat"], object),
    "Series": pd.Series(["cat", "dog", "cat"]),
}


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize(
    "classes",
    [
        CLASSES,
        dict(enumerate(CLASSES)),
        {"cat": 0, "dog": 1},
        [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
    ],
    ids=["names", "id2label", "class_to_idx", "COCO's categories"],
)
def test_labels_that_are_names(form: str, classes: Any) -> None:
    found = Predictions.classification(None, NAMED[form], SCORES, classes=classes)
    assert found.labels.truth.tolist() == [0, 1, 0]
    assert found.classes == ("cat", "dog")


def test_names_of_objects() -> None:
    named = {**TRUE, "labels": ["dog", "cat"]}
    found = detected(named, {**SAID, "labels": ["dog", "dog"]}, classes=CLASSES).boxes
    assert found.truth.labels.tolist() == [1, 0]
    assert found.prediction.labels.tolist() == [1, 1]


class ClassLabel:
    """As of Hugging Face."""

    names = CLASSES


def test_a_class_label_of_hugging_face() -> None:
    found = Predictions.classification(None, [0, 1, 0], SCORES, classes=ClassLabel())
    assert found.classes == ("cat", "dog")


@pytest.mark.parametrize("key", ["score", "conf", "confidence", "pred_scores"])
def test_scores_under_another_key(key: str) -> None:
    found = detected(said={**TRUE, key: [0.9, 0.8]})
    assert found.boxes.prediction.scores.tolist() == pytest.approx([0.9, 0.8])


REFUSED: dict[str, tuple[Any, str]] = {
    "names without classes": (
        lambda: Predictions.classification(None, ["cat", "dog", "cat"], SCORES),
        "names, such as 'cat'",
    ),
    "a name that is no class": (
        lambda: Predictions.classification(None, ["cat", "dgo", "cat"], SCORES, classes=CLASSES),
        "'dgo' is none of the 2 classes.*'dog'",
    ),
    "two classes of one name": (
        lambda: Predictions.classification(None, ["a", "a", "a"], SCORES, classes=["a", "a"]),
        "two classes have one name",
    ),
    "missing": (
        lambda: Predictions.classification(None, [0, None, 1], SCORES),
        r"1 of 3 values are missing \(None\)",
    ),
    "several to ignore": (
        lambda: Predictions.classification(None, [0, 1, 0], SCORES, ignore=[0, 1, 2]),  # type: ignore[arg-type]
        "ignore: expected one label",
    ),
    "several pixels to ignore": (
        lambda: Predictions.semantic(
            None, np.zeros((1, 2, 2), int), np.zeros((1, 2, 2), int), ignore=(0, 255)  # type: ignore[arg-type]
        ),
        "ignore: expected one label",
    ),
    "categories without names": (
        lambda: Predictions.classification(None, [0, 1, 0], SCORES, classes=[{"id": 0}, {"id": 1}]),
        "an id and a name",
    ),
    "two keys of scores": (
        lambda: detected(said={**TRUE, "conf": [1, 1], "score": [1, 1]}),
        "score or conf",
    ),
    "a dict for several images": (
        lambda: Predictions.detection(None, TRUE, [SAID] * 2, sizes=[(9, 9)] * 2),
        "one dict for 2 images",
    ),
    "an object without its box": (
        lambda: detected([WHOLE, {"category_id": 0}]),
        "object 1 has no bbox",
    ),
    "an object without its class": (
        lambda: detected([WHOLE, {"bbox": [1, 2, 3, 4]}]),
        "object 1 has no category_id",
    ),
    "a result without score": (
        lambda: detected(said=[{"bbox": [1, 2, 3, 4], "category_id": 0}]),
        "object 0 has no score",
    ),
}  # fmt: skip
WHOLE: dict[str, Any] = {"bbox": [1, 2, 3, 4], "category_id": 0}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises(UsageProblem, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_rows_that_only_fill_up_are_said() -> None:
    filled = {"boxes": [BOX[0], [0, 0, 0, 0]], "labels": [0, 0]}
    assert "1 of 2 boxes have no area" in detected(filled).notes[0]
    assert not detected().notes
    assert not detected(said={**filled, "scores": [0.9, 0.0]}).notes


def test_scores_that_are_nan_are_said() -> None:
    assert "1 of 2 scores are NaN" in detected(said={**TRUE, "scores": [np.nan, 0.8]}).notes[0]


class Ends(nn.Module):
    def __init__(self, way: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.body, self.way = nn.Sequential(*layers), way

    def forward(self, images: torch.Tensor) -> Any:
        return self.way(self.body(images))


Output = namedtuple("Output", "logits features")
X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 20
OUTPUTS: dict[str, Any] = {
    "logits": lambda z: z,
    "a named tuple": lambda z: Output(z, z),
    "a dict of probabilities": lambda z: {"probs": z.softmax(1), "features": z},
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_what_a_network_gives_is_found(case: str) -> None:
    torch.manual_seed(0)
    model = Ends(OUTPUTS[case], nn.Flatten(), nn.Linear(192, 3))
    loader = DataLoader(TensorDataset(X, torch.tensor([0, 1, 2, 0])), batch_size=2)
    found = Predictions.collect(model, loader, "classification")
    wanted = model.body(X).softmax(1).detach().numpy()
    np.testing.assert_allclose(found.labels.probabilities, wanted, atol=1e-6)


def test_a_network_that_ends_in_argmax_gives_label_maps() -> None:
    torch.manual_seed(0)
    model = Ends(lambda z: z.argmax(1), nn.Conv2d(3, 3, 1))
    loader = DataLoader(TensorDataset(X, torch.zeros(4, 8, 8, dtype=torch.int64)), batch_size=2)
    found = Predictions.collect(model, loader, "semantic")
    assert found.segments.prediction[3].tolist() == model(X)[3].tolist()


def test_a_hard_sigmoid_makes_probabilities() -> None:
    model = Ends(nn.Hardsigmoid(), nn.Flatten(), nn.Linear(192, 1))
    loader = DataLoader(TensorDataset(X, torch.tensor([0, 1, 1, 0])), batch_size=2)
    found = Predictions.collect(model, loader, "classification")
    wanted = model(X)[:, 0].detach().numpy()
    np.testing.assert_allclose(found.labels.probabilities[:, 1], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("way", "said"),
    [(lambda z: [z, z], "no tensor but a list of 2"), (lambda z: {"x": z}, "but the keys x")],
)
def test_an_output_with_several_readings_is_named(way: Any, said: str) -> None:
    loader = DataLoader(TensorDataset(X, torch.tensor([0, 1, 1, 0])), batch_size=2)
    with pytest.raises(UsageProblem, match=said):
        Predictions.collect(Ends(way, nn.Flatten()), loader, "classification")


def test_a_loader_of_dicts_is_named() -> None:
    with pytest.raises(UsageProblem, match="dicts of pixel_values, labels"):
        Predictions.collect(nn.Flatten(), [{"pixel_values": X, "labels": X}], "classification")
