"""Names of classes in the forms that people hold them, and where a loader finds them."""

from __future__ import annotations

import types
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from cvtrack_magics import Predictions, UsageProblem
from cvtrack_magics.tasks.class_names import class_names, names_in


class Row(NamedTuple):
    name: str
    id: int


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog", "owl"],
        ("cat", "dog", "owl"),
        np.array(["cat", "dog", "owl"]),
        {0: "cat", 1: "dog", 2: "owl"},
        {"2": "owl", "0": "cat", "1": "dog"},
        {"owl": 2, "cat": 0, "dog": 1},
        {"cat": np.int64(0), "dog": np.int64(1), "owl": np.int64(2)},
        [Row("cat", 7), Row("dog", 8), Row("owl", 9)],
    ],
)
def test_names_are_by_index(classes: Any) -> None:
    assert class_names(classes, 3) == ("cat", "dog", "owl")


def test_folders_that_are_called_by_numbers_keep_their_names() -> None:
    assert class_names({"0": 0, "1": 1, "10": 2, "2": 3}, 4) == ("0", "1", "10", "2")


@pytest.mark.parametrize(
    "classes",
    [{"a", "b"}, frozenset("ab"), "ab", {"a": 0, "b": 0}, {"a": "b"}, {-1: "a"}, {10**9: "a"}],
)
def test_what_gives_no_order_is_refused(classes: Any) -> None:
    with pytest.raises(UsageProblem, match="classes"):
        class_names(classes, 2)


class Named(TensorDataset):
    classes = ("x", "y")


class Indexed(TensorDataset):
    class_to_idx = {"y": 1, "x": 0}  # noqa: RUF012 -- as torchvision writes it


def _loaded(kind: Any) -> Any:
    return kind(torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 0, 1, 0, 1]))


def bright(images: Any) -> Any:
    return images.mean((1, 2, 3))[:, None] * 20 - 20


@pytest.mark.parametrize("kind", [Named, Indexed])
@pytest.mark.parametrize(
    "around",
    [
        lambda one: one,
        lambda one: Subset(one, [1, 4]),
        lambda one: Subset(Subset(one, [1, 4, 5]), [2, 0]),
        lambda one: ConcatDataset([one, Subset(one, [0])]),
    ],
    ids=["itself", "subset", "subset of subset", "concatenated"],
)
def test_collect_finds_the_names_below(kind: Any, around: Any) -> None:
    loader = DataLoader(around(_loaded(kind)), 2)
    found = Predictions.collect(bright, loader, "classification")
    assert found.classes == ("x", "y")


def test_parts_that_do_not_agree_name_nothing() -> None:
    other = _loaded(TensorDataset)
    other.classes = ("p", "q")
    loader = DataLoader(ConcatDataset([_loaded(Named), other]), 4)
    found = Predictions.collect(bright, loader, "classification")
    assert found.classes == ("0", "1")


@pytest.mark.parametrize(
    ("drawn", "again"), [([0, 1, 2], 0), ([0, 0, 1, 2, 2, 2], 3), ([5, 4, 5], 1)]
)
def test_samples_that_a_sampler_gives_again_are_said(drawn: list[int], again: int) -> None:
    loader = DataLoader(_loaded(Named), 2, sampler=drawn)
    notes = Predictions.collect(bright, loader, "classification").notes
    assert len(notes) == bool(again)
    assert all(f" {again} of {len(drawn)} " in note for note in notes)


def _part(ids: Any, pictures: Any = None) -> Predictions:
    count = 3
    return Predictions.classification(
        pictures, [0, 1, 0], probabilities=np.full((count, 2), 0.5), ids=ids
    )


@pytest.mark.parametrize(
    ("mine", "other", "shared"),
    [
        (["a", "b", "c"], ["d", "e", "f"], 0),
        (["a", "b", "c"], ["c", "b", "f"], 2),
        (None, None, 0),
        (["0", "1", "2"], ["0", "1", "2"], 0),
        (["0", "1", "2"], ["1", "2", "3"], 0),
    ],
)
def test_samples_in_both_parts_are_said_once(mine: Any, other: Any, shared: int) -> None:
    notes = (_part(mine) + _part(other)).notes
    assert len(notes) == bool(shared)
    assert all(note.startswith(f"{shared} of the samples") for note in notes)


def test_places_are_the_same_samples_where_their_pictures_are() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
    ids = ["0", "1", "2"]
    assert len((_part(ids, pictures) + _part(ids, pictures)).notes) == 1
    assert (_part(ids, pictures) + _part(ids, 255 - pictures)).notes == ()


HELD = {
    "names by number": pd.Series(["cat", "dog"]),
    "numbers by name": pd.Series({"cat": 0, "dog": 1}),
    "a type of pandas": pd.CategoricalDtype(["cat", "dog"]),
    "an encoder": types.SimpleNamespace(classes_=np.array(["cat", "dog"])),
    "ImageNet's file": {"0": ["n02121620", "cat"], "1": ["n02084071", "dog"]},
    "several words": [("cat",), ("dog",)],
}


@pytest.mark.parametrize("held", HELD)
def test_names_are_those_that_are_held(held: str) -> None:
    assert class_names(HELD[held], 0) == ("cat", "dog")


def test_words_of_one_class_are_one_name() -> None:
    assert class_names([("tench", "Tinca tinca"), ("goldfish",)], 0)[0] == "tench, Tinca tinca"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_names", ["cat", "dog"]),
        ("CLASSES", ("cat", "dog")),
        ("idx_to_class", {0: "cat", 1: "dog"}),
        ("id2label", {"0": "cat", "1": "dog"}),
        ("label2id", {"dog": 1, "cat": 0}),
        ("categories", [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]),
    ],
)
def test_names_of_a_data_set_by_any_of_its_names(name: str, value: object) -> None:
    assert list(names_in(types.SimpleNamespace(**{name: value}))) == ["cat", "dog"]
    inside = types.SimpleNamespace(dataset=types.SimpleNamespace(**{name: value}))
    assert list(names_in(inside)) == ["cat", "dog"]


def test_ids_that_are_no_labels_name_no_classes() -> None:
    rows = [{"id": 1, "name": "cat"}, {"id": 18, "name": "dog"}]
    assert names_in(types.SimpleNamespace(categories=rows)) is None


@pytest.mark.parametrize("label", [2**40, 2**62])
@pytest.mark.parametrize("where", ["truth", "predictions"])
def test_an_identifier_is_no_label(label: int, where: str) -> None:
    picture = np.zeros((1, 8, 8, 3), "u1")
    boxes = np.array([[1.0, 1, 5, 5]])
    truth = {"boxes": boxes, "labels": np.array([label if where == "truth" else 0])}
    found = {"boxes": boxes, "labels": np.array([label if where == "predictions" else 0])}
    with pytest.raises(UsageProblem, match=f"label {label}: no data set has as many classes"):
        Predictions.detection(picture, [truth], [{**found, "scores": np.array([0.5])}])
