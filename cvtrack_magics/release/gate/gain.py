"""By how much one evaluation surely is better than another of the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cvtrack_magics.release.facts import EvaluationFacts
from cvtrack_magics.release.gate import paired
from cvtrack_magics.release.gate.comparability import (
    Refusal,
    Side,
    inner,
    same_clusters,
    same_data,
)
from cvtrack_magics.release.gate.from_table import drawn_alike, statistic_of
from cvtrack_magics.release.gate.metric_rules import finite
from cvtrack_magics.release.gate.wording import number, plain

if TYPE_CHECKING:
    from cvtrack_magics.release.gate.from_table import Statistic

Drawn: TypeAlias = tuple[Sequence[Any], Sequence[Any]]
FEWEST = 20
"""Samples, or clusters of them, below which no interval is trusted."""
RESAMPLES = 100
"""Resamples below which no interval is trusted."""
_LOST = 0.05  # of the resamples may be without a value
_COLUMNS = {
    ("classification", "top1_acc"): "correct",
    ("classification", "NLL"): "loss",
    ("multilabel", "subset_acc"): "correct",
}


def bound_of_gain(
    ours: Side, theirs: Side, metric: str, better: str, confidence: float
) -> tuple[paired.Bound, int, int]:
    """Return by how much one evaluation surely is better than another of the same data.

    Parameters
    ----------
    ours, theirs : Side
        The two evaluations.
    metric : str
        With its prefix.
    better : str
        ``higher`` or ``lower``.
    confidence : float
        Of the bound, one-sided.

    Returns
    -------
    Bound, int, int
        The bound, the samples, and the resamples that both have, 0 of a mean of scores.

    Raises
    ------
    Refusal
        They cannot be compared.
    """
    same_data(ours, theirs)
    samples, sign = _samples(ours), 1 if better == "higher" else -1
    clusters = same_clusters(ours, theirs)
    units, word = (len(set(clusters.values())), "clusters") if clusters else (samples, "samples")
    if units < FEWEST:
        raise Refusal(f"{units} {word} are too few to tell, {FEWEST} are the least")
    name = inner(ours.evaluation, metric)
    column = _COLUMNS.get((ours.evaluation.measured.task, name))
    if column:
        bound = _by_sample(ours, theirs, column, clusters, confidence=confidence, sign=sign)
        return bound, samples, 0
    drawn = _drawn_then(ours, theirs, name) or _drawn_now(ours, theirs, name, clusters)
    if drawn is None:
        headline = plain(ours.evaluation.headline, 40)
        raise Refusal(f"{plain(name, 60)} cannot be compared in pairs; {headline} can")
    bound, resamples = _by_resample(ours, theirs, drawn, units, confidence=confidence, sign=sign)
    return bound, samples, resamples


def _by_sample(
    ours: Side,
    theirs: Side,
    column: str,
    clusters: Mapping[str, Any],
    *,
    confidence: float,
    sign: int,
) -> paired.Bound:
    mine, other = _scores(ours, column), _scores(theirs, column)
    if mine.keys() != other.keys():
        raise Refusal("their tables are not of the same samples")
    if len(mine) < FEWEST:
        raise Refusal(f"{len(mine)} samples are too few to tell, {FEWEST} are the least")
    names = sorted(mine)
    pairs = [(mine[name], other[name]) for name in names]
    differences = [sign * (a - b) for a, b in pairs]
    shares = all(value in (0.0, 1.0) for pair in pairs for value in pair)
    if clusters:
        keys = [clusters[name] for name in names]
        if shares:
            return paired.of_clustered_shares(differences, keys, confidence)
        return paired.of_means(differences, confidence, keys)
    if shares:
        better, worse = (sum(sort * value > 0 for value in differences) for sort in (1, -1))
        return paired.of_shares(better, worse, len(pairs), confidence)
    return paired.of_means(differences, confidence)


def _scores(whose: Side, column: str) -> Mapping[str, float]:
    """Return a column of the table by the samples' ids, its mean checked against the metric."""
    table = whose.evaluation.table
    names, values = table.get("id", []), table.get(column, [])
    if not names or len(names) != len(values):
        raise Refusal(f"{whose.who} has no table with {column!r} for each sample")
    scores = {str(name): _number(value) for name, value in zip(names, values, strict=True)}
    if len(scores) < len(names):
        raise Refusal(f"in {whose.who}'s table ids occur twice: samples cannot be matched")
    lost = sum(not math.isfinite(value) for value in scores.values())
    if lost:
        raise Refusal(f"in {whose.who}'s table {lost} of {len(names)} samples have no {column!r}")
    mean = math.fsum(scores.values()) / len(scores)
    if not math.isclose(mean, whose.value, rel_tol=1e-6, abs_tol=1e-9):
        said = f"{number(mean)}, the metric is {number(whose.value)}"
        raise Refusal(f"the mean of {whose.who}'s table is {said}")
    return scores


