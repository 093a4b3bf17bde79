"""Play the fault suite: ``python -m tests.faults`` plays all of it and prints a table by class.

``python -m tests.faults damages 50`` plays the first 50 schedules of a class, ``damages 17-17``
one, and ``python -m tests.faults 17 99`` or ``0-49`` schedules of the class company.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.classes import CLASSES
from tests.faults.classes.table import Row, table


def seeds_of(words: Sequence[str]) -> list[int]:
    """Return the seeds that words such as ``17`` and ``0-49`` name."""
    seeds: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def asked(words: Sequence[str]) -> dict[str, list[int]]:
    """Return the seeds of each class that was asked for."""
    if not words:
        return {name: list(range(one.count)) for name, one in CLASSES.items()}
    if words[0][:1].isdigit():
        return {"company": seeds_of(words)}
    found: dict[str, list[int]] = {}
    ranges: set[str] = set()
    name = ""
    for word in words:
        if not word[:1].isdigit():
            name = word
            found[name] = list(range(CLASSES[name].count))
        elif "-" in word:
            before = found[name] if name in ranges else []
            found[name] = before + seeds_of([word])
            ranges.add(name)
        else:
            found[name] = list(range(int(word)))
    return found


def main(words: list[str]) -> int:
    """Play what was asked for; 1 when one fell, or a class met its fault in less than half."""
    folder = Path(tempfile.mkdtemp(prefix="cvtrack-faults-"))
    print(f"files are in {folder}", flush=True)
    rows: list[Row] = []
    for name, seeds in asked(words).items():
        rows.append(CLASSES[name].play(seeds, folder))
        print(rows[-1], flush=True)
    print(table(rows))
    return int(not all(row.right for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
