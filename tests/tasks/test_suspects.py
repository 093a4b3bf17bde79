"""Labels that the model contradicts: by the definition, and found where they were planted."""

from __future__ import annotations

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.classification.suspects import suspicion
from cvtrack_magics.tasks.filters import checked, chosen
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.sample_scores import rate


def by_definition(truth: list[int], said: np.ndarray) -> list[float]:
    """Return the suspicion of each sample, one after the other."""
    count = said.shape[1]
    usable = [i for i, k in enumerate(truth) if k >= 0 and np.isfinite(said[i]).all()]
    sure = {}
    for k in range(count):
        own = [said[i][k] for i in usable if truth[i] == k]
        sure[k] = sum(own) / len(own) if own else np.inf
    found = []
    for i, k in enumerate(truth):
        over = [j for j in range(count) if i in usable and said[i][j] >= sure[j] - 1e-12]
        best = max(over, key=lambda j: said[i][j], default=k)
        found.append(said[i][best] - said[i][k] if best != k else np.nan)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_suspicion_is_that_of_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 6))
    truth = rng.integers(-1, count, 60)
    said = rng.dirichlet(np.ones(count) * 0.4, 60)
    said[3] = np.nan
    found = suspicion(truth, said)
    assert found == pytest.approx(by_definition(truth.tolist(), said), nan_ok=True)


def test_planted_labels_are_found_and_looked_at_first() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 1000)
    logits = rng.normal(0, 1, (1000, 5)) + 4 * np.eye(5)[true]
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = true.copy()
    flipped = rng.permutation(1000)[:50]
    labels[flipped] = (labels[flipped] + rng.integers(1, 5, 50)) % 5
    made = Predictions.classification(None, labels, probabilities=said)
    ratings = rate(made)
    suspects = set(np.flatnonzero(ratings.outcomes["suspect"]).tolist())
    assert len(suspects & set(flipped.tolist())) >= 0.8 * 50
    first = chosen(made, ratings, {"only": "suspect", "sort": "suspicion"}, 20)
    assert len(set(first) & set(flipped.tolist())) >= 19


def test_without_suspects_the_grid_says_so() -> None:
    made = Predictions.classification(None, [0, 1, 0], probabilities=np.eye(2)[[0, 1, 0]])
    with pytest.raises(UsageProblem, match="No label is suspect"):
        checked(made, rate(made), {"only": "suspect"})
