"""How much of what training loops print is read: no number that is none, and four in five at least.

``loops.txt`` has loops in the forms in which tutorials and courses write them; what a reader takes
for a metric stands in ``«»``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from cvtrack_magics.capture.output.printed import PrintedMetrics
from cvtrack_magics.capture.output.tee import collapse

ROOT = Path(__file__).parents[3]
MARKED = re.compile(r"«([^»]*)»")


@dataclass(frozen=True)
class Loop:
    """What one loop prints, and the metrics in it."""

    title: str
    text: str

    @property
    def wanted(self) -> Counter[float]:
        """The values of its metrics."""
        return Counter(map(_value, MARKED.findall(self.text)))

    @property
    def read(self) -> Counter[float]:
        """The values that are read."""
        reader, found = PrintedMetrics(), Counter[float]()
        for line in collapse(MARKED.sub(r"\1", self.text)).splitlines():
            metrics = reader.read(line)
            found.update(round(one, 9) for one in (metrics.values.values() if metrics else ()))
        return found


def _value(text: str) -> float:
    number, _, of = text.partition("/")
    return round(float(number) / float(of or 1), 9)


def loops() -> list[Loop]:
    """Return all loops."""
    text = (Path(__file__).parent / "loops.txt").read_text(encoding="utf-8")
    parts = [part.partition("\n") for part in text.split("== ")[1:]]
    return [Loop(title.strip(), body) for title, _, body in parts]


LOOPS = loops()


@pytest.mark.parametrize("loop", LOOPS, ids=[one.title for one in LOOPS])
def test_no_number_is_read_that_is_no_metric(loop: Loop) -> None:
    assert not loop.read - loop.wanted


def test_four_in_five_metrics_are_read() -> None:
    assert len(LOOPS) >= 30
    wanted = sum(one.wanted.total() for one in LOOPS)
    read = sum((one.read & one.wanted).total() for one in LOOPS)
    assert read / wanted >= 0.8
    assert sum(bool(one.read) for one in LOOPS) / len(LOOPS) >= 0.8
    said = " ".join((ROOT / "docs" / "zero-lines.md").read_text(encoding="utf-8").split())
    assert f"Of {len(LOOPS)} loops" in said
    assert f"{read} of {wanted} metrics are read" in said


if __name__ == "__main__":  # the table
    for one in LOOPS:
        wanted, right = one.wanted, one.read & one.wanted
        missed = " ".join(f"{value:g}" for value in (wanted - right))
        wrong = " ".join(f"{value:g}" for value in (one.read - wanted))
        print(f"| {one.title} | {wanted.total()} | {right.total()} | {missed} | {wrong} |")
