"""Rules about parts of the samples: the worst one decides, and what is not known is undecided.

A part has few samples, and the worst of many parts is an unlucky one too. So a rule on the least
headline of the parts holds where every part's interval lies above what is wanted, and each of
them has to: no correction for their number is needed to say that all of them do (Berger,
Technometrics 24, 1982). Where an interval has it inside, or there are too few samples for one, the
rule is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.gate.comparability import Refusal, direction, side
from cvtrack_magics.release.gate.gain import FEWEST, bound_of_gain
from cvtrack_magics.release.gate.metric_rules import Setting, doubt, finite
from cvtrack_magics.release.gate.rules import COMPARED, Found, Rule, missing
from cvtrack_magics.release.gate.wording import number, plain

CONFIDENCE = 0.95
_SLICES = "slices"
_DELTA = "delta("


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one part says: ``holds`` is None where that is not known."""

    name: str
    value: float
    holds: bool | None
    why: str


def is_pattern(subject: str) -> bool:
    """Whether a subject stands for the parts of a column: ``val/slices/camera/*/mAP50``."""
    words = subject.split("/")
    return (
        subject.count("*") == 1
        and "*" in words[:-1]
        and len(words) >= 4
        and words[words.index("*") - 2] == _SLICES
    )


def no_delta(subject: str) -> str:
    """Say that a subject is no difference of parts, or nothing."""
    inner = _inner(subject)
    if inner and is_pattern(inner):
        return ""
    return "it takes parts, as in worst(delta(val/slices/camera/*/top1_acc))"


def over_slices(candidate: Candidate, rule: Rule, setting: Setting) -> Found:
    """Judge the least or the greatest of a metric over the parts of a column."""
    return _over(candidate, rule, rule.subject, setting, _by_interval)


def worst_delta(candidate: Candidate, rule: Rule, setting: Setting) -> Found:
    """Judge by how much the worst part may be worse than the champion's."""
    if setting.champion is None:
        return missing("there is no champion to compare with")
    return _over(candidate, rule, _inner(rule.subject), setting, _beside_champion)


Judge = Callable[[Candidate, EvaluationFacts, str, Rule, Setting], _Judged]


def _over(candidate: Candidate, rule: Rule, pattern: str, setting: Setting, judge: Judge) -> Found:
    start, _, metric = pattern.partition("/*/")
    parts = {
        prefix: one
        for prefix, one in candidate.slices.items()
        if prefix.startswith(f"{start}/") and "/" not in prefix[len(start) + 1 :]
    }
    if not parts:
        column = start.rpartition("/")[2]
        return missing(
            f"undecided: nothing was measured by it; run %mleval --by {plain(column, 60)}"
        )
    judged = []
    for prefix, part in parts.items():
        one = judge(candidate, part, f"{prefix}/{metric}", rule, setting)
        if one.holds is None and setting.undecided and math.isfinite(one.value):
            holds = COMPARED[rule.operator](one.value, float(rule.wanted[0]))
            one = _Judged(one.name, one.value, holds, one.why)
        judged.append(one)
    return _found(judged, rule)


def _found(judged: list[_Judged], rule: Rule) -> Found:
    """Return what the worst part says; one that fails is worse than one that is undecided."""
    sign = -1 if rule.operator[0] == "<" else 1
    known = [one for one in judged if math.isfinite(one.value)]
    worst = min(known, key=lambda one: sign * one.value, default=None)
    failed = [one for one in judged if one.holds is False]
    open_ = [one for one in judged if one.holds is None]
    got = "" if worst is None else f"{number(worst.value)} ({plain(worst.name, 60)})"
    got = f"{got} of {len(judged)} parts".strip()
    margin = None if worst is None else sign * (worst.value - float(rule.wanted[0]))
    if failed:
        first = min(failed, key=lambda one: sign * one.value)
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return Found(got, False, f"{plain(first.name, 60)}{more}: {first.why}", margin)
    if open_:
        first = min(open_, key=lambda one: (math.isfinite(one.value), sign * one.value))
        more = f", and {len(open_) - 1} more" if len(open_) > 1 else ""
        why = f"undecided: {plain(first.name, 60)}{more}: {first.why}"
        return Found(got, False, f"{why}; more samples, or --undecided", margin)
    return Found(got, True, "", margin)


def _by_interval(
    candidate: Candidate, part: EvaluationFacts, name: str, rule: Rule, setting: Setting
) -> _Judged:
    label = part.prefix.rpartition("/")[2]
    measured, metric = part.measured, name.removeprefix(part.start)
    samples = measured.samples or 0
    value = finite(measured.metrics.get(metric))
    if math.isnan(value):
        return _Judged(label, value, None, f"it has no {plain(metric, 40)}, of {samples} samples")
    why = doubt(candidate, name, setting)
    if why:
        return _Judged(label, value, False, why)
    holds, why = _decided(value, part, metric == measured.headline, rule)
    return _Judged(label, value, holds, why)


def _decided(
    value: float, part: EvaluationFacts, is_headline: bool, rule: Rule
) -> tuple[bool | None, str]:
    """Return whether a figure surely is as it should be, None where that is not known, and why."""
    measured, wanted = part.measured, float(rule.wanted[0])
    compared, samples = COMPARED[rule.operator], measured.samples or 0
    if rule.operator in ("==", "!=") or not is_headline:
        if samples < FEWEST:
            return None, f"{samples} samples, {FEWEST} are the least"
        return compared(value, wanted), f"{number(value)} is not {rule.demand}"
    interval = measured.interval
    if interval is None or interval.low is None or interval.high is None:
        return None, f"{samples} samples are too few for an interval"
    ends = (interval.low, interval.high)
    sure, likely = ends if rule.operator[0] == ">" else reversed(ends)
    said = f"{number(ends[0])} to {number(ends[1])} of {samples} samples"
    if compared(sure, wanted):
        return True, ""
    return (None, f"it may be {said}") if compared(likely, wanted) else (False, f"it is {said}")


def _beside_champion(
    candidate: Candidate, part: EvaluationFacts, name: str, rule: Rule, setting: Setting
) -> _Judged:
    label = part.prefix.rpartition("/")[2]
    champion = setting.champion
    assert champion is not None
    try:
        mine = side("the candidate", candidate, name, setting)
        theirs = side("the champion", champion, name, setting)
        better = direction(mine.evaluation, name, "")
        bound, _, _ = bound_of_gain(mine, theirs, name, better, CONFIDENCE)
    except Refusal as error:
        return _Judged(label, math.nan, None, str(error))
    wanted = float(rule.wanted[0])
    if COMPARED[rule.operator](bound.low, wanted):
        return _Judged(label, bound.difference, True, "")
    said = f"{number(bound.difference)} beside the champion, surely above {number(bound.low)}"
    if not COMPARED[rule.operator](bound.difference, wanted):
        return _Judged(label, bound.difference, False, said)
    return _Judged(label, bound.difference, None, said)


def _inner(subject: str) -> str:
    text = subject.strip()
    return text[len(_DELTA) : -1].strip() if text.startswith(_DELTA) and text.endswith(")") else ""
