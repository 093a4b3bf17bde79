"""What tried trials are in outlasts whoever writes it, and says in one line what is wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import optuna
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal import liveness
from cvtrack_magics.run.sweep.journal import Journal, JournalProblem

LINE = {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}


def journal_in(folder: Path) -> Journal:
    file = folder / "studies.log"
    backend = optuna.storages.journal.JournalFileBackend
    return Journal(file, lambda: backend(str(file)))


def read(folder: Path) -> list[Any]:
    return list(journal_in(folder).read_logs(0))


@pytest.mark.parametrize(
    "half",
    [b"{", b'{"op_code":4,"worker', b"\0\0\0\0", b"x" * 9000, b'{"op_code":0}'],
    ids=["brace", "half", "nothing", "long", "no end"],
)
@pytest.mark.parametrize("before", [0, 1, 200])
def test_half_a_line_of_a_writer_that_died_is_cut_off(
    tmp_path: Path, half: bytes, before: int
) -> None:
    for _ in range(before):
        journal_in(tmp_path).append_logs([LINE])
    with (tmp_path / "studies.log").open("ab") as file:
        file.write(half)
    assert read(tmp_path) == [LINE] * before
    open_already = journal_in(tmp_path)
    open_already.append_logs([LINE, LINE])
    assert read(tmp_path) == [LINE] * (before + 2)
    assert list(open_already.read_logs(before)) == [LINE] * 2


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    journal_in(tmp_path).append_logs([LINE])
    size = (tmp_path / "studies.log").stat().st_size
    child = os.fork()
    if child == 0:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
        try:
            journal_in(tmp_path).append_logs([LINE])
        except JournalProblem as error:
            os._exit(7 if "cannot be used: File too large" in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert (tmp_path / "studies.log").stat().st_size == size


def test_the_lock_of_a_process_that_is_killed_goes_with_it(tmp_path: Path) -> None:
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        liveness.lock(os.open(tmp_path / "writing", os.O_RDWR | os.O_CREAT))
        os.write(told, b".")
        signal.pause()
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    journal_in(tmp_path).append_logs([LINE])
    assert read(tmp_path) == [LINE]


DAMAGES = {
    "no JSON": b"what is this\n",
    "no line of Optuna's": b"[1, 2]\n",
    "no operation": b'{"a": 1}\n',
    "bytes": b"\xff\xfe\x00\n",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_in_the_middle_is_one_line(tmp_path: Path, name: str) -> None:
    journal_in(tmp_path).append_logs([LINE])
    with (tmp_path / "studies.log").open("ab") as file:
        file.write(DAMAGES[name])
    journal_in(tmp_path).append_logs([LINE])
    with pytest.raises(UsageProblem, match=r"studies\.log is damaged") as caught:
        read(tmp_path)
    assert "Move the file away" in str(caught.value)


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "studies.log").mkdir()
    with pytest.raises(UsageProblem, match="cannot be used: Is a directory"):
        read(tmp_path)
    with pytest.raises(UsageProblem, match="cannot be used: Is a directory"):
        journal_in(tmp_path).append_logs([LINE])
