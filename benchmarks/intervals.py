"""How often an interval holds the true figure: ``python -m benchmarks.intervals``.

Test sets are drawn from worlds whose true figures are known (from a set so large that chance does
not matter, or by formula), and measured by ``measure``. Writes INTERVALS.md; the same every time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks.promotions import offsets
from cvtrack_magics.tasks.base import Anomalies, Classes, Depths, Detections, LabelSets, Segments
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.maps import Maps

HERE = Path(__file__).parent
NORMAL = NormalDist()
RESAMPLES = 200
LARGE = 20_000
WANTED = 0.92
Draw = Callable[[np.random.Generator, int], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One world, and how many samples a set has.

    Attributes
    ----------
    task, world : str
        The task; the world in words.
    samples : int
        Of a set.
    draw : callable
        Returns data of so many samples, and a key for each where they come in clusters.
    classes : int
        How many.
    truth : float or None
        The true figure; None for that of a large set.
    """

    task: Any
    world: str
    samples: int
    draw: Draw
    classes: int = 2
    truth: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of a cell's sets; ``shown`` is the share of them that has an interval."""

    cell: Cell
    metric: str
    truth: float
    sets: int
    shown: float
    held: float
    width: float
    percentiles: float


def answers(rng: np.random.Generator, n: int, share: float, frames: int = 1) -> tuple[Any, Any]:
    """Return labels of which a share is right; frames of one video are right together by half."""
    video = np.arange(n) // frames
    hard = np.sqrt(0.5) * rng.normal(size=video.max() + 1)[video] + np.sqrt(0.5) * rng.normal(
        size=n
    )
    if frames == 1:
        hard = rng.normal(size=n)
    right = hard < NORMAL.inv_cdf(share)
    said = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    return Classes(np.zeros(n, np.int64), said), None if frames == 1 else video.tolist()


def scores(
    rng: np.random.Generator, n: int, share: float, area: float, kind: str, copies: int = 1
) -> tuple[Any, Any]:
    """Return anomaly scores of a known area under the ROC."""
    of = n // copies
    truth = np.zeros(of, np.int64)
    truth[: max(1, round(share * of))] = 1
    noise = rng.normal(size=of)
    if kind == "alike":
        made = noise + truth * NORMAL.inv_cdf(area) * np.sqrt(2)
    elif kind == "spread":  # anomalies spread three times as far
        made = np.where(truth == 1, 3 * noise + NORMAL.inv_cdf(area) * np.sqrt(10), noise)
    else:  # most anomalies are plain, some are missed as if they were normal
        missed = rng.random(of) < 2 * (1 - area)
        made = noise + truth * np.where(missed, 0, 8)
    keys = np.arange(of) if copies > 1 else None
    data = Anomalies(np.repeat(truth, copies), np.repeat(made, copies))
    return data, None if keys is None else np.repeat(keys, copies).tolist()


def maps(
    rng: np.random.Generator, n: int, often: tuple[float, ...], good: float, missed: float
) -> tuple[Any, Any]:
    """Return label maps of 8 × 8 pixels, a row of it for each class that is there."""
    truths, said = [], []
    for _ in range(n):
        true = np.zeros((8, 8), np.int64)
        for label, chance in enumerate(often, 1):
            if rng.random() < chance:
                true[rng.integers(0, 8)] = label
        found = true.copy()
        for label in np.unique(true[true > 0]):
            own = true == label
            wrong = np.ones(own.sum(), bool)
            if rng.random() >= missed:
                wrong = rng.random(own.sum()) > rng.beta(9 * good, 9 * (1 - good))
            found[own] = np.where(wrong, 0, label)
        false = (true == 0) & (rng.random((8, 8)) < 0.01)
        found[false] = rng.integers(1, len(often) + 1, false.sum())
        truths.append(true)
        said.append(found)
    return Segments(Maps.of(truths), Maps.of(said)), None


def depths(rng: np.random.Generator, n: int, spread: float, failed: float) -> tuple[Any, Any]:
    """Return depth maps of 2 × 2 pixels; the errors of an image are alike."""
    error = np.exp(rng.normal(0, spread, n) - spread**2 / 2) * 0.1
    error = np.where(rng.random(n) < failed, 1.0, error)
    truth = [np.full((2, 2), 2.0)] * n
    said = [one * (1 + wrong) for one, wrong in zip(truth, error, strict=True)]
    return Depths(Maps.of(truth), Maps.of(said)), None


