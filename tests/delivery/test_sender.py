"""The end of a run is waited for as long as somebody sends it, and no longer."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.delivery import sender as sending
from cvtrack_magics.delivery.sender import Sender
from tests.store_views import runs_of


def _no_thread(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.timeout(60)  # who waits for nobody waits for ever
@pytest.mark.parametrize("opened", [False, True], ids=["nobody was told", "no thread is to be had"])
@pytest.mark.parametrize("patient", [False, True])
def test_a_run_that_nobody_sends_is_not_waited_for(
    opened: bool, patient: bool, store: str, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(0.05)
    with mlrun("a", output=False, code=False) as run:
        log(x=1.0)
        delivery = run._scope.kept.delivery
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _no_thread)
            if opened:
                sender.open(delivery)
            assert not sender.wait(delivery, math.inf, patient=patient)
    assert runs_of(store)["a"].info.status == "FINISHED"


@pytest.mark.timeout(60)
def test_a_thread_that_is_to_be_had_again_sends_what_is_waited_for(
    store: str, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.run.current import get_session

    started = sending.started
    tries: list[int] = []

    def at_the_third(*args: Any, name: str) -> threading.Thread | None:
        if name == "cvtrack-sender":
            tries.append(1)
            if len(tries) < 3:
                return None  # the system gives none
        return started(*args, name=name)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "started", at_the_third)
        with mlrun("a", output=False, code=False):
            log(x=1.0)
    assert len(tries) == 3
    assert not get_session().sender.deliveries
    assert runs_of(store)["a"].info.status == "FINISHED"
