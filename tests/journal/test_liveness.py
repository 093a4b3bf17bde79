"""Who lives is known by a lock, whatever clock and process numbers say."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.folder import RunFolder, RunNote, me
from cvtrack_magics.journal.process_times import process_clock

HOLDER = """
import os, pathlib, sys, time
from cvtrack_magics.journal import liveness
root = pathlib.Path(sys.argv[1]); root.mkdir(exist_ok=True)
name = liveness.hold(root)
liveness.show(root, ["a1"])
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        time.sleep(60); os._exit(0)
print(name, flush=True)
time.sleep(60)
"""


def hold(root: Path, children: int = 0) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root), str(children)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("children", [0, 3])
def test_a_lock_goes_with_its_process_and_not_with_its_children(
    tmp_path: Path, children: int
) -> None:
    process, name = hold(tmp_path / "journal", children)
    try:
        assert liveness.is_alive(tmp_path / "journal", name, liveness.boot_id())
        process.kill()
        process.wait()
        assert not liveness.is_alive(tmp_path / "journal", name, liveness.boot_id())
    finally:
        end_group(process)


def test_looking_at_the_own_lock_does_not_drop_it(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    name = liveness.hold(root)
    assert name == liveness.hold(root)
    look = "import pathlib, sys; from cvtrack_magics.journal import liveness as l; "
    look += "print(l.is_alive(pathlib.Path(sys.argv[1]), sys.argv[2], l.boot_id()))"
    for _ in range(3):
        assert liveness.is_alive(root, name, liveness.boot_id())
        liveness.show(root, ["a1"])
        assert liveness.held_by(root, [liveness.process_mark(os.getpid())]) is None
        seen = subprocess.run(
            [sys.executable, "-c", look, str(root), name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert seen.stdout.strip() == "True"


def test_a_lock_is_found_by_its_process_while_that_lives(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    process, name = hold(root)
    try:
        marks = [liveness.process_mark(pid) for pid in (1, process.pid)]
        assert liveness.held_by(root, marks) == tmp_path / "alive" / name
        assert liveness.shown(tmp_path / "alive" / name) == ["a1"]
        assert liveness.held_by(root, marks[:1]) is None
        process.kill()
        process.wait()
        assert liveness.held_by(root, marks) is None
    finally:
        end_group(process)


@pytest.mark.parametrize("name", ["", "f" * 32, "../../etc/passwd", "a/b"])
def test_a_lock_that_is_not_there_is_nobodys(tmp_path: Path, name: str) -> None:
    if name:
        assert not liveness.is_alive(tmp_path / "journal", name, liveness.boot_id())


def test_another_machine_lives_while_its_file_was_touched_lately(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    (tmp_path / liveness.FOLDER).mkdir()
    file = tmp_path / liveness.FOLDER / "far"
    file.touch()
    assert liveness.is_alive(root, "far", "another machine's start")
    assert not liveness.is_alive(root, "far", liveness.boot_id())
    long_ago = time.time() - 2 * liveness.SILENT
    os.utime(file, (long_ago, long_ago))
    assert not liveness.is_alive(root, "far", "another machine's start")


@pytest.mark.parametrize(
    ("host", "pid", "created"),
    [
        (me()[0], os.getpid(), 1.0),  # the clock was stepped
        (me()[0], 2**22, 1.0),  # another process namespace
        ("renamed", 2**22, 1.0),
        (me()[0], 1, 1.0),
    ],
    ids=["clock", "namespace", "host", "first process"],
)
def test_name_number_and_clock_decide_nothing_beside_the_lock(
    tmp_path: Path, host: str, pid: int, created: float
) -> None:
    root = tmp_path / "journal"
    process, name = hold(root)
    try:
        note = RunNote(
            "k" * 32, "r", "", 1, host, pid, created, owner=name, boot=liveness.boot_id()
        )
        folder = RunFolder.make(root, note)
        assert folder.alive
        process.kill()
        process.wait()
        assert not folder.alive
    finally:
        end_group(process)


DROPS = """
import os, pathlib, subprocess, sys, time
from cvtrack_magics.journal import liveness
root = pathlib.Path(sys.argv[1])
root.mkdir()
path = root.parent / liveness.FOLDER / liveness.hold(root)
liveness.show(root, ["a1"])
{how}
print(path.name, flush=True)
time.sleep(60)
"""
HOWS = {
    "reads its own file": "path.read_bytes()",
    "packs the folder": "import shutil; shutil.make_archive(str(root) + '-b', 'zip', path.parent)",
    "closes what it finds": "os.closerange(3, 200)",
}


@pytest.mark.parametrize("how", HOWS)
def test_a_process_that_dropped_its_own_lock_lives(tmp_path: Path, how: str) -> None:
    root = tmp_path / "journal"
    process = subprocess.Popen(
        [sys.executable, "-c", DROPS.format(how=HOWS[how]), str(root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    path = tmp_path / liveness.FOLDER / name
    try:
        assert liveness.is_alive(root, name, liveness.boot_id())
        os.kill(process.pid, signal.SIGSTOP)
        assert liveness.is_alive(root, name, liveness.boot_id())
        (tmp_path / liveness.FOLDER / "copy").write_bytes(path.read_bytes())
        assert liveness.is_alive(root, "copy", liveness.boot_id())
    finally:
        process.kill()
    until = time.monotonic() + 30  # it has ended, though nobody has waited for it
    while liveness.is_alive(root, name, liveness.boot_id()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not liveness.is_alive(root, name, liveness.boot_id())
    process.wait()


def test_who_got_the_number_later_is_not_the_process(tmp_path: Path) -> None:
    (tmp_path / liveness.FOLDER).mkdir()
    mark = liveness.process_mark(os.getppid())
    for name, opened in (("before", 1), ("since", process_clock())):
        text = f"at=a1={opened} a1 process={mark}"
        (tmp_path / liveness.FOLDER / name).write_text(text.ljust(4096))
    assert not liveness.is_alive(tmp_path / "journal", "before", liveness.boot_id())
    assert liveness.is_alive(tmp_path / "journal", "since", liveness.boot_id())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_run_is_claimed_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    folder = RunFolder.make(tmp_path / "journal", RunNote("k" * 32, "r", "", 1, *me()))
    other = RunFolder(folder.path, folder.note)

    def none(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(liveness, "_lockf", none)
    made = folder.path / "claim.made"
    assert other.claim()
    other.let_go()
    for mark, free in (
        (f"{liveness.process_mark(os.getppid())} {process_clock()}", False),
        (f"{liveness.process_mark(os.getppid())} 1", True),  # the number is another's since
        (f"{liveness.process_mark(2**22 + 1)} {process_clock()}", True),
        ("12/another/machine 5", False),  # just now
        ("", False),
    ):
        made.write_text(mark)
        assert other.claim() is free, mark
        other.let_go()
    made.write_text("12/another/machine 5")
    os.utime(made, (1, 1))
    assert other.claim()
    other.let_go()
