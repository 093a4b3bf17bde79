"""A state folder that is hostile, or becomes so: nothing hangs, leaks, is believed or is lost."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.classes.common import Kind, Seen, Stage, compare, is_root
from tests.faults.classes.trainer import Training
from tests.test_private import OTHER, PLANTED

SECRET = "not-to-be-seen-3f9c"


@dataclass(frozen=True)
class Plan:
    """What is done to the state folder, and whether runs are there already or open then."""

    seed: int
    case: str
    phase: str
    end: str

    def __str__(self) -> str:
        return f"folders {self.seed}: {self.case}, {self.phase}, end {self.end}"


@dataclass(frozen=True)
class Case:
    """A harm, how it is mended, and whether the run that waited is meant to be passed over."""

    harm: Callable[[Path, Path], object]
    mend: Callable[[Path, Path], object] = lambda state, run: None


def _owner(path: Path, who: int) -> None:
    os.chown(path, who, who)


def _moved(path: Path) -> Path:
    return path.with_name(f"{path.name}-moved")


def _link(path: Path) -> None:
    path.rename(_moved(path))
    path.symlink_to(_moved(path))


def _back(path: Path) -> None:
    if path.is_symlink() or path.is_file() or path.is_fifo() or path.is_socket():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    _moved(path).rename(path)


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.rename(_moved(path))
        make(path)

    return harm


def _plant(state: Path, make: Callable[[Path], object]) -> None:
    """Put something into the journal under the name of a run."""
    (state / "journal").mkdir(mode=0o700, parents=True, exist_ok=True)
    make(state / "journal" / ("e" * 32))


def _unplant(state: Path) -> None:
    path = state / "journal" / ("e" * 32)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _tree(path: Path) -> None:
    """Make a folder whose note is deep, and whose files hold themselves."""
    path.mkdir(mode=0o700)
    (path / "run.json").write_text('{"a":' * 50_000 + "1" + "}" * 50_000)
    (path / "files").symlink_to(path)


def _secret_link(path: Path) -> None:
    """Make a folder that looks as one of ours, with a link to a secret."""
    path.mkdir(mode=0o700)
    for other in path.parent.iterdir():
        if (other / "run.json").is_file() and other != path:
            text = (other / "run.json").read_text().replace(other.name, path.name)
            (path / "run.json").write_text(text)
    (path / "files").mkdir()
    (path / "files" / "secret.txt").symlink_to(path.parents[3] / "secret.txt")


def _many(path: Path) -> None:
    path.mkdir(mode=0o700)
    for number in range(2000):
        (path.parent / f"{number:032x}").mkdir(mode=0o700)


def _part(name: str, harm: Callable[[Path], None]) -> Case:
    """Harm a folder beside the journal, or the journal."""

    def do(state: Path, run: Path) -> None:
        del run
        (state / name).mkdir(mode=0o700, exist_ok=True)
        harm(state / name)

    return Case(do, lambda state, run: _back(state / name))


MODES = {
    f"{what} {said}": (what, mode)
    for what in ("state", "journal", "home")
    for said, mode in (("writable by all", 0o777), ("writable by a group", 0o770))
    if (what, mode) != ("home", 0o770)
}


def _place(what: str, state: Path) -> Path:
    return {"state": state, "journal": state / "journal", "home": state.parent}[what]


def _mode(what: str, mode: int) -> Case:
    return Case(
        lambda state, run: _place(what, state).chmod(mode),
        lambda state, run: _place(what, state).chmod(0o700),
    )


def _owned(what: str) -> Case:
    return Case(
        lambda state, run: _owner(_place(what, state), OTHER),
        lambda state, run: _owner(_place(what, state), os.geteuid()),
    )


def _in_run(harm: Callable[[Path], object]) -> Case:
    """Harm the folder of the run itself; it is as it was when that is taken back."""
    kept = "run-kept"

    def do(state: Path, run: Path) -> None:
        shutil.copytree(run, state.parent / kept)
        (run / "files").mkdir(exist_ok=True)
        harm(run)

    def mend(state: Path, run: Path) -> None:
        shutil.rmtree(state / "damaged" / run.name, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)
        if (state.parent / kept).exists():
            (state.parent / kept).rename(run)
        run.chmod(0o700)

    return Case(do, mend)


CASES: dict[str, Case] = {
    **{name: _mode(what, mode) for name, (what, mode) in MODES.items()},
    **{
        f"journal entry is {name}": Case(
            lambda state, run, make=make: _plant(state, make),  # type: ignore[misc]
            lambda state, run: _unplant(state),
        )
        for name, make in {
            "a FIFO": os.mkfifo,
            "a file": lambda p: p.write_text("x"),
            "a link to /": lambda p: p.symlink_to("/"),
            "a link to itself": lambda p: p.symlink_to(p.name),
            "a tree that holds itself": _tree,
            "one with a link to a secret": _secret_link,
            "one of two thousand": _many,
        }.items()
    },
    **{
        f"{name} is {said}": _part(name, _instead(make) if said != "a link" else _link)
        for name in ("journal", "alive", "damaged", "hashes")
        for said, make in {
            "a link": _link,
            "a FIFO": os.mkfifo,
            "a file": lambda p: p.write_text("x"),
        }.items()
    },
    **{f"the run holds {name}": _in_run(harm) for name, harm in PLANTED.items()},
}
AS_ROOT: dict[str, Case] = {
    **{f"{what} of somebody else": _owned(what) for what in ("state", "journal", "home")},
    "the run of somebody else": _in_run(lambda run: _owner(run, OTHER)),
    "a file of the run of somebody else": _in_run(lambda run: _owner(run / "run.json", OTHER)),
}


def cases() -> dict[str, Case]:
    """Return the cases that can be made here."""
    return {**CASES, **(AS_ROOT if is_root() else {})}


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"folders {seed}")
    names = list(cases())
    name = names[seed * 7 % len(names)]
    phase = pick.choice(("while a run waits", "while a run is open"))
    if "run" in name.split()[:2] or "of the run" in name:
        phase = "while a run waits"
    return Plan(seed, name, phase, pick.choice(("kill", "normal")))


def play(plan: Plan, stage: Stage) -> Seen:
    """Let a run wait or be open, make the folder hostile, train, sync, mend, sync."""
    seen = Seen()
    case = cases()[plan.case]
    (stage.folder / "secret.txt").write_text(SECRET)
    open_then = plan.phase == "while a run is open"
    waits, more = open_then or plan.end == "kill", 80 * open_then
    first = Training("first", 120, 0.002, waits=waits, more=more, seed=plan.seed)
    later = Training("later", 60, 0.002, seed=plan.seed + 1)
    with ExitStack() as away:
        away.enter_context(stage.locked())
        process = stage.train(first)
        stage.wait_acked(first, 120)
        if not open_then:
            if plan.end == "kill":
                process.close()
            stage.ended(process, seen)
        run = next(note.parent for note in stage.state.glob("journal/*/run.json"))
        seen.met = any(run.glob("*.rows"))
        case.harm(stage.state, run)
    following = stage.train(later)
    stage.ended(following, seen)
    if open_then:
        stage.go(first)
        stage.wait_acked(first, 200)
        if plan.end == "kill":
            process.close()
        stage.ended(process, seen)
    stage.synced(seen)
    with suppress(FileNotFoundError):
        case.mend(stage.state, run)
    stage.synced(seen)
    status = {"KILLED"} if plan.end == "kill" else {"FINISHED"}
    compare(stage, first, seen, {"FINISHED", "KILLED"} if open_then else status)
    compare(stage, later, seen, {"FINISHED"})
    _check_secret(stage, seen)
    return seen


def _check_secret(stage: Stage, seen: Seen) -> None:
    for path in stage.folder.rglob("*"):
        own = path.name == "secret.txt" and path.parent == stage.folder
        if own or not path.is_file() or path.is_symlink():
            continue
        if SECRET.encode() in path.read_bytes():
            seen.problems.append(f"a secret was taken along into {path}")


KIND = Kind("folders", draw, play)
