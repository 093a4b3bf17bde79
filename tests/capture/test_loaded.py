"""A module counts only when it is imported whole."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path

import pytest

from cvtrack_magics.capture.code.loaded import loaded


def test_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_way.py").write_text(
        "from cvtrack_magics.capture.code.loaded import loaded\ninside = loaded(__name__)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("half_way")
    assert module.inside is None
    assert loaded("half_way") is module
    assert loaded("math") is math
    assert loaded("no_such_module") is None
    del sys.modules["half_way"]