def boxes(
    rng: np.random.Generator, n: int, chances: Any, found: float, alarms: float, apart: float
) -> tuple[Any, Any]:
    """Return one to four objects an image, a share of them found, and false alarms beside."""
    counts = rng.integers(1, 5, n)
    total = int(counts.sum())
    images = np.repeat(np.arange(n), counts)
    corners = np.tile(np.array([0.0, 0.0, 10.0, 10.0]), (total, 1))
    corners += (np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts))[:, None] * 20
    labels = rng.choice(len(chances), total, p=chances)
    hard = np.sqrt(0.3) * rng.normal(size=n)[images] + np.sqrt(0.7) * rng.normal(size=total)
    hit = hard < NORMAL.inv_cdf(found)
    false = rng.poisson(alarms * n)
    where = np.concatenate((images[hit], rng.integers(0, n, false)))
    order = np.argsort(where, kind="stable")
    every = np.concatenate((corners[hit], np.tile([100.0, 0, 110, 10], (false, 1))))
    kinds = np.concatenate((labels[hit], rng.choice(len(chances), false, p=chances)))
    sure = np.concatenate((-hard[hit], rng.normal(-apart, 1, false)))
    said = Boxes(offsets(where, n), every[order], kinds[order], sure[order])
    return Detections(Boxes(offsets(images, n), corners, labels), said), None


def label_sets(
    rng: np.random.Generator, n: int, often: tuple[float, ...], apart: float
) -> tuple[Any, Any]:
    """Return labels of which each is there by chance, and scores by which it may be known."""
    hard = rng.normal(size=(n, 1))  # a sample is as hard for one class as for another
    truth = rng.random((n, len(often))) < np.array(often)
    noise = np.sqrt(0.3) * hard + np.sqrt(0.7) * rng.normal(size=truth.shape)
    said = 1 / (1 + np.exp(-(apart * (truth - 0.5) + noise)))
    return LabelSets(truth.astype(np.int8), said), None


def evaluated(cell: Cell, rng: np.random.Generator, samples: int, resamples: int) -> Evaluation:
    """Measure a set."""
    data, keys = cell.draw(rng, samples)
    names = tuple(f"class {at}" for at in range(cell.classes))
    ids, sizes = tuple(map(str, range(samples))), np.full((samples, 2), 128)
    made = Predictions(cell.task, names, ids, sizes, None, data)
    return measure(made, resamples=resamples, cluster=keys)


def coverage(cell: Cell, seed: int, sets: int) -> Coverage:
    """Measure all sets of a cell."""
    rng = np.random.default_rng([seed, cell.samples])
    truth, metric = cell.truth, ""
    if truth is None:
        whole = evaluated(cell, rng, LARGE, 0)
        truth = float(whole.metrics[whole.headline])
    rows = []
    for _ in range(sets):
        found = evaluated(cell, rng, cell.samples, RESAMPLES)
        metric, around, drawn = found.headline, found.interval, found.replicates
        if around is None:
            continue
        low, high = np.nan, np.nan
        if drawn is not None:
            low, high = np.nanquantile(drawn.values, [0.025, 0.975])
        held = around.low <= truth <= around.high
        rows.append((held, around.high - around.low, low <= truth <= high, drawn is not None))
    held, width, percentiles, drawn = np.mean(rows, axis=0) if rows else (np.nan,) * 4
    percentiles = percentiles if drawn else np.nan
    return Coverage(cell, metric, truth, sets, len(rows) / sets, held, width, percentiles)


def cells() -> list[Cell]:
    """Return every cell."""
    made = [
        Cell("classification", f"each right with {p:g}", n, partial(answers, share=p), truth=p)
        for p in (0.8, 0.98)
        for n in (50, 500)
    ]
    made += [
        Cell(
            "classification",
            f"videos of {frames} frames, right with {p:g}",
            n,
            partial(answers, share=p, frames=frames),
            truth=p,
        )
        for p, frames in ((0.8, 5), (0.95, 10))
        for n in (200, 1000)
    ]
    made += [
        Cell(
            "anomaly",
            f"{share:.0%} anomalous, {word}",
            n,
            partial(scores, share=share, area=area, kind=kind),
            truth=area,
        )
        for kind, word in (
            ("alike", "both spread alike"),
            ("spread", "anomalies spread wider"),
            ("missed", "some missed wholly"),
        )
        for share, n, area in ((0.1, 50, 0.9), (0.1, 50, 0.98), (0.02, 500, 0.98), (0.3, 500, 0.8))
    ]
    made.append(
        Cell(
            "anomaly",
            "30% anomalous, every sample three times",
            300,
            partial(scores, share=0.3, area=0.9, kind="alike", copies=3),
            truth=0.9,
        )
    )
    few, rare = (0.9, 0.6), (0.9, 0.4, 0.2, 0.1, 0.1)
    made += [
        Cell(
            "semantic", f"{word}, {kind}", n, partial(maps, often=often, good=g, missed=m),
            len(often) + 1,
        )
        for often, word in ((few, "3 classes"), (rare, "6 classes, some rare"))
        for g, m, kind in ((0.7, 0.1, "fair"), (0.97, 0.01, "nearly right"), (0.4, 0.3, "poor"))
        for n in (50, 200)
    ]  # fmt: skip
    made += [
        Cell("depth", word, n, partial(depths, spread=spread, failed=failed), truth=truth)
        for spread, failed, word, truth in (
            (0.5, 0.0, "errors spread by half", 0.1),
            (1.0, 0.0, "errors spread widely", 0.1),
            (0.4, 0.03, "3% fail wholly", 0.97 * 0.1 + 0.03),
        )
        for n in (50, 500)
    ]
    equal, zipf = partial(np.full, fill_value=1.0), lambda k: 1 / np.arange(1, k + 1)
    worlds = ((0.8, 0.5, 1.0, "fair"), (0.5, 2.0, 0.5, "poor"), (0.99, 0.02, 2.0, "nearly right"))
    made += [
        Cell(
            "detection",
            f"{count} class{'es' if count > 1 else ''}{word}, {kind}",
            n,
            partial(
                boxes,
                chances=(chances(count) / chances(count).sum()).tolist(),
                found=found,
                alarms=alarms,
                apart=apart,
            ),
            count,
        )
        for count, n, chances, word in (
            (1, 50, equal, ""),
            (15, 50, equal, ""),
            (15, 500, zipf, ", some rare"),
        )
        for found, alarms, apart, kind in worlds
    ]
    even, uneven = (0.4,) * 5, tuple(0.5 / one for one in range(1, 16))
    made += [
        Cell(
            "multilabel",
            f"{word}, {kind}",
            n,
            partial(label_sets, often=often, apart=apart),
            len(often),
        )
        for often, word, sizes in (
            (even, "5 labels", (50, 200)),
            (uneven, "15 labels, some rare", (200, 1000)),
        )
        for apart, kind in ((2.0, "fair"), (0.7, "poor"), (5.0, "nearly right"))
        for n in sizes
    ]
    return made


