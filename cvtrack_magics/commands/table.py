"""Which commands there are: each is a module of this package with a function of its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtrack_magics.commands.definition import Command

PACKAGE = __name__.rpartition(".")[0]


class Commands(Mapping[str, "Command"]):
    """The commands by name, each imported when it is first asked for."""

    def __init__(self) -> None:
        self._names = tuple(sorted(path.stem for path in Path(__file__).parent.glob("ml*.py")))

    def __getitem__(self, name: str) -> Command:
        if name not in self._names:
            raise KeyError(name)
        import_module(f"{PACKAGE}.{name}")
        return import_module(f"{PACKAGE}.definition").COMMANDS[name]  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@cache
def commands() -> Commands:
    """Return all commands."""
    return Commands()
