"""The fault suite by class: each a module that draws schedules and plays them on real runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.classes.table import Row

NEW = {
    "damages": 60,
    "signals": 40,
    "folders": 48,
    "pages": 36,
    "lanes": 16,
    "states": 24,
    "locks": 32,
    "models": 100,
}
"""The classes that lie here, and how many schedules of each are played."""

OLD = {"company": 200, "kills": 200, "kernels": 20, "disks": 8}


@dataclass(frozen=True)
class Class:
    """A class by its name, imported when it is played."""

    name: str
    count: int

    def play(self, seeds: Sequence[int], folder: Path) -> Row:
        """Play the schedules of some seeds."""
        if self.name in OLD:
            from tests.faults.classes import standing

            found: Callable[[Sequence[int], Path], Row] = getattr(standing, self.name)
            return found(seeds, folder)
        from tests.faults.classes.table import play_class

        kind = importlib.import_module(f"{__name__}.{self.name}").KIND
        return play_class(kind, seeds, folder)


CLASSES = {name: Class(name, count) for name, count in {**OLD, **NEW}.items()}
