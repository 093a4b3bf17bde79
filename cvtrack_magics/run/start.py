"""How a run is opened: in the store, on disk, or as the next stretch of one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.records import Record, Tag
from cvtrack_magics.run import adapters, placing, resume
from cvtrack_magics.run.recorder import kept_because
from cvtrack_magics.run.stretch import Stretch
from cvtrack_magics.store.calls import PARENT
from cvtrack_magics.store.deferred_runs import RUN_KEY, goes_on_as
from cvtrack_magics.store.file_store import advice
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.threads import started

if TYPE_CHECKING:
    from cvtrack_magics.run.precedence import Opening
    from cvtrack_magics.run.scope import RunScope

EARLIER_WAIT = 1.0  # seconds that a resumed run waits for its earlier curves, to draw them first


def open_run(scope: RunScope, tags: dict[str, str], said: Opening, extra: Sequence[Record]) -> None:
    """Open a run wherever it can be, then record and show what is known of it.

    Parameters
    ----------
    scope : RunScope
        The run.
    tags, said, extra : as in `RunScope.open`
    """
    scope.tags.update(tags)
    scope.seeds = said.seeds
    with scope.attempt("measure what the run uses"):
        scope.meter.start()
    scope.gathering.start()
    with scope.attempt("note MLflow's settings"):
        scope.guard.begin([one.guard for one in placing.around(scope, scope.session.scopes)])
    try:
        scope.open_journal(tags)
        run = _open_somewhere(scope, tags)
    finally:
        scope.gathering.run_is_open()
    with scope.attempt("keep MLflow's active run"):
        scope.guard.hold(run)
    scope.params.update({**run.params, **scope.stretch.earlier.params})
    scope.listen(run)
    if scope.spec.auto:
        with scope.attempt("follow what is imported"):
            adapters.follow()
    records = [*scope.stretch.fit(said.records, said.own), *scope.stretch.unseeded(said.seeds)]
    scope.notices += scope.add([*records, *extra])
    if scope.stretch.resumed:
        go_on(scope, tags, said.own)
    with scope.attempt("show the run"):
        scope.view.open(run)
        draw_earlier(scope)
        for label, curves in scope.session.other_curves.behind(scope):
            scope.view.overlay(label, curves)
    if scope.spec.baseline:
        started(lambda: _find_baseline(scope), name="cvtrack-baseline")


def _open_somewhere(scope: RunScope, tags: dict[str, str]) -> OpenRun:
    """Open a run in the store; while that is away, or a parent is not there either, on disk."""
    try:
        if scope.parent and scope.parent.run and scope.parent.run.local:
            raise StoreUnavailable(f"Run {scope.parent.name!r} is on disk so far.")
        if scope.above and not scope.above.run_id:
            raise StoreUnavailable(f"Run {scope.above.name!r} is on disk so far.")
        scope.run = in_store(scope, {**scope.kept.note.tags, RUN_KEY: scope.kept.note.key})
        scope.kept.opened(scope.run, scope.stretch.number)
    except StoreUnavailable as error:
        scope.run, scope.away = on_disk(scope, tags, error)
        scope.notices.append(scope.away)
    return scope.run


def _find_baseline(scope: RunScope) -> None:
    with scope.attempt(f"draw the baseline {scope.spec.baseline!r}"):
        values = scope.session.tracking.metrics_of(scope.spec.baseline, but=scope.run_id)
        scope.view.baseline(scope.spec.baseline, values)


def in_store(scope: RunScope, tags: dict[str, str]) -> OpenRun:
    """Open a run in the store, or make the earlier one of its name go on there."""
    tracking = scope.session.tracking
    parent = scope.parent
    nested = parent is not None or scope.spec.nested
    if scope.spec.resume:
        above = scope.above.run_id if scope.above else ""
        parent_id = parent.run_id if parent else above or tags.get(PARENT, "")
        known = resume.in_store(scope.session, scope.name, parent_id, scope.notices)
        if known is not None:
            scope.stretch = Stretch(known.earlier)
            # before it is RUNNING again: whoever still sends what was left must not end it then
            with suppress(Exception):
                goes_on_as(tracking.uri, known.run_id, scope.stretch.number)
            run = tracking.resume_run(known.run_id, nested=nested)
            return run
        scope.notices.append(f"No earlier run {scope.name!r} to resume: a new one was opened.")
    entry = scope.session.detours.elsewhere(parent.run_id) if parent is not None else None
    run = tracking.open_run(scope.name, tags, nested=nested, parent=entry)
    if scope.session.tells_once(said := advice(run.uri)):
        scope.notices.append(said)
    return run


def on_disk(scope: RunScope, tags: dict[str, str], error: StoreUnavailable) -> tuple[OpenRun, str]:
    """Open a run while the store is away; return it with the line that says so."""
    away = kept_because(error, scope.name, in_memory=scope.kept.delivery.in_memory)
    if not scope.spec.resume:
        return scope.kept.open_on_disk(tags), away
    known = resume.known_here(scope)
    if known is None:
        scope.notices.append(
            f"Neither this process nor the disk knows an earlier run {scope.name!r}, and the "
            "store cannot be asked: a new one was opened."
        )
        return scope.kept.open_on_disk(tags), away
    scope.stretch = Stretch(known.earlier)
    scope.kept.delivery.change(stretch=scope.stretch.number)
    scope.tags[RUN_KEY] = known.key
    run = scope.kept.open_on_disk({**tags, RUN_KEY: known.key})
    if known.run_id:
        scope.kept.goes_on_in(known.run_id)
    scope.notices.append(
        f"Run {scope.name!r} goes on from what {known.where} knows of it, to step "
        f"{scope.stretch.last_step}; the store may know more."
    )
    return run, away


def go_on(scope: RunScope, tags: Mapping[str, str], own: frozenset[str]) -> None:
    """Fit what a resumed run records from now on to what it has."""
    stretch = scope.stretch
    written = stretch.tags({k: v for k, v in tags.items() if k != RUN_KEY}, own)
    scope.kept.digests.begin_with(stretch.earlier.tags)
    scope.add([*(Tag(*item) for item in written.items()), *resume.opening_tags(stretch.earlier)])
    scope.control.go_on_after(stretch.last_step)
    scope.albums.go_on_after(max(stretch.last_step, stretch.earlier.pictures))
    scope.go_on_after(stretch.last_of(UNSEEN), resume.marks_of(stretch.earlier.tags))
    scope.note_changes()
    scope.notices.append(
        f"This is stretch {stretch.number} of run {scope.name!r}: its code, session and "
        f"output lie under stretch-{stretch.number}/, beside the earlier ones."
    )


def draw_earlier(scope: RunScope) -> None:
    """Draw the earlier curves of a resumed run, before its own where they come soon."""

    def draw(curves: Mapping[str, Series], at_once: bool) -> None:
        if at_once:
            scope.view.refresh(curves)
        else:  # points of this stretch are drawn already
            scope.view.overlay(f"{scope.name}, earlier", curves)

    if scope.stretch.resumed:
        scope.stretch.begin_to_read(EARLIER_WAIT, draw)
