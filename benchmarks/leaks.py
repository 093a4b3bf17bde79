"""How many planted copies are found, and how many others taken for some: ``-m benchmarks.leaks``.

20,000 pictures are made, 200 copies of eight kinds among them, and checked as
``%mldata train --against val`` does. Writes LEAKS.md; the pictures are the same every time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks.leak_pictures import PLANTED, SIDE, shipped, written
from cvtrack_magics.capture.data.manyfiles import workers
from cvtrack_magics.capture.pictures.check import Checked, Given, check_pictures

HERE = Path(__file__).parent
CROPS = "cropped to 90 %"
Truth = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a set.

    Attributes
    ----------
    pictures : int
        In all.
    planted, found : Counter
        Copies by kind.
    false : Counter
        Pictures that were taken for a copy of another, by how.
    plain : int
        Pictures of which only exact copies can be known.
    wall, cpu : float
        Seconds.
    load : float
        Processes that wanted a core on average in the last minute, at the end.
    """

    pictures: int
    planted: Counter[str]
    found: Counter[str]
    false: Counter[str]
    plain: int
    wall: float
    cpu: float
    load: float

    @property
    def wrong(self) -> float:
        """The share of the pictures that are falsely taken for a copy."""
        return self.false["any"] / self.pictures


def measured(folder: Path, truth: Truth) -> Result:
    """Check a folder that :func:`written` made."""
    wall, cpu = time.monotonic(), time.process_time()
    given = [Given(str(folder / name), name) for name in ("train", "val")]
    checked = check_pictures(given)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    return Result(
        pictures=sum(one.samples for one in checked.facts.sets),
        planted=Counter(kind for kind, _ in truth.values()),
        found=_found(checked, truth),
        false=_false(checked, truth),
        plain=sum(one.plain for one in checked.facts.sets),
        wall=wall,
        cpu=cpu,
        load=os.getloadavg()[0],
    )


def _pairs(checked: Checked) -> list[tuple[str, str, str]]:
    """Return all pairs of names with their kind."""
    return [
        (f"{first[0]}/{first[1]}", f"{other[0]}/{other[1]}", finding.detail)
        for finding in checked.findings
        if finding.kind in ("leak", "copy")
        for first, other in [finding.samples[:2]]
    ]


def _found(checked: Checked, truth: Truth) -> Counter[str]:
    known = {(copy, source): kind for copy, (kind, source) in truth.items()}
    found = set()
    for one, other, _ in _pairs(checked):
        found |= {pair for pair in ((one, other), (other, one)) if pair in known}
    return Counter(known[pair] for pair in found)


def _false(checked: Checked, truth: Truth) -> Counter[str]:
    """Return how many pictures are in a pair that is none."""
    wrong: dict[str, set[str]] = defaultdict(set)
    for one, other, how in _pairs(checked):
        roots = {truth[name][1] if name in truth else name for name in (one, other)}
        if len(roots) > 1:
            # the copies of a picture are wrong with it, and count once
            wrong[how] |= roots
            wrong["any"] |= roots
    return Counter({how: len(names) for how, names in wrong.items()})


def _shares(result: Result) -> list[str]:
    rows = ["| planted | copies | found | |", "|---|--:|--:|--:|"]
    kinds = [kind for kind in PLANTED if kind != CROPS] + [CROPS]
    for kind in kinds:
        found, planted = result.found[kind], result.planted[kind]
        rows.append(f"| {kind} | {planted:,} | {found:,} | {found / planted:.1%} |")
    return rows


def report(result: Result, seed: int) -> str:
    """Return the page."""
    false = ", ".join(f"{n} {how}" for how, n in sorted(result.false.items()) if how != "any")
    packages = Counter(name.split("/")[0] for name in shipped())
    real = ", ".join(f"{count} of {package}" for package, count in sorted(packages.items()))
    lines = [
        "# Which copies are found",
        "",
        f"Written by `python -m benchmarks.leaks`: {result.pictures:,} pictures of {SIDE} × {SIDE}",
        "(PNG and JPEG) in a set to learn from and one to be measured on, checked as",
        f"`%mldata train --against val` does. Seed {seed}. They are parts of",
        f"{sum(packages.values())} pictures that packages ship ({real};",
        "two parts of one picture share less than 0.4 of their area), or made: clouds, grain,",
        "shapes on clouds, cells. The copies are of pictures of the one set and lie in the other.",
        "",
        *_shares(result),
        "",
        f"Of {result.pictures:,} pictures {result.false['any']:,} ({result.wrong:.3%}) were taken",
        f"for a copy of a picture that they are no copy of{f' ({false})' if false else ''}.",
        f"Too plain to be known but by their content: {result.plain:,}.",
        "",
        f"CPU time: {result.cpu:.1f} s in all threads, {result.cpu / 2:.1f} s on each of two",
        f"cores. By the clock {result.wall:.0f} s with {workers()} threads, beside others' work:",
        f"{result.load:.0f} processes wanted its {os.cpu_count()} cores at the end.",
        "",
        "Known wrong: two pictures of nothing but one straight wave, alike in angle and width, are",
        "taken for copies or crops of each other where their colours are the same too, and crops",
        "of pictures whose two colours are equally light are missed more often. The pictures that",
        "are made here are neither.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the pictures, check them, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--planted", type=int, default=200, help="copies of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "LEAKS.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cvtrack-leaks-") as folder:
        root = Path(folder)
        truth = written(root, asked.seed, asked.pictures, asked.planted)
        asked.out.write_text(report(measured(root, truth), asked.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
