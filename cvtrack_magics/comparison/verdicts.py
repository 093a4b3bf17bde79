"""Whether one run is better than another: by pairs of the same samples, never by two numbers."""

from __future__ import annotations

from collections.abc import Iterator

from cvtrack_magics.comparison.result import CONFIDENCE, Outcome, Verdict
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate.comparability import Refusal, direction, side
from cvtrack_magics.release.gate.gain import bound_of_gain
from cvtrack_magics.release.gate.metric_rules import Setting

_NOISE = 1e-9  # sums in another order differ by less


def verdicts_of(run: Candidate, base: Candidate) -> Iterator[Verdict]:
    """Yield a verdict for each headline metric that one of two runs was evaluated by."""
    for metric in _headlines(run, base):
        try:
            yield _judged(run, base, metric)
        except Refusal as refusal:
            yield Verdict(run.run_id, base.run_id, metric, "undecided", why=str(refusal))


def _headlines(*runs: Candidate) -> list[str]:
    found = [
        f"{evaluation.start}{evaluation.headline}"
        for run in runs
        for evaluation in run.evaluations.values()
        if evaluation.headline
    ]
    return list(dict.fromkeys(found))


def _judged(run: Candidate, base: Candidate, metric: str) -> Verdict:
    """Judge by two one-sided bounds: together they are the interval of the difference."""
    ours, theirs = (side(one.label, one, metric, Setting()) for one in (run, base))
    better = direction(ours.evaluation, metric, "")
    one_sided = (1 + CONFIDENCE) / 2
    gain, samples, _ = bound_of_gain(ours, theirs, metric, better, one_sided)
    loss, _, _ = bound_of_gain(theirs, ours, metric, better, one_sided)
    low, high = gain.low, -loss.low
    outcome: Outcome = "undecided"
    if low > _NOISE:
        outcome = "better"
    elif high < -_NOISE:
        outcome = "worse"
    why = gain.method if outcome != "undecided" else "the interval of the difference has 0 in it"
    return Verdict(
        run.run_id, base.run_id, metric, outcome, gain.difference, low, high, samples, why
    )
