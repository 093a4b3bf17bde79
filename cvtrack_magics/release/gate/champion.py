"""The challenger beside the champion: on the same held-out data, by a paired interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate.comparability import (
    Refusal,
    direction,
    side,
)
from cvtrack_magics.release.gate.gain import bound_of_gain
from cvtrack_magics.release.gate.metric_rules import Setting
from cvtrack_magics.release.gate.verdict import Comparison, Row
from cvtrack_magics.release.gate.wording import number, plain, signed

_NOISE = 1e-9  # sums in another order differ by less


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
    candidates: int = 1,
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
    candidates : int
        How many were measured on the same data, of which the challenger was chosen. The bound
        is as sure for the best of them as it is to be for one: its error is divided by their
        number (Bonferroni).

    Returns
    -------
    Row, Comparison or None
        The comparison is None where none could be made.
    """
    text = f"champion {plain(rule.metric)}"
    bound = f"{100 * rule.confidence:.4g} % lower bound"
    best = f", best of {candidates:,}" if candidates > 1 else ""
    wanted = f"gain > {number(rule.margin)} ({bound}{best})"
    demands = Setting(None, (setting or Setting()).demands)
    try:
        if isinstance(champion, Missing) and not champion.accepted:
            raise Refusal(f"{champion.why}; --without-champion judges without it")
        if champion is None or isinstance(champion, Missing):
            found = side("the challenger", challenger, rule.metric, demands)
            direction(found.evaluation, rule.metric, rule.better)
            why = f"judged without a champion: {champion.why}" if champion else "no champion yet"
            return Row(text, wanted, number(found.value), None, True, why), None
        made = _compared(challenger, champion, rule, demands, candidates)
    except Refusal as refusal:
        return Row(text, wanted, "", None, False, str(refusal)), None
    passed = made.low - rule.margin > _NOISE
    got = f"{signed(made.difference)}, lower bound {signed(made.low)}"
    why = "" if passed else f"the {bound} of the gain is not above {number(rule.margin)}"
    if best and not passed:
        why += f", chosen among {candidates:,} runs on this data; measure the chosen one on other"
    return Row(text, wanted, got, made.low - rule.margin, passed, why), made


def _compared(
    challenger: Candidate,
    champion: Candidate,
    rule: ChampionRule,
    demands: Setting,
    candidates: int,
) -> Comparison:
    if _version(challenger) and _version(challenger) == _version(champion):
        raise Refusal("it is the champion: nothing can be compared with itself")
    if challenger.run_id == champion.run_id:
        raise Refusal("the champion was made of the same run")
    ours = side("the challenger", challenger, rule.metric, demands)
    theirs = side("the champion", champion, rule.metric, Setting())
    better = direction(ours.evaluation, rule.metric, rule.better)
    sure = 1 - (1 - rule.confidence) / candidates
    bound, samples, resamples = bound_of_gain(ours, theirs, rule.metric, better, sure)
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
        candidates=candidates,
    )


def _version(candidate: Candidate) -> tuple[str, str] | None:
    version = candidate.version
    return None if version is None else (version.name, version.version)
