"""What a run has measured, with its inputs: a few samples, for as long as this session lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cvtrack_magics.records import Metric
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions

MOST = 16  # evaluations that are remembered, of all runs


@dataclass(frozen=True)
class Measured:
    """Predictions that were measured or logged in a run.

    Attributes
    ----------
    what : str
        Where they come from: ``%mleval test``.
    predictions : Predictions
        Of the samples whose inputs are at hand, without pictures; of all where none are.
    """

    key: str
    run_id: str
    what: str
    predictions: Predictions
    figures: tuple[Metric, ...] = ()
    """What came of it, as the run has it."""


class Remembered(Protocol):
    """What belongs to a run, by the run's key in the journal or its id in the store."""

    @property
    def key(self) -> str:
        """The run's key; empty where it is not known."""

    @property
    def run_id(self) -> str:
        """The run's id; empty where it is not known."""


class Evidence:
    """The last evaluations of the session's runs, the newest last."""

    def __init__(self) -> None:
        self._kept: list[Measured] = []

    def keep(
        self,
        target: Target | None,
        what: str,
        predictions: Predictions,
        figures: Sequence[Metric] = (),
    ) -> None:
        """Remember predictions of a run in place of earlier ones of the same origin."""
        if target is None:
            return
        key, run_id = names_of(target)
        few = replace(predictions, pixels=None)
        there = few.given.inputs if few.given is not None else {}
        few = few[[at for at, name in enumerate(few.ids) if name in there]]
        others = [m for m in self._kept if not (m.what == what and is_of(m, key, run_id))]
        self._kept = [*others, Measured(key, run_id, what, few, tuple(figures))][-MOST:]

    def of(self, target: Target) -> Iterator[Measured]:
        """Yield what is remembered of a run: the newest evaluation first, then what was logged."""
        key, run_id = names_of(target)
        mine = [one for one in reversed(self._kept) if is_of(one, key, run_id)]
        yield from sorted(mine, key=lambda one: not one.what.startswith("%mleval"))


def names_of(target: Target) -> tuple[str, str]:
    """Return a run's key in the journal and its id in the store, as far as they are known."""
    if target.scope is not None:
        return target.scope.kept.note.key, target.scope.run_id
    return "", target.run.run_id if target.run is not None else ""


def is_of(one: Remembered, key: str, run_id: str) -> bool:
    """Whether something is remembered of a run."""
    return (bool(key) and one.key == key) or (bool(run_id) and one.run_id == run_id)
