"""Which metrics can be believed: there, finite, of this run, and as its evaluation says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.artifacts.evaluation import NO_INTERVAL
from cvtrack_magics.errors import did_you_mean
from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.gate.rules import Found, Rule, compared, missing
from cvtrack_magics.release.gate.wording import number, plain
from cvtrack_magics.release.timings import timing_doubt

SETTINGS = ("threshold", "iou", "ignore", "scheme")
ABSENT: Any = object()
_ENDS = ("ci_low", "ci_high")


@dataclass(frozen=True, slots=True)
class Setting:
    """What measurements must agree with.

    Attributes
    ----------
    champion : Candidate or None
        Its evaluations are made as the candidate's are to be.
    demands : mapping of str to mapping
        For a prefix, what its evaluation must say: ``task``, ``threshold``, ``iou``.
    undecided : bool
        Whether a part of the samples of which too little is known is judged by its figure.
    """

    champion: Candidate | None = None
    demands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    undecided: bool = False


def standing(candidate: Candidate) -> str:
    """Say why nothing that the run says counts, or ``""``."""
    if candidate.status != "FINISHED":
        return f"the run is {plain(candidate.status, 20) or 'of no status'}, not FINISHED"
    version = candidate.version
    if version is not None and version.run_id != candidate.run_id:
        return f"version {plain(version.version, 20)} was made of another run"
    return ""


def metric(candidate: Candidate, rule: Rule, setting: Setting) -> Found:
    """Judge a metric."""
    why = doubt(candidate, rule.subject, setting)
    point = candidate.metrics.get(rule.subject)
    if why or point is None:
        return missing(why, "" if point is None else number(point.value))
    return compared(point.value, rule)


def over_classes(candidate: Candidate, rule: Rule, setting: Setting) -> Found:
    """Judge the least, the greatest or the mean of a metric over the classes."""
    start = rule.subject.removesuffix("*")
    found = {name for name in candidate.metrics if _is_class(name, start)}
    for evaluation in candidate.evaluations.values():
        measured = evaluation.measured.metrics
        names = (f"{evaluation.start}{name}" for name in measured)
        found |= {name for name in names if _is_class(name, start)}
    if not found:
        return missing(f"there is no metric {plain(rule.subject)}")
    for name in sorted(found):
        why = doubt(candidate, name, setting)
        if why:
            return missing(f"{plain(name, 80)}: {why}")
    values = {candidate.metrics[name].value: name for name in sorted(found, reverse=True)}
    if rule.function == "mean":
        points = [candidate.metrics[name].value for name in found]
        return compared(math.fsum(sorted(points)) / len(points), rule)
    value = min(values) if rule.function == "min" else max(values)
    made = compared(value, rule)
    of = plain(values[value].removeprefix(start), 60)
    return Found(f"{made.got} ({of})", made.passed, made.why and f"{of}: {made.why}", made.margin)


def is_of_classes(subject: str) -> bool:
    """Whether a subject stands for the classes of a metric: ``val/AP50/*``."""
    return subject.endswith("/*") and "*" not in subject[:-1]


def doubt(candidate: Candidate, name: str, setting: Setting) -> str:
    """Say why a metric cannot be believed, or ``""``."""
    why = standing(candidate) or _unread(candidate, name)
    if why:
        return why
    point = candidate.metrics.get(name)
    evaluation = evaluation_of(candidate, name)
    if point is None:
        if evaluation is not None and value_in(evaluation, name) is None:
            return _without_value(evaluation, name)
        return _no_interval(candidate, name) or _unknown(candidate, name)
    if not math.isfinite(point.value):
        return f"its value is {point.value}"
    if point.timestamp < candidate.started:
        seconds = (candidate.started - point.timestamp) / 1000
        return f"it is stale: recorded {number(seconds)} s before the run started"
    if evaluation is not None:
        why = contradiction(point.value, value_in(evaluation, name))
    else:
        why = plain(timing_doubt(candidate, name))
    return why or differently(candidate, name, setting)


def _without_value(evaluation: EvaluationFacts, name: str) -> str:
    """Say why an evaluation has no value: of a class that its data lacks nothing is known."""
    if "/" in name.removeprefix(evaluation.start):
        return "undecided: the data it was measured on has nothing of this class"
    return "the evaluation found no value for it"


def _unknown(candidate: Candidate, name: str) -> str:
    known = sorted(map(plain, candidate.metrics))
    return f"there is no such metric.{did_you_mean(plain(name), known)}"


def _no_interval(candidate: Candidate, name: str) -> str:
    """Say why the evaluation of a headline gave no interval, where its end is asked for."""
    metric, _, end = name.rpartition("/")
    evaluation = evaluation_of(candidate, metric) if end in _ENDS else None
    if evaluation is None or metric != f"{evaluation.start}{evaluation.headline}":
        return ""
    notes = evaluation.measured.notes
    said = next((note for note in notes if note.startswith(NO_INTERVAL)), "")
    return plain(said[0].lower() + said[1:].rstrip("."), 200) if said else "it has no interval"


def _unread(candidate: Candidate, name: str) -> str:
    """Say that the file which would tell how a metric was measured cannot be read, or nothing."""
    evaluations = candidate.evaluations.values()
    return next(
        (plain(e.problem) for e in evaluations if e.problem and name.startswith(e.start)), ""
    )


def contradiction(logged: float, measured: Any) -> str:
    """Say that a metric is not what the evaluation measured, or nothing."""
    value = finite(measured)
    if math.isnan(value):
        return f"the metric says {number(logged)}, the evaluation has no value"
    if math.isclose(logged, value, rel_tol=1e-9, abs_tol=1e-12):
        return ""
    return f"the metric says {number(logged)}, the evaluation {number(value)}"


def differently(candidate: Candidate, name: str, setting: Setting) -> str:
    """Say that a metric was not measured as is demanded or as the champion's, or nothing."""
    evaluation = evaluation_of(candidate, name)
    for prefix, demand in setting.demands.items():
        if name.startswith(f"{prefix}/"):
            if evaluation is None:
                return f"no evaluation of {plain(prefix, 40)} measured it"
            why = _differs(evaluation, demand, "the gate demands")
            if why:
                return why
    if setting.champion is None or evaluation is None:
        return ""
    other = evaluation_of(setting.champion, name)
    if other is None:
        return ""
    return _differs(evaluation, conditions(other), "the champion's is")


def conditions(evaluation: EvaluationFacts) -> dict[str, Any]:
    """Return how an evaluation was made: its task and its settings."""
    kept = evaluation.measured.settings
    made = {"task": evaluation.measured.task}
    return made | {key: kept[key] for key in SETTINGS if key in kept}


def _differs(evaluation: EvaluationFacts, wanted: Mapping[str, Any], who: str) -> str:
    made = conditions(evaluation)
    for key, value in wanted.items():
        if key not in made:
            return f"it is not known with which {key} it was measured; run %mleval again"
        if made[key] != value:
            return f"it was measured with {key} {_shown(made[key])}, {who} {_shown(value)}"
    return ""


def evaluation_of(candidate: Candidate, name: str) -> EvaluationFacts | None:
    """Return the evaluation that measured a metric, if there is one."""
    for evaluation in (*candidate.evaluations.values(), *candidate.slices.values()):
        if value_in(evaluation, name) is not ABSENT:
            return evaluation
    return None


def value_in(evaluation: EvaluationFacts, name: str) -> Any:
    """Return what an evaluation measured as a metric of the run: None for NaN, or ABSENT."""
    start = evaluation.start
    if not name.startswith(start):
        return ABSENT
    inner = name.removeprefix(start)
    interval = evaluation.measured.interval
    metric, _, end = inner.rpartition("/")
    if end in _ENDS and interval is not None and metric and metric == interval.metric:
        return interval.low if end == "ci_low" else interval.high
    return evaluation.measured.metrics.get(inner, ABSENT)


def finite(value: Any) -> float:
    """Return a number as a float; NaN for what is none or is infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:  # JSON has integers of any length
        return math.nan


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and nothing of anything else."""
    return value if isinstance(value, Mapping) else {}


def _shown(value: Any) -> str:
    return "chosen by itself" if value is None else plain(value, 40)


def _is_class(name: str, start: str) -> bool:
    rest = name.removeprefix(start)
    return name.startswith(start) and bool(rest) and "/" not in rest
