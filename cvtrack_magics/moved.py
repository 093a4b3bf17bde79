"""Old names of modules that have moved: they stay importable, and are the new modules.

Asked only after every other finder has found nothing, so that no other import waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableSequence
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = __name__.rpartition(".")[0]


@cache
def new_names() -> dict[str, str]:
    """Return where each old module is now, by its old name below the package."""
    table = Path(__file__).with_name("moved.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in table.splitlines())


class OldPackage(ModuleType):
    """Stands for a package that was: its modules are found by their old names."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 (of every package, and never filled)

    def __init__(self, name: str, home: str) -> None:
        super().__init__(name, f"Now {home}.")
        self._home = home

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self._home), name)


class _Alias(Loader):
    def __init__(self, home: str, *, package: bool) -> None:
        self._home = home
        self._package = package

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return OldPackage(spec.name, self._home) if self._package else ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if not self._package:
            sys.modules[module.__name__] = import_module(self._home)


class OldNames(MetaPathFinder):
    """Finds the modules of this package that have moved."""

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Return how an old name is imported, or None for any other name."""
        del path, target
        if not fullname.startswith(f"{ROOT}."):
            return None
        old = fullname[len(ROOT) + 1 :]
        home = new_names().get(old)
        if home is None:
            return None
        package = any(other.startswith(f"{old}.") for other in new_names())
        return ModuleSpec(fullname, _Alias(f"{ROOT}.{home}", package=package), is_package=package)


def names_of(package: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that had the names of one of its modules."""

    def attribute(name: str) -> Any:
        if name.startswith("__") or find_spec(f"{package}.{name}"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{ROOT}.{new_names()[package[len(ROOT) + 1 :]]}"), name)

    return attribute


def install() -> None:
    """Let old names be found, once in a process."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.append(OldNames())
