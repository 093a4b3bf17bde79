"""What must be equal before two candidates can be compared, and why they cannot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.gate.metric_rules import (
    Setting,
    conditions,
    differently,
    doubt,
    evaluation_of,
    finite,
    standing,
    value_in,
)
from cvtrack_magics.release.gate.wording import plain
from cvtrack_magics.vision.likeness.same_names import other_pictures


class Refusal(Exception):
    """Why two candidates cannot be compared."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, and the evaluation in question."""

    who: str
    evaluation: EvaluationFacts
    value: float


def side(who: str, candidate: Candidate, metric: str, demands: Setting) -> Side:
    """Return the evaluation that measured a metric; the run need not have the metric itself."""
    evaluation = evaluation_of(candidate, metric)
    if metric in candidate.metrics or evaluation is None:
        why = doubt(candidate, metric, demands)
    else:
        why = standing(candidate) or differently(candidate, metric, demands)
    if why:
        raise Refusal(f"{who}'s {plain(metric, 60)}: {why}")
    if evaluation is None:
        raise Refusal(f"{who}'s {plain(metric, 60)} was measured by no evaluation; run %mleval")
    value = finite(value_in(evaluation, metric))
    if math.isnan(value):
        raise Refusal(f"{who}'s {plain(metric, 60)} has no value")
    return Side(who, evaluation, value)


def inner(evaluation: EvaluationFacts, metric: str) -> str:
    """Return a metric's name without the prefix of its evaluation."""
    return metric.removeprefix(evaluation.start)


def direction(evaluation: EvaluationFacts, metric: str, said: str) -> str:
    """Return whether ``higher`` or ``lower`` is better, by the scheme or as the rule says."""
    from cvtrack_magics.vision.metric_catalog import SCHEME

    name, task = inner(evaluation, metric), evaluation.measured.task
    known = next((row.better for row in SCHEME if task in row.tasks and _named(name, row.name)), "")
    if known and said and known != said:
        raise Refusal(f"of {plain(name, 60)} {known} is better, not {said}")
    if not (known or said):
        raise Refusal(f"it is not known which way {plain(name, 60)} is better; say so")
    return known or said


def _named(name: str, pattern: str) -> bool:
    """Whether a metric is the one of a pattern, ``AP50/<class>``."""
    start = pattern.removesuffix("<class>").removesuffix("<error>")
    return name == pattern or (start != pattern and name.startswith(start) and name != start)


def same_data(one: Side, other: Side) -> None:
    """Refuse two evaluations that cannot be shown to be of the same data in the same way."""
    ours, theirs = one.evaluation, other.evaluation
    for who, evaluation in ((one.who, ours), (other.who, theirs)):
        if not evaluation.data_sha256:
            raise Refusal(f"it is not known on which data {who} was evaluated")
        if evaluation.measured.samples is None:
            raise Refusal(f"it is not known on how many samples {who} was evaluated")
        if not {"threshold", "iou", "scheme"} <= set(conditions(evaluation)):
            raise Refusal(f"the settings of {who}'s evaluation were not kept; run %mleval again")
    if ours.data_sha256 != theirs.data_sha256:
        digests = f"{plain(ours.data_sha256[:8])} and {plain(theirs.data_sha256[:8])}"
        raise Refusal(f"they were evaluated on different data, {digests}")
    if other_pictures(ours.measured.pictures, theirs.measured.pictures):
        raise Refusal("they were evaluated on different pictures under the same names")
    made, wanted = _comparable(ours), _comparable(theirs)
    for key in sorted(made.keys() | wanted.keys()):
        if made.get(key) != wanted.get(key):
            seen = f"{plain(made.get(key), 40)} and {plain(wanted.get(key), 40)}"
            raise Refusal(f"they were evaluated with different {key}: {seen}")


def same_clusters(one: Side, other: Side) -> dict[str, Any]:
    """Return the cluster of each sample by its id; empty where each stands for itself.

    Raises
    ------
    Refusal
        The two put samples together that the other does not.
    """
    ours, theirs = (_clusters(side.evaluation) for side in (one, other))
    pairs = {(cluster, theirs.get(name)) for name, cluster in ours.items()}
    alike = len(pairs) == len(set(ours.values())) == len(set(theirs.values()))
    if not alike or ours.keys() != theirs.keys():
        raise Refusal(
            "their samples were put into clusters differently; run %mleval again for both"
        )
    return ours


def _clusters(evaluation: EvaluationFacts) -> dict[str, Any]:
    table = evaluation.table
    names, clusters = table.get("id", []), table.get("cluster", [])
    if len(names) != len(clusters):
        return {}
    return {str(name): str(cluster) for name, cluster in zip(names, clusters, strict=True)}


def _comparable(evaluation: EvaluationFacts) -> dict[str, Any]:
    found = evaluation.measured
    more = {"samples": found.samples, "classes": sorted(found.classes)}
    return conditions(evaluation) | more
