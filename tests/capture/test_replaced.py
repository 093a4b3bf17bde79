"""A package that is installed anew in the session: what was imported is what runs."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from cvtrack_magics import log, mlrun
from cvtrack_magics.capture.code import stale
from cvtrack_magics.capture.machine import replaced_packages as replaced
from cvtrack_magics.capture.machine.environment import environment_records
from cvtrack_magics.capture.machine.packages import PackageLine, packages, requirements_text
from cvtrack_magics.records import Artifact, Notice
from tests.store_views import artifact, runs_of

PROJECT = "cvt-fake"


def install(site: Path, version: str, source: str = "", project: str = PROJECT) -> Path:
    for old in site.glob("*.dist-info"):
        shutil.rmtree(old)
    (site / "cvt_fake.py").write_text(source or f"__version__ = {version!r}")
    info = site / f"{project.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project}\nVersion: {version}\n\n")
    now = time.time_ns()
    os.utime(site, ns=(now, now))
    importlib.invalidate_caches()
    return info


def take_in() -> ModuleType:
    time.sleep(0.01)  # a file system's clock may be behind by a tick
    try:
        return importlib.import_module("cvt_fake")
    finally:
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(replaced, "_seen", {})
    monkeypatch.setattr(replaced, "_imported", {})
    yield folder
    sys.modules.pop("cvt_fake", None)


@pytest.fixture
def hook() -> Iterator[None]:
    stale.install()
    yield
    stale.remove()


def found(project: str = PROJECT) -> PackageLine:
    return next(package for package in packages() if package.name == project)


def test_an_upgrade_that_was_seen(site: Path) -> None:
    install(site, "1.0")
    take_in()
    assert (found().version, found().on_disk) == ("1.0", "")
    install(site, "2.0")
    assert (found().version, found().on_disk) == ("1.0", "2.0")
    (line,) = (row for row in requirements_text().splitlines() if row.startswith(PROJECT))
    assert str(Requirement(line.partition("  #")[0])) == f"{PROJECT}==1.0"
    assert "2.0 was installed after its import" in line
    records = environment_records()
    said = [item.text for item in records if isinstance(item, Notice) and PROJECT in item.text]
    assert len(said) == 1
    assert "1.0 was imported before 2.0 was installed" in said[0]
    (whole,) = (i for i in records if isinstance(i, Artifact) and i.path.endswith(".json"))
    kept = json.loads(str(whole.content))
    assert kept["packages"][PROJECT] == "1.0"
    assert kept["installed after their import"] == {PROJECT: "2.0"}


@pytest.mark.usefixtures("hook")
def test_an_upgrade_that_nobody_saw(site: Path) -> None:
    install(site, "1.0")
    take_in()
    install(site, "2.0")
    assert (found().version, found().on_disk) == ("1.0", "2.0")


@pytest.mark.parametrize("length", [0.0, 2.5])
@pytest.mark.usefixtures("script")
def test_a_run_of_it(site: Path, store: str, length: float) -> None:
    install(site, "1.0")
    take_in()
    found()
    install(site, "2.0")
    with mlrun("r", output=False) as run:
        log({"a": 1.0})
        time.sleep(length)
    assert run.summary is not None
    assert sum("1.0 was imported before 2.0" in line for line in run.summary.notices) == 1
    text = artifact(store, runs_of(store)["r"], "environment/requirements.txt")
    assert f"\n{PROJECT}==1.0  # 2.0 was installed after its import\n" in text


@pytest.mark.usefixtures("hook")
def test_one_that_was_loaded_again(site: Path) -> None:
    install(site, "1.0")
    module = take_in()
    assert found().on_disk == ""
    install(site, "2.0")
    assert found().on_disk == "2.0"
    importlib.reload(module)
    assert (found().version, found().on_disk) == ("2.0", "")


OTHERS = {
    "the same": ("1.0", "", "1.0", ""),
    "a part of the version only": ("4.9.0.80", "__version__ = '4.9.0'", "4.9.0.80", ""),
    "a module that is wrong about itself": ("2.0", "__version__ = '0.9'", "2.0", ""),
    "a version that is made when asked": (
        "2.0",
        "def __getattr__(name):\n    raise SystemExit(name)",
        "2.0",
        "",
    ),
}


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("case", list(OTHERS))
def test_what_is_no_upgrade(case: str, site: Path) -> None:
    first, source, second, then = OTHERS[case]
    install(site, first, source)
    take_in()
    assert (found().version, found().on_disk) == (first, "")
    install(site, second, then)
    assert (found().version, found().on_disk) == (second, "")


UNKNOWN = {
    "a local build": ("1.0", "__version__ = '1.0+cu121'"),
    "another spelling": ("1.0.0.0", "__version__ = '1.0'"),
    "no version": ("2.0", "x = 1"),
    "a version that is none": ("2.0", "__version__ = 'newest'"),
    "a version that is no text": ("2.0", "__version__ = (1, 0)"),
}


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("case", list(UNKNOWN))
def test_what_may_be_no_upgrade(case: str, site: Path) -> None:
    second, source = UNKNOWN[case]
    install(site, "1.0", source)
    take_in()
    install(site, second)
    assert (found().version, found().on_disk) == (second, "")


def test_one_that_is_not_imported(site: Path) -> None:
    install(site, "1.0")
    assert found().version == "1.0"
    install(site, "2.0")
    assert (found().version, found().on_disk) == ("2.0", "")


def test_a_project_whose_module_has_another_name(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "1.0.0.1", "__version__ = '1.0.0'", "opencv-python")
    monkeypatch.setitem(sys.modules, "cv2", take_in())
    assert found("opencv-python").on_disk == ""
    install(site, "2.0.0.1", "", "opencv-python")
    assert (found("opencv-python").version, found("opencv-python").on_disk) == (
        "1.0.0.1",
        "2.0.0.1",
    )
