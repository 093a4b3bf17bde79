"""The drawings of a sweep: its trials over their parameters, and what matters of these."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from cvtrack_magics.display.front_png import front_png
from cvtrack_magics.display.trials_chart import Axis, Drawn, importance_svg, parallel_svg
from cvtrack_magics.run.sweep.search import optuna

FEW = 4  # finished trials below which nothing is drawn
NAMED = 4  # parameters whose share is said in words
EVALUATOR = "PED-ANOVA"


def importances(study: Any, done: Sequence[Any]) -> dict[str, float]:
    """Return how much each parameter matters by Optuna's PED-ANOVA, the most first.

    Parameters
    ----------
    study : optuna.Study
        One of a single metric.
    done : sequence of optuna.trial.FrozenTrial
        Its trials that gave a value.

    Returns
    -------
    dict
        Empty where too little is known, or all trials are alike.
    """
    if len(done) < FEW or len({one.values[0] for one in done}) < 2:
        return {}
    tool = optuna().importance
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = tool.PedAnovaImportanceEvaluator()
            found = tool.get_param_importances(study, evaluator=evaluator)
    except Exception:  # it has its own conditions, and a sweep does not depend on it
        return {}
    return {name: share for name, share in found.items() if math.isfinite(share)}


def importance_words(shares: Mapping[str, float]) -> str:
    """Return the shares in one line; empty where there are none."""
    ranked = sorted(shares.items(), key=lambda one: -one[1])[:NAMED]
    said = ", ".join(f"{name} {share:.0%}" for name, share in ranked)
    return f"what matters by {EVALUATOR}: {said}" if said else ""


def charts(
    metrics: Sequence[str], ranked: Sequence[Any], shares: Mapping[str, float], front: set[int]
) -> dict[str, bytes]:
    """Draw the trials that gave a value, the best first.

    Parameters
    ----------
    metrics : sequence of str
        What is to be best; of two, the front is drawn, too.
    ranked : sequence of optuna.trial.FrozenTrial
        All trials.
    shares : mapping
        What :func:`importances` returned.
    front : set of int
        The numbers of the trials that stand out where there are two metrics.
    """
    done = [one for one in ranked if one.state.name == "COMPLETE"]
    found: dict[str, bytes] = {}
    if len(metrics) == 2:
        points = [(one.values[0], one.values[1]) for one in done]
        best = {at for at, one in enumerate(done) if one.number in front}
        labels = [str(one.number) for one in done]
        png = front_png((metrics[0], metrics[1]), points, labels, best)
        found |= {"Pareto_front": png} if png else {}
    drawn = [Drawn(one.params, one.values[0]) for one in done if math.isfinite(one.values[0])]
    axes = _axes(done, shares)
    if len(drawn) >= FEW and axes:
        values = [one.value for one in drawn]
        metric = Axis(metrics[0], min(values), max(values))
        found["Trials_over_their_parameters"] = parallel_svg(metric, axes, drawn)
        if shares:
            found[f"What_matters_by_{EVALUATOR}"] = importance_svg(shares)
    return found


def _axes(done: Sequence[Any], shares: Mapping[str, float]) -> list[Axis]:
    """Return an axis for each parameter, what matters most beside the metric."""
    kinds: dict[str, Any] = {}
    for one in done:
        kinds.update(one.distributions)
    values: dict[str, list[Any]] = {name: [] for name in kinds}
    for one in done:
        for name, value in one.params.items():
            values[name].append(value)
    found = [_axis(name, kinds[name], some) for name, some in values.items() if some]
    return sorted(found, key=lambda axis: shares.get(axis.name, 0.0), reverse=True)


def _axis(name: str, kind: Any, values: list[Any]) -> Axis:
    if hasattr(kind, "choices"):
        return Axis(name, choices=tuple(map(str, kind.choices)))
    low, high = float(min(values)), float(max(values))
    return Axis(name, low, high, is_log=bool(getattr(kind, "log", False)))
