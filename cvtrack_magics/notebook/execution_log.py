"""Remembers which cells were executed, and what each did to the notebook's names."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.code.cell_order import OWN, Saved
from cvtrack_magics.capture.code.growth import grown, marks_of, mentioned
from cvtrack_magics.capture.code.recipes import Executed
from cvtrack_magics.capture.code.steps import steps_of

LARGEST = 50_000_000
"""Bytes of a notebook's file that are read."""
_REUSED = "vscode"
"""Ids that begin so may be given to another cell when the notebook is opened again."""


@dataclass(frozen=True, slots=True)
class Before:
    """The notebook's names before a cell: which object each is, and marks of those it mentions."""

    objects: Mapping[str, int] = field(default_factory=dict)
    marks: Mapping[str, tuple[int, object]] = field(default_factory=dict)
    saved: int = 0


class ExecutionLog:
    """What was executed since the extension was loaded.

    Parameters
    ----------
    names : mapping
        The notebook's names, as they are at any time.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self.executed: list[Executed] = []
        self.before: Before | None = None
        self._saved = Saved()
        self._last: dict[str, int] | None = None

    def begin(self, source: str, notebook: str) -> None:
        """Look at the names before a cell."""
        objects = self._objects()
        outside = objects.items() - (objects if self._last is None else self._last).items()
        if outside:  # a widget or a thread has set them: no cell has
            names = frozenset(name for name, _ in outside)
            self.executed.append(Executed(f"{OWN}{len(self.executed)}", "", bound=names))
        self.before = Before(
            objects,
            marks_of(mentioned(source, self._names), self._names),
            _stamp(notebook),
        )

    def end(self, cell: Executed) -> None:
        """Keep a cell that was executed, with what it did to the names."""
        before, self.before = self.before, None
        self._last = self._objects()
        key = self.key_of(cell.key, cell.source)
        if before is None:  # it has loaded the extension
            steps = steps_of(cell.source) or ()
            touched = frozenset[str]().union(*(step.touches for step in steps))
            bound, changed, saved = touched & frozenset(self._names), frozenset[str](), 0
        else:
            bound = frozenset(n for n, _ in self._last.items() - before.objects.items())
            changed, saved = grown(before.marks, self._names), before.saved
        self.executed.append(
            Executed(
                key,
                cell.source,
                cell.number,
                cell.ok,
                cell.run,
                bound,
                changed,
                saved,
                time.time_ns(),
            )
        )

    def key_of(self, cell_id: str, source: str) -> str:
        """Return what a cell is known by: its id, or one of its own where there is none.

        An id that may have been given to another cell meanwhile is that of a cell it is like.
        """
        if not cell_id:
            return f"{OWN}{len(self.executed)}"
        same = [one for one in self.executed if one.key.partition("\n")[0] == cell_id]
        if not same or not cell_id.startswith(_REUSED) or _are_alike(same[-1].source, source):
            return same[-1].key if same else cell_id
        return f"{cell_id}\n{len(self.executed)}"

    def grown_now(self) -> frozenset[str]:
        """Return what the running cell has changed in place so far."""
        return grown(self.before.marks, self._names) if self.before else frozenset()

    def saved(self, notebook: str) -> Saved:
        """Return the notebook's file as it is now; it is read again only after it was saved."""
        stamp = _stamp(notebook)
        if stamp != self._saved.stamp:
            self._saved = _read(notebook, stamp) if stamp else Saved()
        return self._saved

    def _objects(self) -> dict[str, int]:
        """Return which object each of the names is."""
        # at once: another thread may set a name meanwhile
        return {name: id(one) for name, one in list(self._names.items()) if name[:1] != "_"}


def _are_alike(old: str, new: str) -> bool:
    return SequenceMatcher(None, old.splitlines(), new.splitlines()).ratio() >= 0.3 or (
        SequenceMatcher(None, old, new).quick_ratio() >= 0.8
    )


def _stamp(notebook: str) -> int:
    try:
        return Path(notebook).stat().st_mtime_ns if notebook.endswith(".ipynb") else 0
    except OSError:
        return 0


def _read(notebook: str, stamp: int) -> Saved:
    """Return the cells of code of a notebook's file that have ids."""
    try:
        path = Path(notebook)
        if path.stat().st_size > LARGEST:
            return Saved()
        cells = json.loads(path.read_bytes())["cells"]
        found = [
            (str(one["id"]), "".join(one["source"]))
            for one in cells
            if one["cell_type"] == "code" and one.get("id")
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Saved()
    return Saved(stamp, tuple(found))
