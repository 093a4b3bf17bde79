"""What writes a checkpoint beside the loop, and where no thread is to be had."""

from __future__ import annotations

import threading

import pytest

from cvtrack_magics.run.checkpoint.saver import Saver


def no_thread(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_without_a_thread_it_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    told: list[str] = []
    written: list[int] = []
    saver = Saver(told.append)
    saver.save(lambda: written.append(1))
    assert written == [1]
    assert not saver.is_busy
    saver.save(lambda: written.append(1 // 0))
    assert len(told) == 1
    assert "ZeroDivisionError" in told[0]


def test_with_one_it_is_written_on_it() -> None:
    places: list[str] = []
    saver = Saver(lambda line: None)
    saver.save(lambda: places.append(threading.current_thread().name))
    assert saver.wait(30)
    assert places == ["cvtrack-checkpoint"]
