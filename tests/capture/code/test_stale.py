"""Tests for modules that were edited after their import."""

import importlib
import sys
from pathlib import Path

import pytest

from cvtrack_magics.capture.code import stale
from cvtrack_magics.records import Artifact, Notice

EDITS = [
    ("A = 'flip'\n", "A = 'mix'\n", True),
    ("A = 1\n", "A = 2\n", True),
    ("def f():\n    return 1\n", "def f():\n    return 2\n", True),
    ("def f(x):\n    return x.a\n", "def f(x):\n    return x.b\n", True),
    ("def f():\n    return [1]\n", "def f():\n    return [1, 2]\n", True),
    ("f = lambda: 1\n", "f = lambda: 2\n", True),
    ("def f():\n    return 'a'\n", "def f(:\n", True),
    ("def f():\n    return 1\n", "def f():\n    return 1\n", False),
    ("def f():\n    return 1\n", "# word\n\ndef f():\n    return 1\n", True),
    ("def f():\n    return lambda: 1\n", "def f():\n    return lambda: 2\n", True),
]


@pytest.mark.parametrize("number", range(len(EDITS)))
@pytest.mark.parametrize("reload", [False, True])
def test_what_ran_is_kept(tmp_path, monkeypatch, number, reload):
    before, after, edited = EDITS[number]
    name = f"stale_{number}_{reload}"
    path = tmp_path / f"{name}.py"
    path.write_text(before)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    stale.install()
    try:
        module = importlib.import_module(name)
        path.write_text(after)
        if reload and "(:" not in after:
            importlib.reload(module)
            edited = False
        records = stale.stale_records([path], {name: module})
    finally:
        stale.remove()
        sys.modules.pop(name, None)
    kept = [item.content for item in records if isinstance(item, Artifact)]
    assert kept == ([before] if edited else [])
    assert any(isinstance(item, Notice) for item in records) == edited


def test_a_constant_that_was_edited_before_the_extension_was_loaded_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "early_module.py"
    path.write_text("AUGMENT = 'flip'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stale.remove()
    module = importlib.import_module("early_module")
    assert not stale.rewritten(module, path)
    path.write_text("AUGMENT = 'none at all'\n")
    assert stale.rewritten(module, path)
    sys.modules.pop("early_module")
