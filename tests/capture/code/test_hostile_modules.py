"""A module of the user's may hold anything: what is looked at is asked nothing that it answers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.capture.code.bindings import bindings, rebound
from cvtrack_magics.capture.code.stale import stale_records
from cvtrack_magics.records import Artifact
from cvtrack_magics.run import context

HOSTILE = """
import sys

def fails(*_):
    raise KeyError("asked")

def exits(*_):
    sys.exit(0)

class Meta(type):
    __dict__ = __name__ = __mro__ = __bases__ = property(exits)
    __eq__ = __hash__ = exits

Meta.__module__ = property(exits)

class NoClass(metaclass=Meta):
    def method(self):
        return 1

class Fails:
    __getattribute__ = __eq__ = __hash__ = __len__ = __bool__ = __repr__ = __iter__ = fails

class Exits:
    __getattribute__ = __eq__ = __hash__ = __len__ = __bool__ = __repr__ = __iter__ = exits

class Proxy:
    __class__ = property(fails)

one, two, three = Fails(), Exits(), Proxy()

def loss():
    return {number}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "hostile_module.py").write_text(HOSTILE.replace("{number}", "1"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("hostile_module")
    sys.modules.pop("hostile_module", None)


def test_what_a_module_holds_is_not_asked_what_it_is(module: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile_module.py"
    text = path.read_bytes()
    before = bindings(module)
    assert {"fails", "exits", "loss", "Fails"} <= before.keys()
    assert rebound(module, before, text) == {}
    module.loss = module.fails
    assert rebound(module, before, text).keys() == {"loss"}
    for number in ("1", "2"):
        path.write_text(HOSTILE.replace("{number}", number))
        stale_records([path], {"hostile_module": module})


def test_git_is_recorded_whatever_is_wrong_with_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        sys.exit(0)

    monkeypatch.setattr(context, "git_records", lambda _: [Artifact("git", b"kept")])
    monkeypatch.setattr(context, "stale_records", broken)
    kept = context.repository_records("", [])
    assert Artifact("git", b"kept") in kept
