"""The front end is built when, and only when, it has to be."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

import cvtrack_magics

ROOT = Path(cvtrack_magics.__file__).parents[1]
FRONTEND = ROOT / "cvtrack_magics" / "display" / "frontend"
sys.path.insert(0, str(ROOT))
hatch_build = pytest.importorskip("hatch_build", reason="needs a source checkout and hatchling")


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    frontend = tmp_path / "frontend"
    (frontend / "plot").mkdir(parents=True)
    for name in ("package.json", "plot/main.ts"):
        (frontend / name).write_text("x")
        os.utime(frontend / name, (1000, 1000))
    bundle = tmp_path / "static" / "plot.js"
    bundle.parent.mkdir()
    return frontend, bundle


def test_without_a_bundle_it_builds(tree: tuple[Path, Path]) -> None:
    frontend, bundle = tree
    assert not hatch_build.is_fresh(bundle, frontend)


def test_a_bundle_as_new_as_its_sources_is_kept(tree: tuple[Path, Path]) -> None:
    frontend, bundle = tree
    bundle.write_text("x")
    os.utime(bundle, (1000, 1000))
    assert hatch_build.is_fresh(bundle, frontend)


@pytest.mark.parametrize("touched", ["package.json", "plot/main.ts"])
def test_a_newer_source_makes_it_build_again(tree: tuple[Path, Path], touched: str) -> None:
    frontend, bundle = tree
    bundle.write_text("x")
    os.utime(bundle, (1000, 1000))
    os.utime(frontend / touched, (2000, 2000))
    assert not hatch_build.is_fresh(bundle, frontend)


def test_installed_packages_do_not_count_as_sources(tree: tuple[Path, Path]) -> None:
    frontend, _ = tree
    (frontend / "node_modules" / "x").mkdir(parents=True)
    (frontend / "node_modules" / "x" / "new.js").write_text("x")
    assert {path.name for path in hatch_build.sources(frontend)} == {"package.json", "main.ts"}


def test_a_failed_build_says_so(tree: tuple[Path, Path]) -> None:
    frontend, bundle = tree
    with pytest.raises(RuntimeError, match="npm ci failed"):
        hatch_build.build(frontend, bundle)


def test_the_lock_file_names_no_registry_and_pins_by_content() -> None:
    packages = json.loads((FRONTEND / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")


def test_the_wheel_holds_the_bundle_and_not_its_sources(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    if not (ROOT / "cvtrack_magics/display/static/plot.js").exists():
        pytest.skip("the front end is not built here")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    assert "cvtrack_magics/display/static/plot.js" in names
    assert "cvtrack_magics/display/metric_words.json" in names
    assert not [name for name in names if "frontend" in name]
