"""The schedules that are older than the classes, counted as the others are."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import disks as filling
from tests.faults import kernels as opening
from tests.faults import kills as killing
from tests.faults.classes.common import Seen
from tests.faults.classes.table import Heard, Row
from tests.faults.crowd import Crowd, World
from tests.faults.play import Result
from tests.faults.schedule import STORES, schedule_of


def company(seeds: Sequence[int], folder: Path) -> Row:
    """Processes that die in all ways, with all that people do in a run, and broken servers."""
    row = Row("company")
    began = time.monotonic()
    stores = [s for s in STORES if any(schedule_of(seed).store == s for seed in seeds)]
    world = World(folder / "company", stores)
    crowd = Crowd(world, seeds)
    try:
        with Heard().listening() as heard:
            for seed in seeds:
                result = crowd.result(seed)
                problems = result.verdict.problems + heard.take()
                row.add(Seen(problems, result.verdict.points, _met(result)))
                if problems:
                    row.fell(result, problems[len(result.verdict.problems) :])
        print("\n".join(crowd.summary()), flush=True)
    finally:
        world.close()
        crowd.close()
    row.seconds = time.monotonic() - began
    return row


def _met(result: Result) -> bool:
    schedule = result.schedule
    ends = any(victim.end != "normal" for victim in schedule.victims)
    return bool(ends or schedule.rough or sum(result.hits.values()))


def kills(seeds: Sequence[int], folder: Path) -> Row:
    """Kernel, sending process and watcher as they are, killed and stopped."""
    row = Row("kills")
    began = time.monotonic()
    kinds = list(killing.KINDS)
    (folder / "kills").mkdir()
    template = killing.template_in(folder / "kills")
    with ThreadPoolExecutor(2) as pool:
        playing = [
            (
                seed,
                pool.submit(killing.play, kinds[seed % len(kinds)], seed // len(kinds), template),
            )
            for seed in seeds
        ]
        for seed, future in playing:
            life = future.result()
            row.add(Seen(life.problems, life.points, life.met))
            if life.problems:
                row.fell(f"kills {seed}: {kinds[seed % len(kinds)]}", life.problems)
    row.seconds = time.monotonic() - began
    return row


def kernels(seeds: Sequence[int], folder: Path) -> Row:
    """Many kernels on one state folder and one store."""
    del folder
    row = Row("kernels", tried=len(seeds), met=len(seeds))
    began = time.monotonic()
    said, row.points = opening.play(len(seeds))
    row.held = max(0, len(seeds) - len(said))
    if said:
        row.fell(f"kernels {len(seeds)}", said)
    row.seconds = time.monotonic() - began
    return row


def disks(seeds: Sequence[int], folder: Path) -> Row:
    """Disks that are filled to the brim while a training logs."""
    row = Row("disks")
    began = time.monotonic()
    why = []
    for disk in [filling.DISKS[seed] for seed in seeds]:
        try:
            with filling.mounted(disk) as mount:
                problems, figure = filling.problems_of(disk, mount)
        except (OSError, subprocess.CalledProcessError) as error:
            text = getattr(error, "stderr", "") or str(error)
            why.append(f"{disk.name}: {text.strip()}")
            continue
        full = "the disk was never full" not in problems
        row.add(Seen(problems, 2 * (filling.BEFORE + filling.AFTER), full))
        if problems:
            row.fell(f"{disk.name} ({figure})", problems)
    for line in why:
        print(f"not tried: {line}", flush=True)
    if why and not row.tried:
        row.why = "no disk could be made here"
    row.seconds = time.monotonic() - began
    return row