def table(rows: list[Coverage]) -> str:
    """Return rows as Markdown."""
    lines = [
        "| metric | world | samples | true | sets | with an interval | held | width "
        "| percentiles would hold |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cell = row.cell
        others = "–" if np.isnan(row.percentiles) else f"{row.percentiles:.1%}"
        held = "–" if np.isnan(row.held) else f"{row.held:.1%}"
        width = "–" if np.isnan(row.width) else f"{row.width:.3f}"
        lines.append(
            f"| {row.metric} | {cell.world} | {cell.samples} | {row.truth:.3f} | {row.sets} "
            f"| {row.shown:.0%} | {held} | {width} | {others} |"
        )
    return "\n".join(lines)


def report(rows: list[Coverage]) -> str:
    """Return the page."""
    worst = min(row.held for row in rows if not np.isnan(row.held))
    old = min(row.percentiles for row in rows if not np.isnan(row.percentiles))
    return f"""# How often an interval holds the true figure

Written by `python -m benchmarks.intervals`: test sets drawn from simulated worlds with known true
figures, measured by `measure` at 95 %. "Held" is the share of the sets with an interval whose
interval holds the true figure: at least {worst:.1%}. The percentiles of a bootstrap, which many
tools show, hold it in {old:.1%} to 95 %: last column, of the same sets. A share of 95 % of
{rows[0].sets} sets has a standard error of {100 * np.sqrt(0.95 * 0.05 / rows[0].sets):.1f} points.

Where a class was seen in fewer than three samples, `%mleval` shows no interval and says which
class: "with an interval" is the share of the sets that have one.

{table(rows)}

## How the intervals are made

`top1_acc` of samples that are independent: exact (Clopper and Pearson, Biometrika 26, 1934). All
others: the variance of the figure (jackknife; AUROC: DeLong, of clusters Obuchowski; mean AP: the
bootstrap) and its degrees of freedom say how many plain yes-or-no samples would tell as much, and
the interval is that of such a share (Korn and Graubard, Survey Methodology 24, 1998). At the lower
end it allows for one more sample that fails wholly, at the upper end for one that is wholly right:
what no sample has shown may still be there. A mean AP is too high where there are few objects; how
much, halves of the samples tell, and the interval covers the figure with and without it.

Samples with the same picture and truth, and those of one `--cluster`, count as one.
"""


def main() -> None:
    """Measure all cells and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("--sets", type=int, default=400, help="a cell")
    parser.add_argument("--quick", action="store_true", help="40 sets, and nothing is written")
    parser.add_argument("--jobs", type=int, default=2, help="processes; the figures are the same")
    parser.add_argument("--only", default="", help="a task; nothing is written")
    given = parser.parse_args()
    wanted = [pair for pair in enumerate(cells()) if given.only in ("", pair[1].task)]
    rows = []
    sets = 40 if given.quick else given.sets
    with ProcessPoolExecutor(given.jobs) as pool:
        seeds, chosen = zip(*wanted, strict=True)
        for row in pool.map(coverage, chosen, seeds, [sets] * len(wanted)):
            rows.append(row)
            mark = "" if np.isnan(row.held) or row.held >= WANTED else "   <- too rarely"
            print(table([row]).rsplit("\n", 1)[-1] + mark, flush=True)
    if not given.quick and not given.only:
        (HERE / "INTERVALS.md").write_text(report(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
