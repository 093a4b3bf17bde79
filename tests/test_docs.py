"""The site is built strictly, holds every public name, and names only files that are there."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cvtrack_magics
from cvtrack_magics import errors

ROOT = Path(cvtrack_magics.__file__).parents[1]
PACKAGE = ROOT / "cvtrack_magics"
FILE = re.compile(r"`((?:[a-z_]+/)+[a-z_0-9]+\.(?:py|ts|md))`")
PUBLIC = [name for name in cvtrack_magics.__all__ if not name.endswith("ipython_extension")]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_documented(name: str) -> None:
    thing = getattr(cvtrack_magics, name)
    assert inspect.getdoc(thing)
    page = (ROOT / "docs" / "api.md").read_text()
    if thing.__module__ == errors.__name__:
        assert f"::: {errors.__name__}\n" in page
        assert name in str(errors.__doc__)
    else:
        assert f"::: {thing.__module__}.{name}\n" in page


def test_every_error_is_public() -> None:
    classes = {
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Exception)
    }
    assert classes <= set(cvtrack_magics.__all__)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_are_named_are_there(page: str) -> None:
    named = set(FILE.findall((ROOT / page).read_text()))
    assert len(named) > 10
    assert not [name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tutorial = (tmp_path / "tutorials" / "01_quickstart" / "index.html").read_text()
    assert 'data-cvtrack="front-end"' in tutorial
    start = (tmp_path / "index.html").read_text()
    assert "%%mlrun" in start
    assert "steps/" in start
    others = re.findall(r'<(?:script|link)[^>]*(?:src|href)="https?://[^"]*"', start)
    assert not [link for link in others if "canonical" not in link]
