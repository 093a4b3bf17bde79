"""Which samples are looked at first: the same words as the viewer's controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.sample_scores import SUSPECT, Ratings, rate

ONLY = (
    *("all", "wrong", "right", "tp", "fp", "fn", "tn", "suspect"),
    *("fixed", "broken", "still-wrong"),
)


def checked(predictions: Predictions, ratings: Ratings, settings: Mapping[str, Any]) -> None:
    """Raise unless every setting can be used.

    Raises
    ------
    UsageProblem
        Naming the nearest word that would do.
    """
    sort = str(settings.get("sort") or "").lstrip("-")
    scores = ratings.scores
    if sort and sort not in scores:
        known = ", ".join(scores) or "none"
        raise UsageProblem(
            f"A {predictions.task} has no score {sort!r} to sort by.{did_you_mean(sort, scores)}",
            f"It has {known}.",
        )
    only = settings.get("only")
    if only and only not in ONLY:
        raise UsageProblem(
            f"only={only!r} is none of {', '.join(ONLY)}.{did_you_mean(str(only), ONLY)}"
        )
    if only == SUSPECT and SUSPECT not in ratings.outcomes:
        raise UsageProblem(
            "No label is suspect: nowhere is the model sure of another class than the label's.",
            "--only wrong shows what it has wrong.",
        )
    for key in ("truth", "pred"):
        name = settings.get(key)
        if name and name not in predictions.classes:
            raise UsageProblem(
                f"There is no class {name!r}.{did_you_mean(str(name), predictions.classes)}"
            )


def chosen(
    predictions: Predictions,
    ratings: Ratings,
    settings: Mapping[str, Any],
    count: int,
    judged: Ratings | None = None,
) -> list[int]:
    """Return the places of the samples that a grid with these settings shows first.

    ``judged`` are the ratings at the threshold of the settings, where they are known already.
    """
    sort = str(settings.get("sort") or "")
    if sort:
        values = ratings.scores[sort.lstrip("-")]
        order = np.argsort(values if sort.startswith("-") else -values, kind="stable")
    elif settings.get("worst"):
        order = ratings.worst_first
    else:
        order = np.arange(len(predictions))
    threshold = settings.get("threshold")
    if judged is None:
        judged = ratings if threshold is None else rate(predictions, threshold)
    kept = judged.outcomes.get(str(settings.get("only")))
    return [int(at) for at in order if kept is None or kept[at]][:count]
