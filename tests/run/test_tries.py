"""What a try to send came to is told whole, and a run waits for its parent without patience."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cvtrack_magics.delivery import outbox as delivery
from cvtrack_magics.delivery.attempts import Tried
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.delivery.sender import Sender
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.folder import RunFolder, RunNote, me
from cvtrack_magics.records import End
from cvtrack_magics.store.tracking import Tracking
from tests.conftest import closed_uri

NOW = 1000.0


def note(name: str) -> RunNote:
    return RunNote(name * 32, name, closed_uri(), 1, *me())


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: NOW))


@pytest.mark.usefixtures("standing_clock")
def test_a_nested_run_follows_its_parent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "probe", lambda *_: None)
    tracking = Tracking(closed_uri(), 1.0)
    parent = Delivery(tracking, note("p"), {}, lambda: 0)
    child = Delivery(tracking, note("c"), {}, lambda: 0, parent=parent)
    for _ in range(10):
        child.try_to_advance()
        assert "nested in was not sent" in child.tried.why
        assert child.next_try == NOW + delivery.PAUSES[0]


@pytest.mark.usefixtures("standing_clock")
def test_a_store_that_is_away_is_asked_less_and_less() -> None:
    run = Delivery(Tracking(closed_uri(), 0.2), note("p"), {}, lambda: 0)
    pauses = []
    for _ in range(9):
        run.try_to_advance()
        pauses.append(run.next_try - NOW)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


ERRORS = [KeyError("x"), StoreUnavailable("It is away."), OSError(28, "No space left")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("before", [Tried(), Tried(3, 1.0, why="before", settled=True)])
def test_another_process_hears_what_was_told(error: Exception, before: Tried) -> None:
    tried = before.and_failed(error, time.monotonic() - 3.0)
    heard = Tried.heard(json.loads(json.dumps(tried.told())))
    assert heard.failed_at == pytest.approx(tried.failed_at, abs=1.0)
    assert replace(heard, failed_at=tried.failed_at) == tried
    assert heard.failed_since(time.monotonic() - 30)
    assert not heard.failed_since(time.monotonic())


def test_one_that_went_well_is_told_as_that() -> None:
    assert Tried.heard(json.loads(json.dumps(Tried().told()))) == Tried()


def test_how_long_a_server_wants_to_be_left_alone_is_told() -> None:
    tried = Tried(1, time.monotonic(), time.monotonic() + 50.0)
    heard = Tried.heard(tried.told())
    assert heard.asked_to_wait
    assert heard.not_before == pytest.approx(tried.not_before, abs=5.0)
    assert not Tried.heard(Tried(1, 1.0, time.monotonic() - 1.0).told()).asked_to_wait


def test_a_nested_run_of_a_worker_waits_for_its_parent(tmp_path: Path) -> None:
    tracking = Tracking(closed_uri(), 1.0)
    above = RunFolder.make(tmp_path, note("p"))
    below = RunFolder.make(tmp_path, replace(note("c"), parent_key="p" * 32))
    child = Delivery(tracking, below.note, {}, lambda: 0, folder=below)
    assert child._waits_for_parent
    above.change(run_id="f" * 32)
    assert not child._waits_for_parent
    assert child._parent_id() == "f" * 32
    shutil.rmtree(above.path)  # it is sent, and known by its key only
    assert not child._waits_for_parent


def test_a_script_does_not_wait_for_who_asks_to_be_left_alone() -> None:
    sender = Sender(0.1, lambda: False)
    run = Delivery(Tracking(closed_uri(), 0.2), note("p"), {}, lambda: 0)
    run.end = End("FINISHED", 1)
    run.next_try = time.monotonic() + 3600.0
    run.tried = Tried(1, time.monotonic(), time.monotonic() + 3600.0)
    sender.open(run)
    said: list[str] = []
    sender.drain(600.0, said.append)
    sender.stop()
    assert not said
