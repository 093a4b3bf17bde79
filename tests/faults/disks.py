"""Disks that are filled to the brim while a training logs: ``python -m tests.faults.disks``.

Each kind of disk is an image on a loop device, or memory, so this needs root, Linux and the
tools that make file systems; a line names what cannot be made. A child logs into a journal
there, the disk is filled, and the child goes on. It must end by itself, and read in the end
all that it logged; what another process reads on the disk must be what was logged, with
every row that was there before the child was told that there is no room.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.stored import stream_files

ROOT = Path(__file__).parents[2]
BEFORE, AFTER = 2_000, 40_000  # calls of log() before the disk is filled, and after
SYNC = 4_000  # calls after which pages are written back: the next to write to one asks for room

CHILD = f"""
import os, sys, json
from pathlib import Path
from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.delivery.channel import Channel
told, calls = [], 0
channel = Channel(Path(sys.argv[1]), lambda error: told.append(calls))
def log(step):
    global calls
    if not channel.main.write({{"x": float(step), "y": -1.0}}, step):
        channel.log({{"x": float(step), "y": -1.0}}, step, 1)
    calls += 1
for step in range({BEFORE}):
    log(step)
os.sync()
print("ready", flush=True)
input()
for step in range({BEFORE}, {BEFORE + AFTER}):
    log(step)
    if step % {SYNC} == 0:
        os.sync()
steps = [step for rows in Cursor(channel.main).read() for step in rows.steps.tolist()]
print(json.dumps({{"read": steps == list(range(calls)), "told": told[:1]}}), flush=True)
"""


@dataclass(frozen=True)
class Disk:
    """A kind of disk, and what is done to the journal there before the disk is full.

    ``share`` is a command that lets the journal's blocks be another file's too; ``{0}`` is
    where the disk is mounted.
    """

    name: str
    system: str
    options: str = "loop"
    share: str = ""
    megabytes: int = 128


DISKS = (
    Disk("tmpfs", "tmpfs", "size=16m"),
    Disk("ext4", "ext4"),
    Disk("xfs", "xfs", megabytes=320),
    Disk("xfs, copied", "xfs", share="cp -r --reflink=always {0}/journal {0}/c", megabytes=320),
    Disk("btrfs", "btrfs"),
    Disk("btrfs, snapshot", "btrfs", share="btrfs subvolume snapshot -r {0} {0}/s"),
    Disk("btrfs, compressed", "btrfs", "loop,compress=zstd"),
    Disk("overlay on btrfs", "overlay"),
)


@contextmanager
def mounted(disk: Disk) -> Iterator[Path]:
    """Make a disk, and let go of it; raises what a command that fails raises."""
    with tempfile.TemporaryDirectory(prefix="cvtrack-disks-") as name:
        folder = Path(name)
        mount, image = folder / "mount", folder / "image"
        mount.mkdir()
        if disk.system == "overlay":
            with mounted(Disk("below", "btrfs")) as below:
                for layer in ("upper", "work", "lower"):
                    (below / layer).mkdir()
                options = f"lowerdir={below}/lower,upperdir={below}/upper,workdir={below}/work"
                with _mount("overlay", "overlay", options, mount):
                    yield mount
            return
        if disk.system != "tmpfs":
            with open(image, "wb") as file:
                file.truncate(disk.megabytes << 20)
            _do(f"mkfs.{disk.system}", str(image))
        with _mount(disk.system, str(image), disk.options, mount):
            yield mount


@contextmanager
def _mount(system: str, what: str, options: str, where: Path) -> Iterator[None]:
    _do("mount", "-t", system, "-o", options, what, str(where))
    try:
        yield
    finally:
        _do("umount", str(where))


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def fill(folder: Path) -> None:
    """Write until nothing more goes onto a disk, in large pieces first, then in small ones."""
    for size in (1 << 20, 4096, 512):
        with suppress(OSError), open(folder / f"full-{size}", "wb", buffering=0) as file:
            while True:
                file.write(os.urandom(size))
        os.sync()


def steps_on_disk(journal: Path) -> tuple[list[int], list[str]]:
    """Return what another process reads, and what it calls damage."""
    steps, damage = [], []
    for files in stream_files(journal).values():
        stream = StoredStream(files)
        for rows in Cursor(stream).read():
            steps += rows.steps.tolist()
        damage += [str(one) for one in stream.damage.values()]
    return steps, damage


def problems_of(disk: Disk, mount: Path) -> tuple[list[str], str]:
    """Play one disk; return what went wrong, and a figure."""
    journal = mount / "journal"
    journal.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(journal)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            return ["the child did not begin"], ""
        if disk.share:
            _do(*disk.share.format(mount).split())
        fill(mount)
        said, _ = child.communicate("\n", timeout=300)
    finally:
        child.kill()
        child.wait()
    steps, damage = steps_on_disk(journal)
    if child.returncode != 0:
        return [f"the child ended with {child.returncode}"], f"{len(steps)} rows on disk"
    seen = json.loads(said)
    told = seen["told"][0] if seen["told"] else BEFORE + AFTER
    doubled = [step for step, count in Counter(steps).items() if count > 1]
    wrong = {
        "the child did not read what it logged": not seen["read"],
        "rows from before it was told are not on disk": not set(range(told)) <= set(steps),
        f"{len(doubled)} rows are doubled": bool(doubled),
        f"damage: {damage}": bool(damage),
        "the disk was never full": not seen["told"],
    }
    return [text for text, so in wrong.items() if so], f"{len(steps)} rows on disk, told at {told}"


def main(words: list[str]) -> int:
    """Play the disks that were asked for, or all; 1 when one of them went wrong."""
    bad = 0
    for disk in [one for one in DISKS if not words or one.name in words]:
        began = time.monotonic()
        try:
            with mounted(disk) as mount:
                problems, figure = problems_of(disk, mount)
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", "") or str(error)
            print(f"{disk.name}: cannot be played here ({why.strip()})", flush=True)
            continue
        bad += bool(problems)
        verdict = "WRONG: " + "; ".join(problems) if problems else "right"
        print(f"{disk.name}: {verdict} ({figure}; {time.monotonic() - began:.0f} s)", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
