"""How often a champion falls to a model that is not better: ``python -m benchmarks.promotions``.

Pairs of models are simulated whose true figures are known, measured on the same held-out data,
and judged by the gate and by the guide's fixed margin. Writes PROMOTIONS.md; the same every time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from cvtrack_magics.artifacts.codec import read_object
from cvtrack_magics.artifacts.evaluation import Measured
from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.gate import ChampionRule, compare
from cvtrack_magics.tasks.base import Anomalies, Detections
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.metric_catalog import VERSION

HERE = Path(__file__).parent
NORMAL = NormalDist()
SHARED = 0.7  # of the variance of a sample's difficulty that two models have in common
RESAMPLES = 500
GUIDE = 0.005
FRAMES = 10
Pair = tuple[Candidate, Candidate]


@dataclass(frozen=True, slots=True)
class Case:
    """Pairs of models: ``lift`` is by how much the challenger's true figure is better."""

    metric: str
    samples: int
    champion: float
    lift: float
    make: Callable[[np.random.Generator, Case], Pair]
    pairs: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the pairs whose challenger is promoted."""

    case: Case
    ours: float
    with_margin: float
    guide: float
    percentile: float


def candidate(name: str, metric: str, facts: dict[str, Any], **more: Any) -> Candidate:
    """Return a run that was evaluated, as the gate sees it."""
    settings = {"threshold": None, "iou": 0.5, "scheme": VERSION, **facts.pop("settings", {})}
    whole = {
        "headline": metric,
        "data_sha256": "of the same samples",
        "settings": settings,
        **facts,
    }
    evaluations = {"val": EvaluationFacts("val", read_object(Measured, "val", whole), **more)}
    return Candidate(name, name, "simulated", "FINISHED", 0, 1, evaluations=evaluations)


def of_evaluation(name: str, found: Evaluation) -> Candidate:
    """Return the same of an evaluation that ``measure`` made."""
    assert found.replicates is not None
    drawn = {"seed": found.replicates.seed, "first_draw": found.replicates.first}
    facts = {
        "task": found.task,
        "samples": len(found.samples["id"]),
        "metrics": {found.headline: found.metrics[found.headline]},
        "settings": {**found.settings, **drawn},
    }
    values = tuple(found.replicates.values.tolist())
    return candidate(name, found.headline, facts, replicates=values)


def difficulties(rng: np.random.Generator, count: int) -> Iterator[Any]:
    """Yield how hard each sample is for each of two models, standard normal N."""
    common = rng.normal(size=count)
    for _ in range(2):
        yield np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * rng.normal(size=count)


def classifiers(rng: np.random.Generator, case: Case) -> Pair:
    """Return two classifiers; the easier a sample, the sooner both have it right."""
    shares = (case.champion + case.lift, case.champion)
    one, other = (
        of_answers(f"model {at}", hard < NORMAL.inv_cdf(share))
        for at, (share, hard) in enumerate(
            zip(shares, difficulties(rng, case.samples), strict=True)
        )
    )
    return one, other


def of_answers(name: str, right: Any, **columns: list[Any]) -> Candidate:
    """Return a classifier that has some samples right."""
    facts = {
        "task": "classification",
        "samples": len(right),
        "metrics": {"top1_acc": float(right.mean())},
    }
    table = {"id": list(range(len(right))), "correct": right.tolist(), **columns}
    return candidate(name, "top1_acc", facts, table=table)


def of_videos(rng: np.random.Generator, case: Case) -> Pair:
    """Return two classifiers of videos of ten frames; half of what is hard is the video's."""
    videos = case.samples // FRAMES
    made: list[Candidate] = []
    shares = (case.champion + case.lift, case.champion)
    both = zip(difficulties(rng, videos), difficulties(rng, case.samples), strict=True)
    for share, (video, frame) in zip(shares, both, strict=True):
        hard = np.sqrt(0.5) * np.repeat(video, FRAMES) + np.sqrt(0.5) * frame
        right = hard < NORMAL.inv_cdf(share)
        cluster = np.repeat(np.arange(videos), FRAMES).tolist()
        made.append(of_answers(f"model {len(made)}", right, cluster=cluster))
    return made[0], made[1]


