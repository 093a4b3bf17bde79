"""A cell's run while its ranks work: what they tell becomes the run's, its buttons theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.display.progress import Bar
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run import parent_run
from cvtrack_magics.run.ranks.crew import Crew, environment_of
from cvtrack_magics.run.ranks.plan import Plan
from cvtrack_magics.run.ranks.wire import unpacked
from cvtrack_magics.run.view import SYSTEM
from cvtrack_magics.text import visible

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

SHOWN = 5  # names on the card
NAMES = "names"


class RanksOfCell:
    """The ranks of a run that is open.

    Parameters
    ----------
    scope : RunScope or None
        The run; None where it could not be opened.
    plan : Plan
        What they execute.
    namespace : mapping
        The notebook's.
    folder : str
        In which the ranks begin.
    """

    def __init__(
        self, scope: RunScope | None, plan: Plan, namespace: MutableMapping[str, Any], folder: str
    ) -> None:
        self._scope = scope
        self._plan = plan
        self._namespace = namespace
        self._bars: list[Bar] = []
        self._usage: dict[int, int] = {}
        environment = environment_of(_run_of(scope), plan.count)
        self._crew = Crew(plan, self._heard, environment, folder)
        self._takes: Mapping[str, Callable[[int, Any], None]] = {
            "records": self._take_records,
            "implied": self._take_implied,
            "bars": self._take_bars,
            "usage": self._take_usage,
            NAMES: self._take_names,
        }

    def run(self) -> None:
        """Let the ranks execute the cell; raises what the first of them failed with."""
        scope = self._scope
        if scope is None:
            self._crew.run()
            return
        scope.control.elsewhere = self
        try:
            self._crew.run()
        finally:
            scope.control.elsewhere = None
            scope.notices += self._plan.lines

    # -- what the run's plot asks and its buttons do, on other threads

    @property
    def bars(self) -> list[Bar]:
        """How far the loops of rank 0 have come."""
        return self._bars

    @property
    def offers(self) -> set[str]:
        """The actions that would be honoured now."""
        return {"stop", "mark"}

    def stop(self) -> None:
        """End the loops of all ranks before the same round; without loops, their code."""
        if self._bars:
            self._crew.tell(0, do="stop")
        else:
            self._crew.stop()

    # -- what ranks tell

    def _heard(self, rank: int, message: Mapping[str, Any]) -> None:
        for name, take in self._takes.items():
            if name in message and self._scope is not None:
                with self._scope.attempt(f"take the {name} of rank {rank}"):
                    take(rank, message[name])

    def _take_records(self, rank: int, sent: Sequence[Any]) -> None:
        del rank
        self._run.notices += self._run.add(_safe(unpacked(sent)))

    def _take_implied(self, rank: int, sent: Sequence[Any]) -> None:
        del rank
        self._run.imply(_safe(unpacked(sent)))

    def _take_bars(self, rank: int, sent: Sequence[Mapping[str, Any]]) -> None:
        del rank
        self._bars = [Bar(**one) for one in sent]

    def _take_usage(self, rank: int, used: Mapping[str, float]) -> None:
        step = self._usage[rank] = self._usage.get(rank, -1) + 1
        points = {f"{SYSTEM}node_{rank}/{name}": float(one) for name, one in used.items()}
        self._run.channel.log_at(points, step, int(time.time() * 1000))

    def _take_names(self, rank: int, sent: Mapping[str, Any]) -> None:
        del rank
        plain, left = dict(sent["plain"]), [str(name) for name in sent["left"]]
        self._namespace.update(plain)
        if plain or left:
            self._run.notices.append(_said_of(list(plain), left))

    @property
    def _run(self) -> RunScope:
        assert self._scope is not None
        return self._scope


def _safe(records: Sequence[Record]) -> list[Record]:
    return [one for one in records if not isinstance(one, Artifact) or one.source is None]


def _said_of(plain: Sequence[str], left: Sequence[str]) -> str:
    """Say which names of the ranks the notebook has now."""
    said = []
    if plain:
        said.append(f"{_listed(plain)} came back from rank 0")
    if left:
        said.append(f"{_listed(left)} stayed in the ranks, being no plain values")
    return f"{'; '.join(said)}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(visible(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def _run_of(scope: RunScope | None) -> dict[str, str]:
    """Return what says to ranks in which run they are: ours, and MLflow's own variables."""
    if scope is None:
        return {parent_run.VARIABLE: ""}
    found = {"MLFLOW_TRACKING_URI": scope.session.tracking.uri}
    if scope.run_id:
        found["MLFLOW_RUN_ID"] = scope.run_id  # what is logged by MLflow's own calls
    folder = scope.kept.delivery.folder
    if folder is not None:
        lock = parent_run.lock_shown()
        found[parent_run.VARIABLE] = f"{lock}#{folder.note.key}" if lock else ""
    return found
