"""A journal that waits is damaged: nothing is altered, said raw, or deleted before it is sent."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.classes.common import Kind, Seen, Stage, compare
from tests.faults.classes.trainer import Training
from tests.faults.kills import until
from tests.journal.test_damage import KINDS as BYTES

WHERE = {
    "rows": "*.rows",
    "facts": "*.jsonl",
    "note": "run.json",
    "sent": "acknowledged*",
    "files": "files/**/*.*",
}
LATER = "from the first points on"
FIRST = 20  # calls before the store goes away
WHOLE_FILE = ("missing", "emptied", "fifo", "folder", "link", "grown", "again")


@dataclass(frozen=True)
class Plan:
    """What is done to which file of a dead run's journal."""

    seed: int
    harm: str
    where: str
    times: int
    end: str
    locked: str
    calls: int

    def __str__(self) -> str:
        return (
            f"damages {self.seed}: {self.harm} of {self.where} x{self.times}, after {self.calls} "
            f"calls, end {self.end}, the store away {self.locked}"
        )


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"damages {seed}")
    harms = [*(kind.__name__ for kind in BYTES), *WHOLE_FILE]
    harm = (*harms, "newer", "newer rows")[seed % (len(harms) + 2)]
    where = pick.choice(("rows", "rows", "rows", "facts", "facts", "note", "sent", "files"))
    if harm == "newer":
        where = "note"
    if harm in ("newer rows", "again"):
        where = "rows"
    return Plan(
        seed,
        harm,
        where,
        times=pick.choice((1, 1, 1, 2, 5)) if harm not in WHOLE_FILE else 1,
        end=pick.choice(("kill", "kill", "normal")),
        locked=pick.choice(("from the start", LATER)),
        calls=pick.choice((30, 90, 200, 400)),
    )


def play(plan: Plan, stage: Stage) -> Seen:
    """Train two runs, damage one's journal, and look at what becomes of both."""
    seen = Seen()
    pick = random.Random(f"harm {plan.seed}")
    killed, later = plan.end == "kill", plan.locked == LATER
    victim = Training("victim", FIRST, 0.001, later, killed, plan.calls, plan.seed)
    other = Training("neighbour", FIRST, 0.001, later, killed, 40, plan.seed + 1)
    with ExitStack() as away:
        if not later:
            away.enter_context(stage.locked())
        for training in (victim, other):
            stage.train(training)
        if later:
            for training in (victim, other):
                until(lambda name=training.name: stage.stored(name))  # type: ignore[misc]
            away.enter_context(stage.locked())
        for training in (victim, other):
            stage.go(training)
            stage.wait_acked(training, training.steps + training.more)
            process = stage.processes[training.name]
            if killed:
                process.close()
            stage.ended(process, seen)
        folder = _folder_of(stage, "victim")
        harmed = folder is not None and _harm(plan, folder, pick)
    calls = range(stage.acked(victim))
    arrived = set(stage.stored("victim"))
    seen.met = harmed and not {p for n in calls for p in victim.points(n)} <= arrived
    text = stage.synced(seen)
    status = {"KILLED"} if killed else {"FINISHED"}
    compare(stage, other, seen, status)
    untouched = folder is None or not harmed
    lost = compare(stage, victim, seen, status, whole=untouched)
    if lost and folder is not None:
        _check_kept(plan, stage, folder, text, len(lost), seen)
    _check_no_store_was_made(stage, seen)
    again = stage.synced(seen)
    if "\nsent " in f"\n{again}":
        seen.problems.append(f"one more sync sent something: {again[:300]}")
    return seen


def _folder_of(stage: Stage, name: str) -> Path | None:
    for note in stage.state.glob("journal/*/run.json"):
        if json.loads(note.read_bytes())["name"] == name:
            return note.parent
    return None


def _harm(plan: Plan, folder: Path, pick: random.Random) -> bool:
    """Damage a file; whether anything is other than before."""
    found = sorted(p for p in folder.glob(WHERE[plan.where]) if p.is_file())
    found = found or sorted(folder.glob("*.rows"))
    if not found:
        return False
    path = pick.choice(found)
    before = path.read_bytes()
    if plan.harm in WAYS:
        WAYS[plan.harm](path, pick)
        return True
    for _ in range(plan.times):
        _harm_bytes(plan.harm, path, pick)
    return path.read_bytes() != before


def _harm_bytes(harm: str, path: Path, pick: random.Random) -> None:
    kind = next(kind for kind in BYTES if kind.__name__ == harm)
    whole = path.read_bytes()
    used = bytearray(whole.rstrip(b"\0") if path.suffix == ".rows" else whole)
    if not used:
        return
    length = len(used)
    kind(used, pick)
    path.write_bytes(bytes(used) + (b"" if harm == "cut" else whole[length:]))


def _newer(path: Path, pick: random.Random) -> None:
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "format": pick.choice((4, 9, 10**9))}))


def _newer_rows(path: Path, pick: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[:8] = pick.randbytes(8)
    path.write_bytes(data)


def _link(path: Path, pick: random.Random) -> None:
    target = path.parent.parent.parent / f"moved-{pick.randrange(10**6)}"
    path.rename(target)
    path.symlink_to(target)


def _again(path: Path, pick: random.Random) -> None:
    del pick
    path.with_name(f"{path.stem[:-6]}{int(path.stem[-6:]) + 1:06d}.rows").write_bytes(
        path.read_bytes()
    )


def _in_its_place(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    def harm(path: Path, pick: random.Random) -> None:
        del pick
        path.unlink()
        make(path)

    return harm


WAYS: dict[str, Callable[[Path, random.Random], object]] = {
    "missing": lambda path, _: path.unlink(),
    "emptied": lambda path, _: path.write_bytes(b""),
    "fifo": _in_its_place(os.mkfifo),
    "folder": _in_its_place(Path.mkdir),
    "link": _link,
    "grown": lambda path, pick: path.write_bytes(path.read_bytes() + pick.randbytes(64)),
    "again": _again,
    "newer": _newer,
    "newer rows": _newer_rows,
}


def _check_kept(plan: Plan, stage: Stage, folder: Path, text: str, lost: int, seen: Seen) -> None:
    """What did not arrive is kept and named; of a file that is gone there may be no trace."""
    kept = [root for root in ("journal", "damaged") if (stage.state / root / folder.name).exists()]
    gone = plan.where == "rows" and plan.harm in ("missing", "emptied", "cut")
    if not kept and not (gone and plan.end == "kill"):
        seen.problems.append(f"victim: {lost} points did not arrive, and their journal is gone")
    if kept and folder.name not in text and "damaged" not in text:
        seen.problems.append(f"victim: {lost} points are kept and not named: {text[-400:]}")


def _check_no_store_was_made(stage: Stage, seen: Seen) -> None:
    stores = [path.name for path in stage.folder.rglob("*.db")]
    if stores != ["mlflow.db"]:
        seen.problems.append(f"a store was made: {stores}")


KIND = Kind("damages", draw, play)
