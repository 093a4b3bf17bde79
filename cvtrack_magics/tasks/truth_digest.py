"""The truth of each sample as bytes: what says that two evaluations are about the same data."""

from __future__ import annotations

from collections.abc import Iterator

from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions


def truths(predictions: Predictions) -> Iterator[bytes]:
    """Yield the truth of each sample, the same bytes for the same truth on every machine."""
    kind = kind_of(predictions.task)
    for row in range(len(predictions)):
        yield kind.truth(predictions, row)
