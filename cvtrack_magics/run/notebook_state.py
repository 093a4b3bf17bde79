"""What a run says of the state that it begins with: what is stale, what an earlier run did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from cvtrack_magics.artifacts.paths import MINIMAL
from cvtrack_magics.capture.code.cell_order import OWN, Notebook
from cvtrack_magics.capture.code.growth import is_trained
from cvtrack_magics.capture.code.minimal import minimal_script
from cvtrack_magics.capture.code.orphaned import orphaned
from cvtrack_magics.capture.code.recipes import Executed
from cvtrack_magics.capture.code.stale_state import Found, lines_of, reads_of, stale_names, tag_of
from cvtrack_magics.capture.code.steps import steps_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Notice, Record, Tag
from cvtrack_magics.run.host import CellFacts, Host

_RUN = re.compile(r"\A\s*%%ml(?:run|sweep)\b")
_WRITES = r"{0}\.(?:append|extend|add|update|insert|setdefault)\(|{0}\[[^\]\n]*\]\s*=(?!=)"


class NotebookState:
    """The notebook as a run finds it.

    Parameters
    ----------
    host : Host
        Where the run's code runs.
    cell : CellFacts
        The cell that the run is opened in.
    """

    def __init__(self, host: Host, cell: CellFacts) -> None:
        self._host = host
        self._source = cell.source
        body = Executed(host.key_of(cell), cell.source, cell.execution_count)
        self._found = Notebook(tuple(host.executed()), body)
        self._before = len(host.sources())
        self.is_cell = _RUN.match(cell.source) is not None
        self._orphaned: list[Found] = []

    def look(self) -> None:
        """Read the notebook's file and look at its optimizers, as they are at the opening."""
        if self._has_ids:
            self._found = replace(self._found, saved=self._host.saved())
        if self.is_cell:
            with suppress(Exception):  # objects may be half made
                self._orphaned = orphaned(reads_of(self._source), self._host.names())

    @property
    def _has_ids(self) -> bool:
        return any(not one.key.startswith(OWN) for one in self._found.history)

    def stale(self) -> list[Found]:
        """Return the names that the run reads and that are stale."""
        found: list[Found] = []
        if self._has_ids:  # without ids no cell is known again
            found = stale_names(self._found, [self._source, *self._later()])
        told = {name for one in found for name in one.names}
        return [
            *found,
            *(self._with_cell(one) for one in self._orphaned if one.names[0] not in told),
        ]

    def _with_cell(self, found: Found) -> Found:
        """Add which cell to run again."""
        made = (one for one in reversed(self._found.history) if found.names[0] in one.bound)
        number = next((one.number for one in made), 0)
        line = f"{found.line}; run cell [{number}] again" if number else found.line
        return replace(found, line=line)

    def stale_records(self) -> list[Record]:
        """Return what the run says of them."""
        found = self.stale()
        if not found:
            return []
        return [Tag("stale", tag_of(found)), *(Notice(f"stale: {one}") for one in lines_of(found))]

    def minimal_records(self) -> list[Record]:
        """Return the cells that the run needs, and its own, as one script."""
        if not self._source.strip():
            return []
        before = list(self._host.sources())[: self._before]
        if before and before[-1].strip() == self._source.strip():
            del before[-1]  # a cell that a program runs is in no history
        return [Artifact(MINIMAL, minimal_script(before, [self._source, *self._later()]))]

    def carried_records(self) -> list[Record]:
        """Return what the run went on with that an earlier run had changed already."""
        lines = list(self._carried()) if self.is_cell else []
        if not lines:
            return []
        return [Tag("carried_over", "; ".join(lines)), *(Notice(f"{one}.") for one in lines)]

    def _later(self) -> Sequence[str]:
        """Return the cells that a run over several cells had after its first one."""
        return () if self.is_cell else list(self._host.sources())[self._before :]

    def _carried(self) -> Iterator[str]:
        names = self._host.names()
        before = self._changed_by_runs()
        own = self._host.grown() | _added(self._source)
        for name in sorted(before.keys() & own & reads_of(self._source)):
            earlier = before[name]
            if self._is_collected(name):
                continue
            what = "trained" if is_trained(names.get(name)) else "changed"
            number = f" (cell [{earlier.number}])" if earlier.number else ""
            yield (
                f"`{name}` was {what} by run {earlier.run!r}{number} already, and this run went on "
                "from there; make it in the run's cell to begin anew"
            )

    def _changed_by_runs(self) -> dict[str, Executed]:
        """Return the names that an earlier run changed in place, and that nothing made anew."""
        found: dict[str, Executed] = {}
        for one in self._found.history:
            for name in one.bound:
                found.pop(name, None)
            for step in steps_of(one.source) or ():
                for name in step.binds:
                    found.pop(name, None)
            if one.run:
                added = _added(one.source) & (one.bound | one.grown)
                found.update(dict.fromkeys(one.grown | added, one))
        return found

    def _is_collected(self, name: str) -> bool:
        """Say whether the run only puts something into a list or dict, and reads none of it."""
        words = len(re.findall(rf"\b{re.escape(name)}\b", self._source))
        return words <= len(re.findall(_WRITES.format(rf"\b{re.escape(name)}"), self._source))


def _added(source: str) -> set[str]:
    """Return the names that a cell gives a value made from their earlier one: ``lr *= 0.1``."""
    return set[str]().union(*(step.adds for step in steps_of(source) or ()))


def refuse_stale(host: Host, cell: CellFacts) -> None:
    """Raise where a cell that is about to be a run reads stale names."""
    found: list[Found] = []
    with suppress(Exception):  # what cannot be told refuses nothing; the run says so
        state = NotebookState(host, cell)
        state.look()
        found = state.stale()
    if found:
        raise UsageProblem(
            "--strict: the cell reads what is stale, and no run was opened. "
            f"{' '.join(_capital(one) for one in lines_of(found))}",
            "Do that, or run the cell without --strict.",
        )


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]
