"""Any one file of a waiting run's folder is harmed: all arrives, or what does not is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.delivery import recovery
from cvtrack_magics.delivery.sending import GrowingRun
from cvtrack_magics.journal.claims import Claims
from cvtrack_magics.journal.folder import RunFolder, RunNote, read_journal
from cvtrack_magics.journal.points import Stream
from cvtrack_magics.journal.record_log import FactLog
from cvtrack_magics.records import Artifact, End, Param
from cvtrack_magics.store.tracking import Tracking

Point = tuple[str, int, float]
FIRST, ROWS = 20, 50


@dataclass
class Run:
    """A run that waits, and all that was acknowledged of it."""

    folder: RunFolder
    points: set[Point]
    params: dict[str, str]
    texts: dict[str, str]


def raise_it(error: OSError) -> None:
    raise error


def made(root: Path, store: str, key: str, first: int, *, ended: bool) -> Run:
    """Make a run of which a part is in the store, and the rest, to its end, on disk."""
    note = RunNote(key, key, store, 1_000, "host", 1, 1.0, "exp", tags={"a": key})
    folder = RunFolder.make(root, note)
    run = Run(folder, set(), {}, {})
    streams = {name: Stream(folder.path, name, raise_it) for name in ("main", "other")}
    log = FactLog(folder.path, raise_it)

    def record(rows: range) -> None:
        for i in rows:
            for name, stream in streams.items():
                value = i + ord(key[0]) / 1000
                stream.add((f"{name}/loss",), [value], i, 5)
                run.points.add((f"{name}/loss", i, value))
                if i % 10 == 9:
                    stream.clock_moved()  # begins another segment
            if i % 10 == 0:
                run.params[f"p{i}"] = run.texts[f"d/f{i}.txt"] = f"{key} {i}"
                log.add([Param(f"p{i}", f"{key} {i}"), Artifact(f"d/f{i}.txt", f"{key} {i}")])

    record(range(first))
    Claims(folder.path).claim({"loss": "loss"})
    assert folder.claim()
    growing = GrowingRun(Tracking(store, 3.0), folder, store)
    growing.look()
    growing.delivery.advance()
    folder.let_go()
    for name, stream in streams.items():  # as the kernel does
        for number in range(growing.delivery.sent.place(name)[0]):
            stream.segments.pop(number).drop()
    record(range(first, ROWS))
    if ended:
        ends = {name: (stream.count - 1, stream.at) for name, stream in streams.items()}
        log.add([], End("FINISHED", 2_000), ends)
    return run


def delivered(root: Path, store: str) -> str:
    """Send what waits; return all that is said of it."""
    folders, unreadable = read_journal(root)
    said = [f"{item.path.name}: {item.why}" for item in unreadable]
    others: list[Any] = []
    for delivery in recovery.claim(Tracking(store, 3.0), folders, others):
        while delivery.advance():
            pass
        assert delivery.done
        said += delivery.notices
    assert not others, "a raw error"
    return "\n".join(said)


def stored(store: str, name: str) -> tuple[set[Point], dict[str, str], dict[str, str], str]:
    """Return points, params, texts and status of a run in the store."""
    client = mlflow.MlflowClient(store)
    experiments = [item.experiment_id for item in client.search_experiments()]
    runs = client.search_runs(experiments, f"attributes.run_name = '{name}'")
    assert len(runs) == 1, "another run was made"
    run = runs[0]
    points = {
        (key, item.step, item.value)
        for key in run.data.metrics
        for item in client.get_metric_history(run.info.run_id, key)
    }
    names = [item.path for item in client.list_artifacts(run.info.run_id, "d")]
    texts = {
        path: Path(client.download_artifacts(run.info.run_id, path)).read_text() for path in names
    }
    return points, run.data.params, texts, run.info.status


def other(mine: Path, theirs: Path) -> Path:
    """Return the file of another run that has the same name, or does the same."""
    found = theirs / mine.relative_to(mine.parents[len(mine.parts) - len(theirs.parts) - 1])
    if found.is_file():
        return found
    return next(iter(sorted(theirs.rglob(f"{mine.name[:4]}*{mine.suffix}"))))


def swap(one: Path, two: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    two.rename(one)
    between.rename(two)


def cut(file: Path, theirs: Path) -> None:
    data = file.read_bytes().rstrip(b"\0")
    file.write_bytes(data[: len(data) // 2])


def sibling(file: Path) -> Path:
    """Return another file of the same run, of the same kind where there is one."""
    every = [one for one in sorted(file.parent.iterdir()) if one.is_file() and one != file]
    alike = [one for one in every if one.suffix == file.suffix]
    return (alike or every or [file.parents[2] / "000003" / "d" / "f20.txt"])[0]


def again(file: Path, theirs: Path) -> None:
    name = file.stem
    number = f"{int(name[-6:]) + 7:06d}" if name[-6:].isdigit() else "2"
    shutil.copyfile(file, file.with_name(f"{name.removesuffix(name[-6:])}{number}{file.suffix}"))


HARMS: dict[str, Callable[[Path, Path], Any]] = {
    "deleted": lambda file, _: file.unlink(),
    "emptied": lambda file, _: file.write_bytes(b""),
    "cut in half": cut,
    "another run's": lambda file, theirs: shutil.copyfile(other(file, theirs), file),
    "swapped with another run's": lambda file, theirs: swap(file, other(file, theirs)),
    "a sibling's": lambda file, _: shutil.copyfile(sibling(file), file),
    "swapped with a sibling": lambda file, _: swap(file, sibling(file)),
    "there twice": again,
    "renamed": lambda file, _: file.rename(file.with_name(f"{file.name}.old")),
    "doubled": lambda file, _: file.write_bytes(file.read_bytes() * 2),
}
FILES = (
    "run.json",
    "acknowledged.bin",
    "contents.jsonl",
    "facts.jsonl",
    "names.jsonl",
    "main-000002.rows",
    "main-000003.rows",
    "main-000004.rows",
    "other-000002.rows",
    "other-000004.rows",
    "files/000004/d/f30.txt",
)


def compare(run: Run, store: str, said: str, root: Path, status: str) -> bool:
    """Check that nothing is altered, and that what lacks is named and kept; say if all came."""
    key = run.folder.note.key
    points, params, texts, ended = stored(store, key)
    assert points <= run.points, "a point was altered"
    assert params.items() <= run.params.items()
    assert texts.items() <= run.texts.items()
    whole = (points, params, texts) == (run.points, run.params, run.texts)
    kept = [place for place in (root, root.parent / "damaged") if (place / key).exists()]
    if not whole or ended != status:
        assert kept, "what did not arrive was deleted"
        assert key in said, f"nothing is said of what lacks: {said}"
    return whole and ended == status


CASES = [(file, harm, True) for file in FILES for harm in HARMS]
CASES += [(file, harm, False) for file in FILES for harm in ("deleted", "emptied", "renamed")]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, store_template: Path) -> str:
    """One store for all, since each has runs of its own."""
    place = tmp_path_factory.mktemp("ground") / "mlflow.db"
    shutil.copyfile(store_template, place)
    return f"sqlite:///{place}"


@pytest.mark.parametrize(("file", "harm", "ended"), CASES)
def test_all_arrives_or_what_lacks_is_named(
    ground: str, tmp_path: Path, file: str, harm: str, ended: bool
) -> None:
    root = tmp_path / "state" / "journal"
    case = CASES.index((file, harm, ended))
    mine = made(root, ground, f"mine{case}", FIRST, ended=ended)
    theirs = made(root, ground, f"theirs{case}", FIRST + 10, ended=ended)
    HARMS[harm](mine.folder.path / file, theirs.folder.path)
    said = delivered(root, ground)
    status = "FINISHED" if ended else "KILLED"
    whole = compare(mine, ground, said, root, status)
    assert compare(theirs, ground, said, root, status) or harm.startswith("swapped with another")
    needless = file in ("contents.jsonl", "names.jsonl", "acknowledged.bin")
    assert whole or not needless or harm == "swapped with a sibling", said


@pytest.mark.parametrize("harm", ["deleted", "emptied", "another run's", "a sibling's"])
@pytest.mark.parametrize("file", FILES[1:])
def test_what_lacks_while_another_process_sends_is_named(
    ground: str, tmp_path: Path, file: str, harm: str
) -> None:
    root = tmp_path / "state" / "journal"
    name = f"live{FILES.index(file)}{harm[0]}{len(harm)}"
    mine = made(root, ground, name, FIRST, ended=True)
    theirs = made(root, ground, f"beside {name}", FIRST + 10, ended=True)
    HARMS[harm](mine.folder.path / file, theirs.folder.path)
    assert mine.folder.claim()
    growing = GrowingRun(Tracking(ground, 3.0), mine.folder, ground)
    growing.look()
    while growing.delivery.advance():
        pass
    mine.folder.let_go()
    said = "\n".join(growing.delivery.notices) or delivered(root, ground)
    compare(mine, ground, said, root, "FINISHED")
