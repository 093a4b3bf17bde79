"""Columns of samples: read as people have them, kept through slices, joins and files."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.about import read_about
from cvtrack_magics.tasks.npz import dump, load
from cvtrack_magics.tasks.predictions import Predictions

IDS = ("a", "b", "c")


class Frame(SimpleNamespace):
    """What pandas' DataFrame is to those who read one."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]


def frame(index: Any, **data: Any) -> Frame:
    return Frame(columns=list(data), index=index, data=data)


class NAType:
    """As pandas names what is missing."""


@pytest.mark.parametrize(
    ("given", "column"),
    [
        ({"x": ["u", "v", "u"]}, ("u", "v", "u")),
        ({"x": np.array([1, 2, 3])}, (1.0, 2.0, 3.0)),
        ({"x": np.array([True, False, True])}, (True, False, True)),
        ({"x": torch.tensor([0.5, 1.5, float("nan")])}, (0.5, 1.5, None)),
        ({"x": [np.float32(2), np.str_("t"), NAType()]}, (2.0, "t", None)),
        ({"x": {"c": 3, "a": 1, "b": None, "other": 9}}, (1.0, None, 3.0)),
        ({"x": (one for one in "uvw")}, ("u", "v", "w")),
        (frame([0, 1, 2], x=[7, 8, 9]), (7.0, 8.0, 9.0)),
        (frame(["c", "z", "b", "a"], x=[3, 0, 2, 1]), (1.0, 2.0, 3.0)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_columns_are_read_as_people_have_them(given: Any, column: Any) -> None:
    assert read_about(given, IDS) == {"x": column}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"x": [1, 2]}, "2 values for 3 samples"),
        ({"x": "uvw"}, "is one value, str"),
        ({"x": 3}, "is one value, int"),
        ({"x": {"a": 1}}, "no value for 2 of 3 samples, the first is 'b'"),
        ({"a/b": [1, 2, 3]}, "cannot be the name of a column"),
        ({"": [1, 2, 3]}, "cannot be the name of a column"),
        ([1, 2, 3], "about is a list"),
        (frame(["a", "b"], x=[1, 2]), "2 values for 3 samples"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_column_is_refused_in_a_line(given: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        read_about(given, IDS)


def made(ids: tuple[str, ...] = IDS, **about: Any) -> Predictions:
    scores = np.eye(2)[[0, 1, 0]][: len(ids)]
    truth = [0, 1, 1][: len(ids)]
    return Predictions.classification(
        None, truth, probabilities=scores, ids=ids, about=about or None
    )


def test_columns_go_where_their_samples_go() -> None:
    one = made(camera=["u", "v", "u"], night=[True, False, None])
    assert one[[2, 0]].about == {"camera": ("u", "u"), "night": (None, True)}
    assert one[np.array([False, True, False])].about["camera"] == ("v",)
    both = one + made(ids=("d", "e", "f"), camera=["w", "w", "w"])
    assert both.about["camera"] == ("u", "v", "u", "w", "w", "w")
    assert both.about["night"] == (True, False, None, None, None, None)
    back, _ = load(dump(both, None))
    assert back.about == both.about
    assert load(dump(made(), None))[0].about == {}


def test_columns_are_added_and_replaced() -> None:
    one = made(camera=["u", "v", "u"]).with_about({"camera": ["x", "y", "z"]}, night=[1, 0, 1])
    assert one.about == {"camera": ("x", "y", "z"), "night": (1.0, 0.0, 1.0)}
    assert one.with_about(None).about == one.about


def test_columns_of_a_loader_are_those_of_its_samples() -> None:
    images = torch.rand(5, 3, 8, 8)
    data = torch.utils.data.TensorDataset(images, torch.tensor([0, 1, 0, 1, 0]))
    subset = torch.utils.data.Subset(data, [3, 1, 4])
    loader = torch.utils.data.DataLoader(subset, batch_size=2)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
    by_id = {str(at): f"camera {at}" for at in range(5)}
    found = Predictions.collect(
        model, loader, "classification", value_range=(0, 1), about={"camera": by_id}
    )
    assert found.ids == ("3", "1", "4")
    assert found.about["camera"] == ("camera 3", "camera 1", "camera 4")
