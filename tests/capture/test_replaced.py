"""A package that is installed anew in the session: what was imported is what runs."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cvtrack_magics.capture.environment import environment_records
from cvtrack_magics.capture.packages import PackageLine, packages, requirements_text
from cvtrack_magics.records import Artifact, Notice


def install(site: Path, version: str, source: str, project: str = "cvt-fake") -> Path:
    for old in site.glob("*.dist-info"):
        shutil.rmtree(old)
    (site / "cvt_fake.py").write_text(source)
    info = site / f"{project.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project}\nVersion: {version}\n\n")
    importlib.invalidate_caches()
    return info


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    yield folder
    sys.modules.pop("cvt_fake", None)


def found(project: str = "cvt-fake") -> PackageLine:
    return next(package for package in packages() if package.name == project)


def test_an_upgrade_after_the_import(site: Path) -> None:
    install(site, "1.0", "__version__ = '1.0'")
    importlib.import_module("cvt_fake")
    assert (found().version, found().on_disk) == ("1.0", "")
    install(site, "2.0", "__version__ = '2.0'")
    assert (found().version, found().on_disk) == ("1.0", "2.0")
    (line,) = (row for row in requirements_text().splitlines() if row.startswith("cvt-fake"))
    assert str(Requirement(line.partition("  #")[0])) == "cvt-fake==1.0"
    assert "2.0 was installed after its import" in line
    records = environment_records()
    said = [item.text for item in records if isinstance(item, Notice) and "cvt-fake" in item.text]
    assert len(said) == 1
    assert "1.0 was imported before 2.0 was installed" in said[0]
    (whole,) = (i for i in records if isinstance(i, Artifact) and i.path.endswith(".json"))
    kept = json.loads(str(whole.content))
    assert kept["packages"]["cvt-fake"] == "1.0"
    assert kept["installed after their import"] == {"cvt-fake": "2.0"}


OTHERS = {
    "the same": ("1.0", "__version__ = '1.0'", "1.0", "__version__ = '1.0'"),
    "a module that is wrong about itself": (
        "1.0",
        "__version__ = '0.9'",
        "2.0",
        "__version__ = '0.9'",
    ),
    "a local build": ("1.0", "__version__ = '1.0+cu121'", "1.0", "x = 1"),
    "another spelling": ("1.0", "__version__ = '1.0.0'", "1.0.0.0", "x = 1"),
    "no version": ("1.0", "x = 1", "2.0", "x = 2"),
    "a version that is none": ("1.0", "__version__ = 'newest'", "2.0", "x = 2"),
    "a version that is no text": ("1.0", "__version__ = (1, 0)", "2.0", "x = 2"),
    "a version that is made when asked": (
        "1.0",
        "def __getattr__(name):\n    raise SystemExit(name)",
        "2.0",
        "x = 2",
    ),
}


@pytest.mark.parametrize("case", list(OTHERS))
def test_what_is_no_upgrade(case: str, site: Path) -> None:
    first, source, second, then = OTHERS[case]
    install(site, first, source)
    importlib.import_module("cvt_fake")
    install(site, second, then)
    assert (found().version, found().on_disk) == (second, "")


def test_one_that_is_not_imported(site: Path) -> None:
    install(site, "1.0", "__version__ = '1.0'")
    install(site, "2.0", "__version__ = '2.0'")
    assert (found().version, found().on_disk) == ("2.0", "")


def test_one_that_was_installed_before_this_process_began(site: Path) -> None:
    install(site, "1.0", "__version__ = '1.0'")
    importlib.import_module("cvt_fake")
    info = install(site, "2.0", "__version__ = '2.0'")
    os.utime(info, (1_000_000, 1_000_000))
    assert (found().version, found().on_disk) == ("2.0", "")


def test_a_project_whose_module_has_another_name(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "1.0", "__version__ = '1.0'", "opencv-python")
    monkeypatch.setitem(sys.modules, "cv2", importlib.import_module("cvt_fake"))
    install(site, "2.0", "__version__ = '2.0'", "opencv-python")
    assert (found("opencv-python").version, found("opencv-python").on_disk) == ("1.0", "2.0")
