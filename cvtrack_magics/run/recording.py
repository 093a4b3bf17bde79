"""Where a result goes: into the open run, or into a finished one that is named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvtrack_magics.errors import StoreUnavailable, UsageProblem
from cvtrack_magics.records import Dataset, Metric, Notice, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.stretch import Earlier, Stretch
from cvtrack_magics.store.asking import asking

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.store.tracking import OpenRun

NO_RUN = "put it into the %%mlrun cell, or name a run with --run."


@dataclass(frozen=True)
class Target:
    """A run to record in: an open one, or one of the store."""

    scope: RunScope | None
    run: OpenRun | None

    @property
    def name(self) -> str:
        """The run's name."""
        if self.scope is not None:
            return self.scope.name
        return self.run.name if self.run is not None else ""

    def in_store(self) -> OpenRun | None:
        """Return the run as the store knows it, or None while it does not."""
        return self.scope.kept.in_store() if self.scope is not None else self.run

    def record(
        self,
        values: Mapping[str, float],
        files: Sequence[Record] = (),
        *,
        step: int | None = None,
        now: bool = False,
    ) -> str:
        """Record metrics and files; return where, in words, with what the store refused.

        An open run takes them as it takes everything: on disk first, and sent soon. With
        ``now`` the files are in the store when this returns, where it answers.
        """
        if self.scope is None:
            return self._into_finished(values, files, step)
        reached = max(self.scope.last_step, self.scope.channel.next_of(values))
        at = self.scope.step_of(step, reached)
        if values:
            self.scope.channel.log(dict(values), at, 1)
        lines = self._send(files) if now else self.scope.add(files)
        steps = f" at step {at}" if values else ""
        return " ".join([f"Recorded in run {self.name!r}{steps}.", *lines])

    def last_points(self, keys: Iterable[str]) -> list[Metric]:
        """Return the last point of each of some metrics that the run has."""
        if self.scope is None:
            return [] if self.run is None else _stored_points(self.run, keys)
        channel = self.scope.channel
        channel.drain()
        found = ((key, channel.history.series.get(channel.names.of(key))) for key in keys)
        return [
            Metric(key, float(one.values[-1]), int(one.steps[-1]), int(one.times[-1] * 1000))
            for key, one in found
            if one
        ]

    def dataset(self, context: str) -> tuple[str, str]:
        """Return name and digest of the data set of a context that an open run has; empty ones."""
        recorded = self.scope.recorded if self.scope is not None else ()
        found = [d for d in recorded if isinstance(d, Dataset) and d.context == context]
        return (found[-1].name, found[-1].digest) if found else ("", "")

    def _send(self, files: Sequence[Record]) -> list[str]:
        assert self.scope is not None
        run = self.scope.kept.in_store()
        files = self.scope.kept.masking.records(files)
        if run is not None:
            try:
                said = get_session().tracking.write(run, files)
            except Exception:  # the store does not answer: the disk keeps it
                return self.scope.add(files)
            self.scope.recorded += [item for item in files if not isinstance(item, Notice)]
            return _texts(said)
        return self.scope.add(files)

    def _into_finished(
        self, values: Mapping[str, float], files: Iterable[Record], step: int | None
    ) -> str:
        assert self.run is not None
        now = int(time.time() * 1000)
        at = _reached(self.run) if step is None and values else step or 0
        points: list[Record] = [Metric(key, value, at, now) for key, value in values.items()]
        masking = get_session().masking()
        with asking(f"write to run {self.name!r}"):
            said = get_session().tracking.write(self.run, [*points, *masking.records(files)])
        return " ".join([f"Recorded in run {self.name!r}.", masking.said(), *_texts(said)]).replace(
            "  ", " "
        )


def _stored_points(run: OpenRun, keys: Iterable[str]) -> list[Metric]:
    from cvtrack_magics.store.resuming import stored_so_far

    metrics = stored_so_far(run.uri, run.run_id).metrics
    return [Metric(key, *metrics[key]) for key in keys if key in metrics]


def _reached(run: OpenRun) -> int:
    """Return the step that a finished run has reached, as the store knows it."""
    from cvtrack_magics.store.resuming import stored_so_far

    try:
        metrics = stored_so_far(run.uri, run.run_id).metrics
    except Exception:  # nor will it take what is written next, and says why
        return 0
    steps = {name: step for name, (_, step, _) in metrics.items()}
    return max(0, Stretch(Earlier(steps=steps)).last_step)


def target_of(reference: str = "") -> Target | None:
    """Return the run of a reference (name, id, MODEL@ALIAS), or the open one, or None."""
    session = get_session()
    if not reference:
        return Target(session.current, None) if session.current is not None else None
    run = session.tracking.run_of(reference)
    for scope in session.scopes:
        if scope.run_id == run.run_id:
            return Target(scope, None)
    return Target(None, run)


def needed(reference: str, what: str) -> Target:
    """Return the run to record in; where there is none, say what needs it."""
    target = target_of(reference)
    if target is None:
        raise UsageProblem(f"{what} needs a run, and none is open:", NO_RUN)
    return target


def record(
    reference: str,
    values: Mapping[str, float],
    files: Sequence[Record] = (),
    *,
    step: int | None = None,
) -> str:
    """Record in the run of a reference, or in the open one; return where, in words."""
    target = target_of(reference)
    if target is None:
        return f"Not recorded, since no run is open: {NO_RUN}"
    return target.record(values, files, step=step)


def stored(target: Target, what: str) -> OpenRun:
    """Return the target as the store knows it, or raise that it is needed for something."""
    run = target.in_store()
    if run is None:
        raise StoreUnavailable(f"{what} needs the store, which does not have the run yet.")
    return run


def _texts(notices: Iterable[Notice]) -> list[str]:
    return [notice.text for notice in notices]
