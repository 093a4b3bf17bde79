"""Labels and scores of several classes a sample, in the forms people hold: read, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions

NAMES = ["cat", "dog", "bird"]
MATRIX = [[1, 0, 1], [0, 0, 0], [0, 1, 1]]
CHANCES = np.array([[0.9, 0.2, 0.6], [0.1, 0.3, 0.2], [0.4, 0.8, 0.7]])
LOGITS = np.log(CHANCES / (1 - CHANCES))


def read(truth: Any, scores: Any = None, **more: Any) -> Predictions:
    given = {"classes": NAMES, **more}
    if scores is None and not {"logits", "probabilities"} & given.keys():
        scores = CHANCES
    return Predictions.multilabel(None, truth, scores, **given)


TRUTHS: dict[str, Any] = {
    "an array": np.array(MATRIX),
    "bools": np.array(MATRIX, bool),
    "floats, as BCEWithLogitsLoss takes them": torch.tensor(MATRIX, dtype=torch.float32),
    "half floats": torch.tensor(MATRIX, dtype=torch.bfloat16),
    "rows": MATRIX,
    "rows of tensors": [torch.tensor(row) for row in MATRIX],
    "a sparse matrix": sparse.csr_matrix(MATRIX),
    "a data frame": pd.DataFrame(MATRIX, columns=NAMES),
    "a data frame in another order": pd.DataFrame(MATRIX, columns=NAMES)[["bird", "cat", "dog"]],
    "indices": [[0, 2], [], [1, 2]],
    "indices in tensors": [torch.tensor([0, 2]), torch.tensor([], dtype=torch.long), [2, 1]],
    "indices in an array of objects": np.array([[0, 2], [], [1, 2]], object),
    "indices twice": [[0, 2, 2, 0], [], [1, 2]],
    "names": [["cat", "bird"], [], ["dog", "bird"]],
    "names in tuples": [("cat", "bird"), (), ("dog", "bird")],
    "sets of names": [{"cat", "bird"}, set(), {"dog", "bird"}],
    "sets of indices": [{0, 2}, set(), {1, 2}],
}


@pytest.mark.parametrize("form", TRUTHS)
def test_truth_is_read_in_the_form_it_comes_in(form: str) -> None:
    assert read(TRUTHS[form]).label_sets.truth.tolist() == MATRIX


SCORES: dict[str, Any] = {
    "probabilities": {"scores": CHANCES},
    "said probabilities": {"probabilities": CHANCES},
    "logits": {"scores": LOGITS},
    "said logits": {"logits": torch.tensor(LOGITS)},
    "rows": {"scores": CHANCES.tolist()},
    "an output a class, as predict_proba of several": {
        "scores": [np.stack((1 - p, p), axis=1) for p in CHANCES.T]
    },
    "a head a class": {"scores": [torch.tensor(p)[:, None] for p in LOGITS.T]},
}


@pytest.mark.parametrize("form", SCORES)
def test_scores_are_read_in_the_form_they_come_in(form: str) -> None:
    found = read(MATRIX, **SCORES[form])
    assert found.label_sets.probabilities == pytest.approx(CHANCES, abs=1e-6)
    assert found.notes == ()


def test_what_nobody_knows_is_unknown() -> None:
    for truth in ([[1, 0, -1], [0, 0, 0], [0, 1, 1]], [[1, 0, np.nan], [0, 0, 0], [0, 1, 1]]):
        assert read(truth).label_sets.truth[0].tolist() == [1, 0, -1]
        assert read(np.array(truth)).label_sets.truth[0].tolist() == [1, 0, -1]
    frame = pd.DataFrame(MATRIX, columns=NAMES, dtype=float)
    frame.iloc[1, 1] = np.nan
    assert read(frame).label_sets.truth[1].tolist() == [0, -1, 0]
    assert read([["cat"], None, []]).label_sets.truth.tolist() == [
        [1, 0, 0],
        [-1, -1, -1],
        [0, 0, 0],
    ]
    assert (read(None).label_sets.truth == -1).all()


def test_names_are_those_of_the_columns_where_none_are_given() -> None:
    assert read(pd.DataFrame(MATRIX, columns=NAMES), classes=None).classes == tuple(NAMES)


TWO = np.array([[0.9, 0.2], [0.1, 0.3]])
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "one label a sample": (np.array([0, 2, 1]), {}, "one label a sample"),
    "one label a sample in a list": ([0, 2, 1], {}, "one label a sample"),
    "another number of classes": (np.eye(3)[:, :2], {}, "expected 3 samples × 3 classes"),
    "counts": (np.array(MATRIX) * 2, {}, "expected 1 .there., 0"),
    "soft labels": (CHANCES, {}, "expected 1 .there., 0"),
    "signs": (np.array(MATRIX) * 2 - 1, {}, "the values are -1 and 1"),
    "a class beyond": ([[0, 3], [], []], {}, "label 3 is beyond the 3 classes"),
    "a negative class": ([[0, -2], [], []], {}, "label -2 is beyond"),
    "half a class": ([[0.5], [], []], {}, "expected whole numbers"),
    "a name nobody knows": ([["cta"], [], []], {}, "'cta' is none of the 3 classes.*cat"),
    "a text for a set": (["cat", "dog", "bird"], {}, "sample 0 has str"),
    "a dict for a set": ([{"cat": 1}, {}, {}], {}, "sample 0 has dict"),
    "too few samples": ([["cat"], []], {}, "expected 2 samples"),
    "other columns": (
        pd.DataFrame(MATRIX, columns=["cat", "dog", "cow"]),
        {},
        "the columns are not the classes; 'bird'",
    ),
    "rows of two that may be labels": (
        [[0, 1], [1, 0]],
        {"scores": TWO, "classes": NAMES[:2]},
        "can be labels, or a 0 or 1 for each class",
    ),
    "predicted labels": (MATRIX, {"scores": np.array(MATRIX)}, "only zeros and ones"),
    "percent": (MATRIX, {"scores": CHANCES * 100}, "logits, or percent"),
    "probabilities of percent": (
        MATRIX,
        {"scores": None, "probabilities": CHANCES * 100},
        "saw 10 to 90",
    ),
    "one column of scores": (MATRIX, {"scores": CHANCES[:, 0]}, "expected 3 samples × classes"),
    "no classes": (MATRIX, {"scores": np.zeros((3, 0))}, "0 columns, but 3 class"),
    "scores of other classes": (MATRIX, {"scores": CHANCES[:, :2]}, "2 columns, but 3 class"),
    "both": (MATRIX, {"scores": CHANCES, "logits": LOGITS}, "give the model's output once"),
    "neither": (MATRIX, {"scores": None, "logits": None}, "give the model's output once"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_another_reading_is_refused_in_a_line(case: str) -> None:
    truth, more, line = REFUSED[case]
    with pytest.raises(UsageProblem, match=line):
        Predictions.multilabel(None, truth, **{"scores": CHANCES, "classes": NAMES, **more})


def test_doubts_are_said() -> None:
    told = read(MATRIX, logits=CHANCES).notes
    assert len(told) == 1
    assert "was read as a logit" in told[0]
    told = read(MATRIX, CHANCES / CHANCES.sum(axis=1, keepdims=True)).notes
    assert len(told) == 1
    assert "one class rules out the others" in told[0]


def test_parts_join_and_are_taken_apart() -> None:
    whole = read(MATRIX)
    joined = whole[:1] + whole[1:]
    assert joined.label_sets.truth.tolist() == MATRIX
    assert np.array_equal(joined.label_sets.probabilities, CHANCES)


def test_a_network_that_ends_in_a_sigmoid_gives_probabilities() -> None:
    images, truth = torch.rand(6, 3, 8, 8), torch.randint(0, 2, (6, 3))
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
    batches = [(images[:3], truth[:3]), (images[3:], truth[3:])]
    bare = Predictions.collect(body, batches, "multilabel", classes=NAMES)
    ended = torch.nn.Sequential(body, torch.nn.Sigmoid())
    found = Predictions.collect(ended, batches, "multilabel", classes=NAMES)
    wanted = torch.sigmoid(body(images)).detach().numpy()
    for one in (bare, found):
        assert one.label_sets.probabilities == pytest.approx(wanted, abs=1e-6)
        assert one.label_sets.truth.tolist() == truth.tolist()
        assert one.notes == ()
