"""How often a rule on the worst part passes a model whose worst part is too bad.

``python -m benchmarks.slices`` writes SLICES.md; the same every time. Models are simulated whose
true accuracy on each part is known, and judged by the gate and by the parts' figures alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cvtrack_magics.artifacts.evaluation import Interval, Measured
from cvtrack_magics.release.facts import Candidate, EvaluationFacts, Point
from cvtrack_magics.release.gate import judge, parse_rule
from cvtrack_magics.tasks.counting import Options
from cvtrack_magics.tasks.intervals import share_interval
from cvtrack_magics.tasks.units import Sampling, Units
from cvtrack_magics.vision.metric_catalog import VERSION

PAGE = Path(__file__).parent / "SLICES.md"
TRIES = 500
WANTED = 0.9
LOSS = 0.02
"""What ``worst(delta(...))`` allows."""
SHARED = 0.7  # of the samples that one of two models has wrong, the other has wrong too
SETTINGS = {"threshold": None, "iou": 0.5, "scheme": VERSION}
Right = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """Parts of ``samples`` each; ``bad`` of them are at the border, the others far above it."""

    parts: int
    bad: int
    samples: int
    lift: float = 0.0


@cache
def names_of(count: int) -> list[str]:
    """Return ids of samples."""
    return [str(at) for at in range(count)]


def part(prefix: str, right: Right) -> EvaluationFacts:
    """Return what ``%mleval --by`` keeps of one part."""
    count = len(right)
    units = Units(np.arange(count), count)
    made = share_interval("top1_acc", right, Sampling(units, Options(), []))
    assert made is not None
    measured = Measured(
        prefix=prefix,
        task="classification",
        headline="top1_acc",
        samples=count,
        data_sha256="the same",
        metrics={"top1_acc": made.value},
        interval=Interval("top1_acc", made.value, made.low, made.high, made.level),
        settings=SETTINGS,
    )
    return EvaluationFacts(prefix, measured, {"id": names_of(count), "correct": right.tolist()})


def candidate(name: str, rights: list[Right]) -> Candidate:
    """Return a finished run with a part for each of ``rights``."""
    found = [part(f"val/slices/camera/{at}", right) for at, right in enumerate(rights)]
    metrics = {
        f"{one.prefix}/top1_acc": Point(one.measured.metrics["top1_acc"] or 0.0, 0, 1)
        for one in found
    }
    made = Candidate(name, name, "simulated", "FINISHED", 0, 1, metrics=metrics)
    return replace(made, slices={one.prefix: one for one in found})


def least(case: Case) -> tuple[float, float, float]:
    """Return how often the gate, the figures alone, and ``--undecided`` let a model pass."""
    rule = [parse_rule(f"min(val/slices/camera/*/top1_acc) >= {WANTED}")]
    rng = np.random.default_rng(case.parts * 1000 + case.samples)
    passed = np.zeros(3)
    for _ in range(TRIES):
        true = [WANTED + (case.lift if at < case.bad else 0.08) for at in range(case.parts)]
        rights = [rng.random(case.samples) < share for share in true]
        one = candidate("one", rights)
        figures = min(float(right.mean()) for right in rights) >= WANTED
        passed += [judge(one, rule).passed, figures, judge(one, rule, undecided=True).passed]
    return tuple(passed / TRIES)


def lost(case: Case) -> tuple[float, float]:
    """Return how often the gate, and the figures alone, pass a model that lost too much."""
    rule = [parse_rule(f"worst(delta(val/slices/camera/*/top1_acc)) >= {-LOSS}")]
    rng = np.random.default_rng(case.parts * 1000 + case.samples + 1)
    passed = np.zeros(2)
    for _ in range(TRIES):
        pairs = [pair(rng, case, at < case.bad) for at in range(case.parts)]
        one, two = (
            candidate(name, list(s)) for name, s in zip("ab", zip(*pairs, strict=True), strict=True)
        )
        worst = min(float(a.mean()) - float(b.mean()) for a, b in pairs)
        passed += [judge(one, rule, champion=two).passed, worst >= -LOSS]
    return tuple(passed / TRIES)


def pair(rng: np.random.Generator, case: Case, bad: bool) -> tuple[Right, Right]:
    """Return what challenger and champion have right of one part."""
    error = 1 - WANTED
    own = error * (1 - SHARED)  # each model's own errors
    more = (LOSS if bad else -0.03) - case.lift
    draw = rng.random(case.samples)
    shared = draw < error * SHARED
    theirs = shared | ((draw >= 0.5) & (draw < 0.5 + own))
    mine = shared | ((draw >= 0.7) & (draw < 0.7 + max(0.0, own + more)))
    return ~mine, ~theirs


def page() -> str:
    """Return SLICES.md."""
    rows = []
    for parts in (5, 20):
        for bad in (1, parts):
            for samples in (50, 200, 1000):
                ours, figures, told = least(Case(parts, bad, samples))
                rows.append(
                    f"| {parts} | {bad} | {samples:,} | {ours:.1%} | {told:.1%} | {figures:.1%} |"
                )
    power = []
    for parts in (5, 20):
        for lift in (0.02, 0.05):
            for samples in (200, 1000):
                ours, figures, _ = least(Case(parts, parts, samples, lift))
                power.append(
                    f"| {parts} | {WANTED + lift:.2f} | {samples:,} | {ours:.1%} | {figures:.1%} |"
                )
    deltas = []
    for parts in (5, 20):
        for bad in (1, parts):
            for samples in (200, 1000):
                ours, figures = lost(Case(parts, bad, samples))
                deltas.append(f"| {parts} | {bad} | {samples:,} | {ours:.1%} | {figures:.1%} |")
    nl = "\n"
    return f"""# The worst part decides

Written by `python -m benchmarks.slices`: {TRIES:,} simulated models a row, whose true accuracy on
each part is known. A share of 5 % has a standard error of 1 point.

## `min(val/slices/camera/*/top1_acc) >= {WANTED}`: every pass is a mistake

So many parts have a true accuracy just at {WANTED}, where a rule has to be hardest, all others
one of {WANTED + 0.08:.2f}.

| parts | at the border | samples a part | gate | gate, `--undecided` | figures alone |
|--:|--:|--:|--:|--:|--:|
{nl.join(rows)}

## The same, and every part is truly better: every pass is right

| parts | true accuracy | samples a part | gate | figures alone |
|--:|--:|--:|--:|--:|
{nl.join(power)}

## `worst(delta(val/slices/camera/*/top1_acc)) >= {-LOSS}`: every pass is a mistake

So many parts have truly lost {LOSS}, the others are better by 0.03 than the champion's;
{SHARED:.0%} of the errors are of both models.

| parts | at the border | samples a part | gate | figures alone |
|--:|--:|--:|--:|--:|
{nl.join(deltas)}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
