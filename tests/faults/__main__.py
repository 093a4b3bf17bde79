"""Replay schedules: ``python -m tests.faults 17 99``, or ``0-49``; none plays them all."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crowd import Crowd, World
from tests.faults.schedule import COUNT, STORES, schedule_of


def main(words: list[str]) -> int:
    """Play the seeds that were asked for; 1 when one of them went wrong."""
    seeds: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    seeds = seeds or list(range(COUNT))
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="cvtrack-faults-"))
    stores = [s for s in STORES if any(schedule_of(seed).store == s for seed in seeds)]
    world = World(folder, stores)
    print(f"servers up after {time.monotonic() - began:.0f} s; files are in {folder}", flush=True)
    crowd = Crowd(world, seeds)
    try:
        for seed in seeds:
            result = crowd.result(seed)
            if result.verdict.problems:
                print(f"WRONG after {result.seconds:.1f} s: {result}", flush=True)
        print("\n".join(crowd.summary()))
        print(f"{time.monotonic() - began:.0f} s")
        return int(any(r.verdict.problems for r in crowd.done))
    finally:
        world.close()
        crowd.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
