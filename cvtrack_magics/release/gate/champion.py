"""The challenger beside the champion: on the same held-out data, by a paired interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate import paired
from cvtrack_magics.release.gate.comparability import (
    Refusal,
    Side,
    direction,
    inner,
    same_clusters,
    same_data,
    side,
)
from cvtrack_magics.release.gate.metric_rules import Setting, finite
from cvtrack_magics.release.gate.verdict import Comparison, Row
from cvtrack_magics.release.gate.wording import number, plain, signed

FEWEST = 20
"""Samples, or clusters of them, below which no interval is trusted."""
RESAMPLES = 100
"""Resamples below which no interval is trusted."""
_NOISE = 1e-9  # sums in another order differ by less
_LOST = 0.05  # of the resamples may be without a value
_COLUMNS = {("classification", "top1_acc"): "correct", ("classification", "NLL"): "loss"}


@dataclass(frozen=True, slots=True)
class ChampionRule:
    """What it takes to follow the champion.

    Attributes
    ----------
    metric : str
        With its prefix, ``val/mAP50``.
    margin : float
        By how much more than this it must be better, in the metric's unit; a negative one
        asks only that it is not worse by more.
    confidence : float
        How surely, one-sided, from 0.5 up to below 1.
    better : str
        ``higher`` or ``lower``; empty for what the scheme of metrics says.

    Raises
    ------
    UsageProblem
        One of them is none of that.
    """

    metric: str
    margin: float = 0.0
    confidence: float = 0.95
    better: str = ""

    def __post_init__(self) -> None:
        if not self.metric.strip():
            raise UsageProblem("The champion's rule names no metric.", "For example val/mAP50.")
        if not math.isfinite(self.margin):
            raise UsageProblem(f"margin={self.margin!r} is no number.", "For example 0.005.")
        if not 0.5 <= self.confidence <= 0.999:
            raise UsageProblem(
                f"confidence={self.confidence!r} is not from 0.5 to 0.999.", "Usual is 0.95."
            )
        if self.better not in ("", "higher", "lower"):
            raise UsageProblem(f"better={plain(self.better, 40)!r} is neither higher nor lower.")


@dataclass(frozen=True, slots=True)
class Missing:
    """A champion that is gone or cannot be read; ``accepted`` to go on without it."""

    why: str
    accepted: bool = False


def compare(
    challenger: Candidate,
    champion: Candidate | Missing | None,
    rule: ChampionRule,
    setting: Setting | None = None,
) -> tuple[Row, Comparison | None]:
    """Judge whether a challenger is better than the champion by more than the margin.

    Both must have been evaluated on the same data (by digest), with the same settings; what
    cannot be shown to be equal is refused. A mean of per-sample scores is compared sample by
    sample, every other headline by its replicates.

    Parameters
    ----------
    challenger, champion : Candidate
        Where there never was a champion, or one that is gone is done without, the challenger
        passes if its own metric can be believed.
    rule : ChampionRule
        What to compare, and how sure to be.
    setting : Setting, optional
        Its demands hold for the challenger's evaluation.

    Returns
    -------
    Row, Comparison or None
        The comparison is None where none could be made.
    """
    text = f"champion {plain(rule.metric)}"
    bound = f"{100 * rule.confidence:.4g} % lower bound"
    wanted = f"gain > {number(rule.margin)} ({bound})"
    demands = Setting(None, (setting or Setting()).demands)
    try:
        if isinstance(champion, Missing) and not champion.accepted:
            raise Refusal(f"{champion.why}; --without-champion judges without it")
        if champion is None or isinstance(champion, Missing):
            found = side("the challenger", challenger, rule.metric, demands)
            direction(found.evaluation, rule.metric, rule.better)
            why = f"judged without a champion: {champion.why}" if champion else "no champion yet"
            return Row(text, wanted, number(found.value), None, True, why), None
        made = _compared(challenger, champion, rule, demands)
    except Refusal as refusal:
        return Row(text, wanted, "", None, False, str(refusal)), None
    passed = made.low - rule.margin > _NOISE
    got = f"{signed(made.difference)}, lower bound {signed(made.low)}"
    why = "" if passed else f"the {bound} of the gain is not above {number(rule.margin)}"
    return Row(text, wanted, got, made.low - rule.margin, passed, why), made


def _compared(
    challenger: Candidate, champion: Candidate, rule: ChampionRule, demands: Setting
) -> Comparison:
    if _version(challenger) and _version(challenger) == _version(champion):
        raise Refusal("it is the champion: nothing can be compared with itself")
    if challenger.run_id == champion.run_id:
        raise Refusal("the champion was made of the same run")
    ours = side("the challenger", challenger, rule.metric, demands)
    theirs = side("the champion", champion, rule.metric, Setting())
    better = direction(ours.evaluation, rule.metric, rule.better)
    bound, samples, resamples = bound_of_gain(ours, theirs, rule.metric, better, rule.confidence)
    return Comparison(
        metric=rule.metric,
        better=better,
        champion=champion.label,
        challenger_value=ours.value,
        champion_value=theirs.value,
        difference=bound.difference,
        low=bound.low,
        margin=rule.margin,
        confidence=rule.confidence,
        samples=samples,
        resamples=resamples,
        method=bound.method,
        data_sha256=ours.evaluation.data_sha256,
    )


def _version(candidate: Candidate) -> tuple[str, str] | None:
    version = candidate.version
    return None if version is None else (version.name, version.version)


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
    if ours.evaluation.headline != name or theirs.evaluation.headline != name:
        headline = plain(ours.evaluation.headline, 40)
        raise Refusal(f"{plain(name, 60)} cannot be compared in pairs; {headline} can")
    bound, resamples = _by_resample(ours, theirs, units, confidence, sign)
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
    ours: Side, theirs: Side, units: int, confidence: float, sign: int
) -> tuple[paired.Bound, int]:
    import numpy as np

    drawn = [whose.evaluation.measured.settings for whose in (ours, theirs)]
    for key in ("seed", "first_draw"):
        if drawn[0].get(key) is None or drawn[0].get(key) != drawn[1].get(key):
            raise Refusal("their resamples were not drawn alike; run %mleval again for both")
    one, two = ours.evaluation.replicates, theirs.evaluation.replicates
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


def _samples(whose: Side) -> int:
    return whose.evaluation.measured.samples or 0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, bool) else finite(value)
