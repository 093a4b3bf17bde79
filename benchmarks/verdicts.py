"""How often "better" or "worse" is said of models that are equally good: ``python -m benchmarks.verdicts``.

Pairs of models whose true figures are the same are simulated, measured on the same samples, and
judged by the verdict of ``%mlcompare`` and by comparing the two numbers. Writes VERDICTS.md; the
same every time.
"""  # noqa: E501

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.promotions import RESAMPLES, Case, classifiers, detectors, detectors_of_anomalies
from cvtrack_magics.comparison.result import CONFIDENCE
from cvtrack_magics.comparison.verdicts import verdicts_of

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Said:
    """Shares of the pairs: said better or worse by the verdict, and by the two numbers."""

    case: Case
    decided: float
    by_numbers: float
    right: float
    """Said better, of pairs whose first is truly better."""


def said(case: Case, seed: int) -> Said:
    """Judge all pairs of a case."""
    rng = np.random.default_rng([seed, case.samples])
    decided = by_numbers = right = 0
    for _ in range(case.pairs):
        one, other = case.make(rng, case)
        (verdict,) = verdicts_of(one, other)
        if verdict.gain is None:
            raise AssertionError(verdict.why)
        decided += verdict.outcome != "undecided"
        right += verdict.outcome == "better"
        by_numbers += verdict.gain > 0
    return Said(case, decided / case.pairs, by_numbers / case.pairs, right / case.pairs)


def cases(pairs: int) -> list[Case]:
    """Return every case: equally good models first, then better ones."""
    return [
        *(
            Case("top1_acc", n, p, 0.0, classifiers, pairs)
            for p in (0.8, 0.95)
            for n in (200, 1000)
        ),
        *(Case("AUROC", n, 0.9, 0.0, detectors_of_anomalies, pairs) for n in (200, 1000)),
        *(Case("mAP50", n, 0.8, 0.0, detectors, pairs) for n in (100, 300)),
        *(
            Case("top1_acc", n, 0.9, lift, classifiers, pairs)
            for lift in (0.02, 0.05)
            for n in (200, 1000)
        ),
        Case("AUROC", 1000, 0.9, 0.02, detectors_of_anomalies, pairs),
    ]


def table(rows: list[Said], last: str) -> str:
    """Return rows as Markdown; shares in per cent."""
    lines = [
        f"| metric | true | truly better by | samples | pairs | {last} | the greater number |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        case, share = row.case, row.right if row.case.lift else row.decided
        lines.append(
            f"| {case.metric} | {case.champion:g} | {case.lift:g} | {case.samples:,} "
            f"| {case.pairs:,} | {share:.1%} | {row.by_numbers:.1%} |"
        )
    return "\n".join(lines)


def report(rows: list[Said]) -> str:
    """Return the page."""
    equal, better = (
        [row for row in rows if bool(row.case.lift) is lifted] for lifted in (False, True)
    )
    wrong = sum(row.decided * row.case.pairs for row in equal) / sum(
        row.case.pairs for row in equal
    )
    return f"""# Verdicts about models that are equally good

Written by `python -m benchmarks.verdicts`: pairs of simulated models as in
[PROMOTIONS.md](PROMOTIONS.md), measured on the same samples, judged as `%mlcompare` does: better
or worse where the {CONFIDENCE:.0%} interval of the paired difference leaves 0 out, else undecided.
AUROC and mAP50 go through `measure` with {RESAMPLES} resamples. A share of 5 % of 1,000
has a standard error of 0.7 points. Beside it, how often the first model has the greater number.

## Equally good models: every "better" or "worse" is wrong

{wrong:.1%} over all; at most {max(row.decided for row in equal):.1%}.

{table(equal, "said better or worse")}

## Truly better models: how often that is said

{table(better, "said better")}
"""


def main() -> None:
    """Write VERDICTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "VERDICTS.md")
    options = parser.parse_args()
    every = cases(options.pairs)
    with ProcessPoolExecutor(options.processes) as pool:
        rows = []
        for row in pool.map(said, every, [options.seed] * len(every)):
            rows.append(row)
            print(row, flush=True)
    options.out.write_text(report(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
