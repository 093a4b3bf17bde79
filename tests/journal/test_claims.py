"""A stored name is one metric's, whichever process comes first."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.claims import FILE, Claims


def test_the_first_to_claim_a_name_has_it(tmp_path: Path) -> None:
    one, two = Claims(tmp_path), Claims(tmp_path)
    assert one.claim({"acc_1": "acc@1"}) == {"acc_1": "acc@1"}
    assert two.claim({"acc_1": "acc_1", "loss": "loss"}) == {"acc_1": "acc@1", "loss": "loss"}
    assert one.claim({"acc_1": "acc_1"}) == {"acc_1": "acc@1"}
    assert one.all() == two.all() == {"acc_1": "acc@1", "loss": "loss"}


@pytest.mark.parametrize(
    "left", [b'{"stored": "a_1", "na', b"\x00\xff\n", b"[1]\n", b'{"stored": 3, "name": "x"}\n']
)
def test_what_another_left_half_written_hides_no_claim(tmp_path: Path, left: bytes) -> None:
    Claims(tmp_path).claim({"a": "a"})
    with (tmp_path / FILE).open("ab") as file:
        file.write(left)
    Claims(tmp_path).claim({"b_": "b@"})
    assert Claims(tmp_path).all() == {"a": "a", "b_": "b@"}


def test_where_no_file_can_be_had_each_goes_by_what_it_knows(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert Claims(tmp_path).claim({"a_": "a@"}) == {"a_": "a@"}
    assert Claims(tmp_path / "gone").claim({"a_": "a@"}) == {"a_": "a@"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / FILE).symlink_to(other)
    assert Claims(tmp_path).claim({"a_": "a@"}) == {"a_": "a@"}
    assert other.read_text() == "theirs"


def hold(path: str, held: object, let_go: object) -> None:
    """Hold the file's lock until told."""
    handle = os.open(path, os.O_RDWR)
    liveness.lock(handle)
    held.set()  # type: ignore[attr-defined]
    let_go.wait()  # type: ignore[attr-defined]


def test_a_process_that_stopped_with_the_file_holds_up_nobody(tmp_path: Path) -> None:
    Claims(tmp_path).claim({"a_": "a@"})
    context = multiprocessing.get_context("fork")
    held, let_go = context.Event(), context.Event()
    other = context.Process(target=hold, args=(str(tmp_path / FILE), held, let_go))
    other.start()
    held.wait()
    assert Claims(tmp_path).claim({"b_": "b@"}) == {"b_": "b@"}
    let_go.set()
    other.join()


def race(folder: str, mark: str, ready: object, answers: object) -> None:
    """Claim a hundred names at the same time as others."""
    claims = Claims(Path(folder))
    ready.wait()  # type: ignore[attr-defined]
    answers.put([claims.claim({f"n{i}": f"{mark}{i}"})[f"n{i}"] for i in range(100)])  # type: ignore[attr-defined]


def test_processes_that_claim_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, answers = context.Barrier(4), context.Queue()
    racers = [
        context.Process(target=race, args=(str(tmp_path), mark, ready, answers)) for mark in "abcd"
    ]
    for racer in racers:
        racer.start()
    found = [answers.get() for _ in racers]
    for racer in racers:
        racer.join()
    assert found[0] == found[1] == found[2] == found[3]
