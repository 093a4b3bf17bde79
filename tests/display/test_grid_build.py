"""Both bundles are built, and kept only while both are as new as their sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import cvtrack_magics

ROOT = Path(cvtrack_magics.__file__).parents[1]
sys.path.insert(0, str(ROOT))
hatch_build = pytest.importorskip("hatch_build", reason="needs a source checkout and hatchling")


@pytest.mark.parametrize(
    ("there", "builds"),
    [
        ((), 1),
        (("plot.js",), 1),
        (("grid.js", "runs.js"), 1),
        (("plot.js", "grid.js", "runs.js"), 0),
    ],
)
def test_it_builds_unless_all_are_there(
    there: tuple[str, ...], builds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frontend" / "grid").mkdir(parents=True)
    (tmp_path / "frontend" / "grid" / "main.ts").write_text("x")
    (tmp_path / "static").mkdir()
    for name in there:
        (tmp_path / "static" / name).write_text("x")
    built: list[Any] = []
    monkeypatch.setattr(hatch_build, "DISPLAY", tmp_path)
    monkeypatch.setattr(hatch_build, "build", lambda *paths: built.append(paths))
    hook = object.__new__(hatch_build.FrontendHook)
    hook.initialize("standard", {})
    assert len(built) == builds
    if built:
        assert built == [(tmp_path / "frontend", tmp_path / "static" / "plot.js")]


@pytest.mark.parametrize(("name", "most"), [("grid.js", 120_000), ("runs.js", 8_000)])
def test_what_travels_in_an_output_is_small(name: str, most: int) -> None:
    bundle = ROOT / "cvtrack_magics" / "display" / "static" / name
    if not bundle.exists():
        pytest.skip("the front end is not built here")
    assert bundle.stat().st_size < most