def detectors_of_anomalies(rng: np.random.Generator, case: Case) -> Pair:
    """Return two models whose scores are N(0, 1) of normal and N(d, 1) of anomalous samples."""
    truth = (np.arange(case.samples) < case.samples // 5).astype(np.int64)
    areas = (case.champion + case.lift, case.champion)
    made: list[Candidate] = []
    for area, noise in zip(areas, difficulties(rng, case.samples), strict=True):
        scores = truth * NORMAL.inv_cdf(area) * np.sqrt(2) + noise
        found = measured("anomaly", Anomalies(truth, scores), ("normal", "anomalous"))
        made.append(of_evaluation(f"model {len(made)}", found))
    return made[0], made[1]


def detectors(rng: np.random.Generator, case: Case) -> Pair:
    """Return two detectors: the easier an object, the sooner it is found; false alarms beside."""
    counts = rng.integers(1, 5, case.samples)
    total = int(counts.sum())
    images = np.repeat(np.arange(case.samples), counts)
    corners = np.tile(np.array([0.0, 0.0, 10.0, 10.0]), (total, 1))
    corners += (np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts))[:, None] * 20
    labels = rng.integers(0, 3, total)
    truth = Boxes(offsets(images, case.samples), corners, labels)
    made: list[Candidate] = []
    shares = (case.champion + case.lift, case.champion)
    for share, hard in zip(shares, difficulties(rng, total), strict=True):
        found = hard < NORMAL.inv_cdf(share)
        alarms = rng.integers(0, case.samples, case.samples // 2)
        where = np.concatenate((images[found], alarms))
        order = np.argsort(where, kind="stable")
        boxes = np.concatenate((corners[found], np.tile([100.0, 0, 110, 10], (len(alarms), 1))))
        kinds = np.concatenate((labels[found], rng.integers(0, 3, len(alarms))))
        scores = np.concatenate((1 - hard[found], rng.normal(size=len(alarms))))
        said = Boxes(
            offsets(where, case.samples), boxes[order], kinds[order], NORMAL_CDF(scores[order])
        )
        made.append(
            of_evaluation(
                f"model {len(made)}",
                measured("detection", Detections(truth, said), ("a", "b", "c")),
            )
        )
    return made[0], made[1]


NORMAL_CDF = np.vectorize(NORMAL.cdf, otypes=[float])


def offsets(images: Any, count: int) -> Any:
    """Return where the objects of each image begin."""
    return np.concatenate(([0], np.cumsum(np.bincount(images, minlength=count)))).astype(np.int64)


def measured(task: Any, data: Any, classes: tuple[str, ...]) -> Evaluation:
    """Measure predictions without pictures."""
    truth = data.truth
    count = len(truth)
    ids = tuple(str(at) for at in range(count))
    sizes = np.full((count, 2), 128)
    return measure(Predictions(task, classes, ids, sizes, None, data), resamples=RESAMPLES)


def shares(case: Case, seed: int) -> Shares:
    """Judge all pairs of a case."""
    rng = np.random.default_rng([seed, case.samples])
    won = np.zeros(4)
    for _ in range(case.pairs):
        challenger, champion = case.make(rng, case)
        metric = f"val/{case.metric.partition(',')[0]}"
        row, found = compare(challenger, champion, ChampionRule(metric))
        if found is None:
            raise AssertionError(row.why)
        strict = compare(challenger, champion, ChampionRule(metric, margin=GUIDE))[0]
        one, two = (np.array(side.evaluations["val"].replicates) for side in (challenger, champion))
        low = np.quantile(one - two, 0.05) if len(one) else np.nan
        won += row.passed, strict.passed, found.difference > GUIDE, low > 0
    of = won / case.pairs
    drawn = case.make not in (classifiers, of_videos)
    percentile = of[3] if drawn else float("nan")
    return Shares(case, of[0], of[1], of[2], percentile)


@dataclass(frozen=True, slots=True)
class BestOf:
    """Shares of champions that fall to the best of k equally good models."""

    count: int
    samples: int
    champions: int
    corrected: float
    plain: float
    guide: float


def best_of(count: int, samples: int, champions: int, seed: int) -> BestOf:
    """Let the best of ``count`` models challenge, none of them truly better; shares of 0.9."""
    rng = np.random.default_rng([seed, count, samples])
    won = np.zeros(3)
    for _ in range(champions):
        common = np.sqrt(SHARED) * rng.normal(size=samples)
        rights = [
            common + np.sqrt(1 - SHARED) * rng.normal(size=samples) < NORMAL.inv_cdf(0.9)
            for _ in range(count + 1)
        ]
        chosen = max(rights[1:], key=lambda right: float(right.sum()))
        pair = (of_answers("chosen", chosen), of_answers("champion", rights[0]))
        rule = ChampionRule("val/top1_acc")
        row, _ = compare(*pair, rule, candidates=count)
        alone, found = compare(*pair, rule)
        assert found is not None
        won += row.passed, alone.passed, found.difference > GUIDE
    of = won / champions
    return BestOf(count, samples, champions, of[0], of[1], of[2])


def best_table(rows: list[BestOf]) -> str:
    """Return rows as Markdown; shares in per cent."""
    lines = [
        "| chosen among | samples | champions | gate, knowing of all | gate, knowing of one "
        "| guide: + 0.005 |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = " | ".join(f"{100 * of:.1f} %" for of in (row.corrected, row.plain, row.guide))
        lines.append(f"| {row.count} | {row.samples:,} | {row.champions:,} | {cells} |")
    return "\n".join(lines)


def cases(pairs: int) -> list[Case]:
    """Return every case: equally good models, then better ones, then videos."""
    made = [
        Case("top1_acc", n, p, lift, classifiers, pairs)
        for lift in (0.0, 0.005, 0.01, 0.02, 0.05)
        for p in ((0.8, 0.9, 0.95) if not lift else (0.9,))
        for n in (200, 1000, 5000)
    ]
    made += [
        Case("AUROC", n, 0.9, lift, detectors_of_anomalies, pairs if lift < 0.01 else pairs // 3)
        for lift in (0.0, 0.005, 0.01, 0.02, 0.05)
        for n in (200, 1000)
    ]
    made += [
        Case("mAP50", n, 0.8, lift, detectors, pairs if not lift else pairs // 3)
        for lift in (0.0, 0.02, 0.05)
        for n in (100, 300)
    ]
    videos = [
        Case("top1_acc, videos", n, 0.9, lift, of_videos, pairs)
        for lift in (0.0, 0.05)
        for n in (400, 2000)
    ]
    return [*sorted(made, key=lambda case: case.lift > 0), *videos]


def table(rows: list[Shares]) -> str:
    """Return rows as Markdown; shares in per cent."""
    lines = [
        "| metric | champion | truly better by | samples | pairs | gate, margin 0 "
        "| gate, margin 0.005 | guide: + 0.005 | percentile bootstrap, margin 0 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        case = row.case
        found = [row.ours, row.with_margin, row.guide, row.percentile]
        cells = " | ".join("–" if np.isnan(share) else f"{100 * share:.1f} %" for share in found)
        lines.append(
            f"| {case.metric} | {case.champion:g} | {case.lift:g} | {case.samples:,} "
            f"| {case.pairs:,} | {cells} |"
        )
    return "\n".join(lines)


def report(rows: list[Shares], best: list[BestOf]) -> str:
    """Return the page."""
    equal = [row for row in rows if not row.case.lift]
    edge = [row for row in rows if row.case.lift == GUIDE]
    better = [row for row in rows if row.case.lift > 0]
    worst = max(row.ours for row in equal)
    at_edge = max(row.with_margin for row in edge)
    guide = max(row.guide for row in equal)
    error = 100 * np.sqrt(0.05 * 0.95 / min(row.case.pairs for row in equal))
    return f"""# Promotions of models that are not better

Written by `python -m benchmarks.promotions`: pairs of simulated models with known true figures,
both measured on the same samples, their errors correlated ({SHARED:.0%} of a sample's difficulty
is shared). The share of the pairs whose challenger is promoted, at 95 % confidence. For
`mAP50`, "champion" and "better by" are the share of the objects that is found, of which mAP
follows. AUROC and mAP50 go through `measure` with {RESAMPLES} resamples. A share of 5 % has a
standard error of {error:.1f} points.

## Equally good models: every promotion is a mistake

At most {worst:.1%} at margin 0; the guide's fixed margin promotes up to {guide:.1%}.

{table(equal)}

## The best of several equally good models

Whoever measures many models on the same data and takes the best takes luck. `%mleval` marks each
run with the data that it was measured on, and the gate counts those since the champion's: the
error of the bound is divided by their number (Bonferroni).

{best_table(best)}

## Truly better models: the share that is found out

At a true difference of exactly the margin, 0.005, a promotion at that margin is a mistake too:
at most {at_edge:.1%}.

{table(better)}

What decides is the number of samples: a difference of one point of accuracy is not to be seen in
200 of them, by any method that does not also promote what is no better.

## How the bound is found

Shares of right samples: the score interval of paired shares (Tango, Statistics in Medicine 17,
1998) with McNemar's continuity correction. Of videos ({FRAMES} frames each, half of what is hard is
the video's; `%mleval --cluster`): the same with all counts divided by the design effect. Other
means of per-sample scores: Student's t of the paired differences. Other figures: the headline of
each evaluation in resamples that both drew alike, Student's t with the standard error of their
differences (Hesterberg, The American Statistician 69, 2015). The last column is the 5 %
percentile of the same differences.
"""


def main() -> None:
    """Judge all cases and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promotions", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000, help="of equally good models, a case")
    parser.add_argument("--quick", action="store_true", help="100 pairs, and nothing is written")
    parser.add_argument("--jobs", type=int, default=2, help="processes; the figures are the same")
    given = parser.parse_args()
    wanted = cases(100 if given.quick else given.pairs)
    rows = []
    with ProcessPoolExecutor(given.jobs) as pool:
        for row in pool.map(shares, wanted, range(len(wanted))):
            rows.append(row)
            print(table([row]).rsplit("\n", 1)[-1], flush=True)
    best = [best_of(k, n, given.pairs // 2, 0) for n in (200, 1000) for k in (5, 20)]
    print(best_table(best))
    if not given.quick:
        (HERE / "PROMOTIONS.md").write_text(report(rows, best), encoding="utf-8")


if __name__ == "__main__":
    main()
