"""Names that private modules had before the house was cut by feature are importable."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from cvtrack_magics.moved import OldPackage, new_names

PACKAGES = {old for old in new_names() if any(o.startswith(f"{old}.") for o in new_names())}
PACKAGES |= {"capture.params"}  # a module that was, a package that is


def imported(name: str) -> ModuleType:
    return import_module(f"cvtrack_magics.{name}")


@pytest.mark.parametrize("old", sorted(set(new_names()) - PACKAGES))
def test_an_old_name_is_the_new_module(old: str) -> None:
    assert imported(old) is imported(new_names()[old])


def names_within(package: str) -> list[str]:
    """Return what the module had to give that the old package was."""
    module = imported(new_names()[package])
    return [name for name in dir(module) if not name.startswith("_")]


@pytest.mark.parametrize(
    "old", ["vision.measure", "vision.cam", "vision.figures", "capture.params"]
)
def test_an_old_package_has_the_names_it_had(old: str) -> None:
    home = imported(new_names()[old])
    own = [name for name in names_within(old) if getattr(home, name).__class__ is not ModuleType]
    assert own
    for name in own:
        assert getattr(imported(old), name) is getattr(home, name)


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"cvtrack_magics\.runs\.never"):
        imported("runs.never")
    with pytest.raises(AttributeError):
        _ = imported("vision.measure").never
    with pytest.raises(ImportError):
        exec("from cvtrack_magics.capture.params import never", {})
    assert isinstance(imported("runs"), OldPackage)


def test_ways_to_import_by_an_old_name() -> None:
    code = """
from cvtrack_magics.runs import current, said
import cvtrack_magics.runs.session as session
from cvtrack_magics.vision.measure import measure
from cvtrack_magics.vision.measure.coco import __doc__ as doc
from cvtrack_magics.capture.params import describe_params, implicit
from cvtrack_magics.capture import params
import cvtrack_magics.run.current, cvtrack_magics.run.session
assert current is cvtrack_magics.run.current and session is cvtrack_magics.run.session
assert callable(measure) and doc
print("right")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "right\n", done.stderr


def test_a_table_that_names_nothing_twice() -> None:
    assert len(set(new_names().values())) >= len(new_names()) - len(PACKAGES)
    assert not set(new_names()) & set(new_names().values()) - {"capture.params"}