def _by_resample(
    ours: Side, theirs: Side, drawn: Drawn, units: int, *, confidence: float, sign: int
) -> tuple[paired.Bound, int]:
    import numpy as np

    one, two = drawn
    count = min(len(one), len(two))  # the first are the same, however many were drawn
    pairs = zip(map(_number, one[:count]), map(_number, two[:count]), strict=True)
    values = sign * np.array([a - b for a, b in pairs], np.float64)
    values = values[np.isfinite(values)]
    if len(values) < RESAMPLES:
        raise Refusal(f"they share {len(values)} resamples, {RESAMPLES} are the least")
    if len(values) < (1 - _LOST) * count:
        raise Refusal(f"{count - len(values)} of {count} resamples have no value")
    difference = sign * (ours.value - theirs.value)
    return paired.of_replicates(difference, values, units, confidence), len(values)


def _drawn_then(ours: Side, theirs: Side, name: str) -> Drawn | None:
    """Return a figure in the resamples that both evaluations kept, or None."""
    one, two = (_replicates(whose.evaluation, name) for whose in (ours, theirs))
    if not one or not two:
        return None
    drawn = [whose.evaluation.measured.settings for whose in (ours, theirs)]
    for key in ("seed", "first_draw"):
        if drawn[0].get(key) is None or drawn[0].get(key) != drawn[1].get(key):
            raise Refusal("their resamples were not drawn alike; run %mleval again for both")
    return one, two


def _replicates(evaluation: EvaluationFacts, name: str) -> Sequence[Any]:
    if evaluation.headline == name:
        return evaluation.replicates
    return evaluation.measured.other_replicates.get(name, ())


def _drawn_now(ours: Side, theirs: Side, name: str, clusters: Mapping[str, Any]) -> Drawn | None:
    """Return a figure in resamples of both tables of samples, or None."""
    found = [_ordered(whose, name) for whose in (ours, theirs)]
    statistics = [statistic for _, statistic in found if statistic is not None]
    if len(statistics) < len(found):
        return None
    ids, theirs_ids = (names for names, _ in found)
    if ids != theirs_ids:
        raise Refusal("their tables are not of the same samples")
    for whose, statistic in zip((ours, theirs), statistics, strict=True):
        _check_of_table(whose, statistic, len(ids))
    one, two = drawn_alike(statistics, ids, clusters)
    return one.tolist(), two.tolist()


def _ordered(whose: Side, name: str) -> tuple[list[str], Statistic | None]:
    """Return the ids of a table in order, and what computes a figure of it."""
    table, measured = whose.evaluation.table, whose.evaluation.measured
    names = [str(one) for one in table.get("id", [])]
    if len(set(names)) < len(names):
        raise Refusal(f"in {whose.who}'s table ids occur twice: samples cannot be matched")
    order = sorted(range(len(names)), key=names.__getitem__)
    columns = {
        key: [values[row] for row in order]
        for key, values in table.items()
        if len(values) == len(names)
    }
    made = statistic_of(name, columns, measured.classes)
    return [names[row] for row in order], made


def _check_of_table(whose: Side, statistic: Statistic, samples: int) -> None:
    import numpy as np

    value = float(statistic(np.ones((1, samples)))[0])
    if not math.isclose(value, whose.value, rel_tol=1e-6, abs_tol=1e-9):
        said = f"{number(value)}, the metric is {number(whose.value)}"
        raise Refusal(f"by {whose.who}'s table it is {said}")


def _samples(whose: Side) -> int:
    return whose.evaluation.measured.samples or 0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, bool) else finite(value)
