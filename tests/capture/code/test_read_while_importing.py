"""What is asked of modules by one thread while another imports: an answer, and no error."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

import pytest

from cvtrack_magics.capture.code import stale
from cvtrack_magics.run import context
from cvtrack_magics.run.current import get_session

COUNT = 1500
ASKED: dict[str, Callable[[], Any]] = {
    "loose modules": stale.loose_modules,
    "own modules": context.own_modules,
    "what changed": lambda: stale.stale_records([], dict(sys.modules)),
}


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Thread]:
    """A thread that imports many small modules, as ``import torch`` does."""
    names = [f"small_{at}" for at in range(COUNT)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(stale, "_executed", WeakValueDictionary(stale._executed))
    monkeypatch.setattr(stale, "_texts", dict(stale._texts))
    stale.install()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    importing = threading.Thread(target=lambda: [importlib.import_module(name) for name in names])
    yield importing
    importing.join()
    sys.setswitchinterval(interval)
    stale.remove()
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("what", ASKED)
def test_modules_are_told_while_others_are_imported(what: str, busy: threading.Thread) -> None:
    busy.start()
    while busy.is_alive():
        ASKED[what]()
    assert "small_0" in sys.modules


@pytest.mark.usefixtures("store")
def test_a_session_sees_its_modules_while_others_are_imported(busy: threading.Thread) -> None:
    session = get_session()
    busy.start()
    while busy.is_alive():
        session.machine.own_modules()
    assert any(path.name == "small_0.py" for path in session.machine.own_modules())


def test_functions_are_compared_while_their_module_grows(tmp_path: Path) -> None:
    path = tmp_path / "growing.py"
    source = b"def f():\n    return 1\n"
    path.write_bytes(source)
    module = ModuleType("growing")
    exec(compile(source, str(path), "exec"), vars(module))
    done = threading.Event()

    def grow() -> None:
        for at in range(100_000):
            setattr(module, f"name_{at}", at)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    growing = threading.Thread(target=grow)
    growing.start()
    try:
        while not done.is_set():
            assert not stale.differs(module, source, path)
    finally:
        sys.setswitchinterval(interval)
        growing.join()
