"""Which imported modules are the user's own code."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

SERVED = "cvtrack_serving_"  # how packages of the code that a kept model brings along begin
MOST_PATHS = 20_000  # whose answers are remembered
_SITE_WORDS = {"site-packages", "dist-packages"}


def user_modules(modules: Mapping[str, ModuleType] | None = None) -> list[Path]:
    """Return the source files of imported modules that the user wrote.

    Parameters
    ----------
    modules : mapping of str to module, optional
        Default ``sys.modules``.

    Returns
    -------
    list of Path
        Sorted. Not the standard library, not site-packages, not this package; an
        editable install lives outside site-packages and so counts as own.
    """
    found: set[str] = set()
    for module in list((sys.modules if modules is None else modules).values()):
        file = held_by(module).get("__file__")
        if not isinstance(file, str) or not file.endswith((".py", ".ipynb")):
            continue
        path = file if _is_plain(file) else os.path.abspath(file)
        if path in found or is_foreign(path):
            continue
        if os.path.isfile(path):
            found.add(path)
    return [Path(path) for path in sorted(found)]


def held_by(module: ModuleType) -> Mapping[str, Any]:
    """Return a module's names, past its own access, which in a lazy one starts the import."""
    try:
        found: dict[str, Any] = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return found


@functools.lru_cache(MOST_PATHS)
def _is_plain(file: str) -> bool:
    """Say whether a path is absolute and nothing of it can be left out, wherever one works."""
    return os.path.isabs(file) and os.path.normpath(file) == file


@functools.lru_cache(MOST_PATHS)  # asked for each imported module, of thousands, in each run
def is_foreign(path: str) -> bool:
    """Say whether a source file is of Python, of an installed package or of this one.

    That of a kept model is a copy of this one's.
    """
    if path.startswith(_foreign_prefixes()) or path.startswith("<frozen"):
        return True
    return _in_site(path) or any(part.startswith(SERVED) for part in path.split(os.sep))


def _in_site(path: str) -> bool:
    return not _SITE_WORDS.isdisjoint(path.split(os.sep))


@functools.cache
def _foreign_prefixes() -> tuple[str, ...]:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "scripts")}
    places.update(site.getsitepackages())
    places.add(site.getusersitepackages())
    places.add(str(Path(__file__).resolve().parents[2]))
    real = {os.path.realpath(place) for place in places if place}
    return tuple(f"{place.rstrip(os.sep)}{os.sep}" for place in {*places, *real} if place)


def import_root(path: Path) -> Path:
    """Return the folder a module is imported from: the first without ``__init__.py``."""
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.parent != folder:
        folder = folder.parent
    return folder
