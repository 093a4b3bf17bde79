"""The functions that a rule may ask: what each looks at, and when it fails."""

from __future__ import annotations

from functools import partial

from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate import artifacts, data_rules, slice_rules
from cvtrack_magics.release.gate import metric_rules as measured
from cvtrack_magics.release.gate.metric_rules import Setting
from cvtrack_magics.release.gate.parse import (
    is_number,
    no_digest,
    no_number,
    no_number_where_ordered,
    no_version,
)
from cvtrack_magics.release.gate.rules import (
    ANY,
    NUMBERS,
    SAME,
    Found,
    Function,
    Rule,
    compared,
    missing,
)
from cvtrack_magics.release.gate.wording import plain

_UNORDERED = ("==", "!=", "in")


def built_in(setting: Setting | None = None) -> dict[str, Function]:
    """Return every function by its name; ``""`` is a metric.

    Parameters
    ----------
    setting : Setting, optional
        What measurements must agree with.
    """
    made = setting or Setting()
    ends = partial(_of_classes_or_slices, setting=made)
    classes = partial(measured.over_classes, setting=made)
    worst = partial(slice_rules.worst_delta, setting=made)
    return {
        "": Function(partial(measured.metric, setting=made), NUMBERS, no_number),
        "min": Function(ends, NUMBERS, no_number, _no_group),
        "max": Function(ends, NUMBERS, no_number, _no_group),
        "mean": Function(classes, NUMBERS, no_number, _no_classes),
        "worst": Function(worst, (">=", ">"), no_number, slice_rules.no_delta),
        "size_mb": Function(artifacts.size_mb, NUMBERS, no_number),
        "has": Function(artifacts.has),
        "tag": Function(_tag, SAME),
        "param": Function(_param, ANY, no_number_where_ordered),
        "data": Function(_data, SAME, no_digest),
        "eval": Function(_evaluated, SAME, no_digest),
        "leak": Function(data_rules.leak, NUMBERS, no_number, data_rules.no_pair),
        "conflicts": Function(data_rules.conflicts, NUMBERS, no_number),
        "env": Function(artifacts.environment, ANY, no_version),
    }


def _of_classes_or_slices(candidate: Candidate, rule: Rule, setting: Setting) -> Found:
    if slice_rules.is_pattern(rule.subject):
        return slice_rules.over_slices(candidate, rule, setting)
    return measured.over_classes(candidate, rule, setting)


def _no_classes(subject: str) -> str:
    """Say that a subject does not stand for classes, or nothing."""
    good = measured.is_of_classes(subject)
    return "" if good else "it takes the metrics of all classes, as in mean(val/AP50/*)"


def _no_group(subject: str) -> str:
    """Say that a subject stands neither for classes nor for parts of the samples, or nothing."""
    if slice_rules.is_pattern(subject) or measured.is_of_classes(subject):
        return ""
    return (
        "it takes the metrics of all classes, as in min(val/AP50/*), or of all parts, as in "
        "min(val/slices/camera/*/mAP50)"
    )


def _tag(candidate: Candidate, rule: Rule) -> Found:
    version = candidate.version
    own = {} if version is None else version.tags
    value = candidate.tags.get(rule.subject, own.get(rule.subject))
    if value is None:
        return missing("there is no such tag")
    return _chosen(rule, value, value in rule.wanted)


def _param(candidate: Candidate, rule: Rule) -> Found:
    value = candidate.params.get(rule.subject)
    if value is None:
        return missing("there is no such parameter")
    if rule.operator in _UNORDERED:
        return _chosen(rule, value, any(_equal(value, wanted) for wanted in rule.wanted))
    if not is_number(value):
        return missing("it is no number", plain(value, 60))
    return compared(float(value), rule)


def _equal(value: str, wanted: str) -> bool:
    both = is_number(value) and is_number(wanted)
    return value == wanted or (both and float(value) == float(wanted))


def _data(candidate: Candidate, rule: Rule) -> Found:
    found = data_rules.data_sets(candidate, rule.subject)
    # The same samples in another order are the same data; runs of before know one order only.
    digests = {(data.samples or data.digest).lower() for data in found}
    if not digests:
        return missing("the run has no such data set")
    if len(digests) > 1:
        names = ", ".join(sorted(plain(data.name, 40) for data in found))
        return missing(f"several data sets are meant: {names}; write the name of one")
    ordered = {data.digest.lower() for data in found}
    return _digest(rule, digests.pop(), *sorted(ordered))


def _evaluated(candidate: Candidate, rule: Rule) -> Found:
    evaluation = candidate.evaluations.get(rule.subject)
    if evaluation is None:
        return missing("there is no such evaluation")
    return _digest(rule, evaluation.data_sha256.lower())


def _digest(rule: Rule, digest: str, *also: str) -> Found:
    """Judge a digest; what begins one of ``also`` names the same data in a known order."""
    if not digest:
        return missing("its SHA-256 was not recorded")
    wanted = [each.lower() for each in rule.wanted]
    for known in also:
        if known != digest and any(known.startswith(each) for each in wanted):
            return _chosen(rule, known, True, short=12)
    if any(len(digest) < len(wanted) for wanted in rule.wanted):
        return missing(f"only the first {len(digest)} digits are known", plain(digest, 20))
    return _chosen(rule, digest, any(digest.startswith(w.lower()) for w in rule.wanted), short=12)


def _chosen(rule: Rule, value: str, among: bool, short: int = 60) -> Found:
    passed = among != (rule.operator == "!=")
    got = plain(value, short)
    return Found(got, passed, "" if passed else f"{got!r} is not {rule.demand}")
