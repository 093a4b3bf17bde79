from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.counting import Options
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import numbered, sampling_of
from tests.vision.measure.make import random_classes


def shown(pictures: list[int], truth: list[int]) -> Predictions:
    """Return a classification of plain pictures of given grey values."""
    images = [np.full((6, 6, 3), grey, np.uint8) for grey in pictures]
    scores = np.tile([0.6, 0.4], (len(truth), 1))
    ids = [f"s{at}" for at in range(len(truth))]
    return Predictions.classification(
        images, truth, probabilities=scores, classes=["x", "y"], ids=ids
    )


def units(predictions: Predictions, cluster: Any = None) -> tuple[list[int], list[str]]:
    notes: list[str] = []
    made = sampling_of(predictions, Options(cluster=cluster), notes).units
    return made.of.tolist(), notes


def test_the_same_picture_of_the_same_truth_is_one() -> None:
    of, notes = units(shown([1, 2, 1, 3, 2, 1], [0, 0, 0, 1, 1, 0]))
    assert of == [0, 1, 0, 2, 3, 0]  # the second 2 is said to be of another class
    assert notes == [
        "2 samples are copies of other samples' pictures: the interval counts them once."
    ]
    assert units(shown([1, 2, 3], [0, 0, 0])) == ([0, 1, 2], [])
    without = shown([1, 1], [0, 0]).with_pixels(None)
    assert units(without) == ([0, 1], [])


def test_one_picture_for_all_stands_for_none() -> None:
    assert units(shown([0, 0, 0, 0], [0, 1, 0, 1])) == ([0, 1, 2, 3], [])
    # but one sample is not many because it is given often
    assert units(shown([0, 0, 0, 0], [1, 1, 1, 1]))[0] == [0, 0, 0, 0]


def test_a_copy_joins_the_clusters_that_it_is_in() -> None:
    data = shown([1, 2, 3, 1, 4], [0] * 5)
    of, notes = units(data, ["a", "a", "b", "b", "c"])
    assert of == [0, 0, 0, 0, 1]
    assert notes == ["2 clusters of 5 samples: the interval counts clusters."]


@pytest.mark.parametrize(
    "cluster",
    [
        ["v1", "v1", "v2", "v3", "v2"],
        ("v1", "v1", "v2", "v3", "v2"),
        np.array([4, 4, 9, 1, 9]),
        {"s0": "a", "s1": "a", "s2": "b", "s3": "c", "s4": "b"},
        {"s0": 1, "s1": 1, "s3": 7}.get,
        [("v", 1), ("v", 1), ("v", 2), None, ("v", 2)],
    ],
)
def test_keys_come_in_every_form(cluster: Any) -> None:
    assert units(random_classes(0, 5, 2), cluster)[0] == [0, 0, 1, 2, 1]


def test_pandas_columns_are_keys() -> None:
    import pandas

    column = pandas.Series(["a", "a", "b", "c", "b"], index=[9, 8, 7, 6, 5])
    assert units(random_classes(0, 5, 2), column)[0] == [0, 0, 1, 2, 1]


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (["a"], "cluster is 1 key for 3 samples"),
        ("abc", "cluster is a text for 3 samples"),
        ({"s0": 1}, "no key for 2 samples, the first is 's1'"),
        ([], "cluster is 0 keys for 3 samples"),
        (7, "cluster is no sequence of keys, mapping or function, but int"),
    ],
)
def test_what_is_no_key_for_each_is_said(cluster: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match="cluster") as caught:
        units(random_classes(0, 3, 2), cluster)
    assert said in str(caught.value)


def test_units_are_numbered_by_the_ids_whatever_the_order() -> None:
    ids, keys = ["c", "a", "d", "b"], ["x", "y", "y", "x"]
    made = dict(zip(ids, numbered(ids, keys).of.tolist(), strict=True))
    order = [2, 0, 3, 1]
    again = numbered([ids[at] for at in order], [keys[at] for at in order])
    assert made == {"a": 0, "b": 1, "c": 1, "d": 0}
    assert dict(zip([ids[at] for at in order], again.of.tolist(), strict=True)) == made


def test_samples_of_unknown_truth_leave_their_units() -> None:
    data = random_classes(0, 6, 2)
    data.labels.truth[[0, 3]] = -1
    rows = np.array([1, 2, 4, 5])
    made = sampling_of(data, Options(cluster=list("aabbcc")), [], rows).units
    assert (made.of.tolist(), made.count) == ([0, 1, 2, 2], 3)
    assert made.sums(np.ones((4, 2))).tolist() == [[1, 1], [1, 1], [2, 2]]
    assert made.column()["cluster"].tolist() == [0, 1, 2, 2]
    assert numbered(["a", "b"], [1, 2]).column() == {}
