"""A model that is being made in a run: begun, and brought to its end whatever comes of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import End, LoggedModel, Metric, Param
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.recorder import KeptRun
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

LONGEST = 400  # characters of a reason


@dataclass
class Making:
    """A model on its way; its status is FAILED until something else is said.

    Attributes
    ----------
    target : Target
        The run.
    record : LoggedModel
        What is known of it so far.
    """

    target: Target
    record: LoggedModel
    _begun: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _kept: KeptRun | None = field(default=None, init=False)

    def begin(self) -> None:
        """Describe it as one that is being made; what is typed wrong before that leaves none."""
        if not self._begun:
            self._begun = True
            self._kept = _begun(self.target, self.record)

    def ended(
        self,
        folder: str = "",
        *,
        holds: bool,
        tags: Mapping[str, str],
        why: str = "",
        figures: Sequence[Metric] = (),
    ) -> LoggedModel:
        """Return how it ended, to be recorded with its files.

        Parameters
        ----------
        folder : str
            Where its files are after all, if not where it was begun.
        holds : bool
            Whether what was to be proved holds.
        tags : mapping of str
            What is known of it.
        why : str
            What was not as it should be.
        figures : sequence of Metric
            What was measured of it.
        """
        from cvtrack_magics.store.logged_models import WHY_TAG

        self.begin()
        said = {**tags, **({WHY_TAG: why[:LONGEST]} if why else {})}
        self.record = replace(
            self.record,
            folder=folder or self.record.folder,
            status="READY" if holds else "FAILED",
            tags=get_session().masking().tags(said),
            metrics=tuple(figures),
        )
        self._ended = True
        return self.record

    def _failed(self, error: BaseException) -> None:
        """Say that it failed; what was ended already is as it was described."""
        if not self._begun and isinstance(error, UsageProblem):
            return
        if not self._ended:
            why = f"{type(error).__name__}: {in_one_line(error, LONGEST)}"
            record = self.ended(holds=False, tags={}, why=why)
            with suppress(Exception):  # the user's error matters more; the run's end says it too
                self.target.record({}, [record], now=True)


@contextmanager
def making(target: Target, folder: str, kind: str) -> Iterator[Making]:
    """Make a model in a run, and have it fail where the body raises.

    It begins when the body says so, at the latest with its end. A `UsageProblem` before that is
    a line that was mistyped, and no model that failed. A process that dies meanwhile leaves its
    beginning in the journal, and who sends that gives the model its end.

    Parameters
    ----------
    target : Target
        The run.
    folder : str
        Where the model's files will be among its artifacts.
    kind : str
        What sort of model it is, for a list of them.
    """
    step = target.scope.last_step if target.scope is not None else 0
    record = LoggedModel(
        uuid.uuid4().hex, folder, kind=kind, step=step, params=params_of(target.scope)
    )
    made = Making(target, record)
    try:
        yield made
    except BaseException as error:
        made._failed(error)
        raise
    finally:
        if made._kept is not None:  # what was begun has its end, or is given one
            get_session().sender.open(made._kept.delivery)


def params_of(scope: RunScope | None) -> dict[str, str]:
    """Return the params that an open run has so far, as the store will have them."""
    said = scope.params if scope is not None else {}
    short = [Param(k, v) for k, v in said.items() if len(v) <= LONGEST]
    masked = get_session().masking().records(short)
    return {safe_key(one.key): one.value for one in masked if isinstance(one, Param)}


def _begun(target: Target, record: LoggedModel) -> KeptRun | None:
    """Describe a model that begins; return the journal of its own, where its run has none."""
    from cvtrack_magics.store.logged_models import are_known

    if target.scope is not None:
        target.scope.add([record])
        return None
    if not are_known():
        return None
    session = get_session()
    kept = KeptRun(session, target.name, None, [], run=target.run)
    # nobody sends it while this process lives, for it says that the model came to nothing
    kept.end([record], End("FINISHED", int(time.time() * 1000)))
    with suppress(Exception):
        target.record({}, [record], now=True)
    return kept


def measured(record: LoggedModel, points: Sequence[Metric]) -> LoggedModel:
    """Return what says that a model was measured, and nothing of its status."""
    return replace(record, status="PENDING", tags={}, metrics=tuple(points), params={})
