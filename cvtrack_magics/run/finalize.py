"""What is known of a run only when it ends."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.paths import OUTPUT
from cvtrack_magics.capture.machine.meter import ResourceUse
from cvtrack_magics.capture.params.cell_settings import said_of, settings_of
from cvtrack_magics.records import Artifact, LoggedModel, Notice, Record, Tag
from cvtrack_magics.run import context as surroundings
from cvtrack_magics.run.checkpoint.counters import superseded_records
from cvtrack_magics.run.checkpoint.files import FOLDER, Kept
from cvtrack_magics.run.context import safely
from cvtrack_magics.run.context_collector import paths_of
from cvtrack_magics.run.model_making import params_of
from cvtrack_magics.run.outcome import PRUNED, is_pruned
from cvtrack_magics.run.summary_metrics import best_records

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

GATHERED = 10.0  # seconds that a run's end waits for what is gathered beside it
TOLD, TOLD_HURRIED = 2.0, 0.5  # seconds that it waits for a webhook
HURRIED = 3.0  # the same where the process ends


def last_facts(
    scope: RunScope, use: ResourceUse, ended: int, error: BaseException | None
) -> list[Record]:
    """Return the last records of a run, with notices among them.

    Waits for what is still gathered in the background: the surroundings, and predictions.

    Parameters
    ----------
    scope : RunScope
        The run.
    use : ResourceUse
        What it used.
    ended : int
        Unix milliseconds.
    error : BaseException, optional
        What ended it.
    """
    session, control = scope.session, scope.control
    patience = HURRIED if session.process.ending else GATHERED
    last = safely(
        "the surroundings",
        lambda: scope.not_said_otherwise(scope.gathering.finish(patience)),
    )
    last += safely("predictions", lambda: scope.albums.finish(hurry=session.process.ending))
    last += safely("the last checkpoint", lambda: _checkpoints(scope))
    last += safely("what the cell printed", lambda: _printed(scope))
    last += safely("settings in the cell's names", lambda: _settings(scope))
    last += safely("the last points of the plot", lambda: _last_points(scope))
    last += safely("what the run used", lambda: _resources(scope, use, ended))
    last += safely("the best values", lambda: _best(scope, use, ended))
    last += safely("figures", lambda: surroundings.figure_records(scope.cells.figures))
    last += safely("the output", lambda: _output(scope))
    last += scope.gathering.late(paths_of([*scope.recorded, *last]))
    if scope.channel.lost:
        last.append(Notice(f"{scope.channel.lost} values could not be read from the device."))
    if control.stopped_at is not None:
        last.append(Tag("stopped_at_step", str(control.stopped_at)))
        last.append(Notice(f"Stopped by the button at step {control.stopped_at}."))
    if error is not None and is_pruned(error):
        last.append(Tag(PRUNED, "true"))
    elif error is not None:
        last += safely("the error", lambda: surroundings.error_records(error))
    return last


def _printed(scope: RunScope) -> list[Record]:
    scope.cells.printed.read(last=True)
    return [*scope.cells.printed.said()]


def _checkpoints(scope: RunScope) -> list[Record]:
    """Return the checkpoints that are kept, as files of the run, if there is time."""
    if scope.checkpoint is None:
        return []
    hurry = scope.session.process.ending
    kept = scope.checkpoint.finish(HURRIED if hurry else GATHERED)
    if hurry:
        return superseded_records(scope)
    files = [record for one in kept if one.step for record in _kept(scope, one)]
    return [*superseded_records(scope), *files]


def _kept(scope: RunScope, one: Kept) -> list[Record]:
    """Return a checkpoint as a file of the run; MLflow 3 lists it as a model of its step."""
    from cvtrack_magics.store.logged_models import are_known

    if not are_known():
        return [Artifact(f"{FOLDER}/{one.path.name}", source=one.path)]
    folder = f"{FOLDER}/{one.path.stem}"
    # a run that goes on may keep the same step once more
    key = hashlib.sha256(f"{scope.key} {folder}".encode()).hexdigest()[:32]
    model = LoggedModel(key, folder, "READY", "checkpoint", one.step, params=params_of(scope))
    return [model, Artifact(f"{folder}/{one.path.name}", source=one.path)]


def _settings(scope: RunScope) -> list[Record]:
    if not scope.spec.auto or not scope.cell.source or scope.says_params:
        return []
    host = scope.session.host
    found = settings_of(scope.cell.source, host.names(), host.sources())
    return [*scope.not_said_otherwise(found), *said_of(found)]


def _last_points(scope: RunScope) -> list[Record]:
    scope.session.pump.close(scope.channel)
    scope.channel.names.take_up()
    said = scope.alerts.finish(TOLD_HURRIED if scope.session.process.ending else TOLD)
    return [Notice(said)] if said else []


def _resources(scope: RunScope, use: ResourceUse, ended: int) -> list[Record]:
    if scope.spec.elsewhere:
        return []
    return [*surroundings.resource_records(scope.stretch.total(use), ended)]


def _best(scope: RunScope, use: ResourceUse, ended: int) -> list[Record]:
    own = scope.channel.history.series
    whole = scope.stretch.curves(own, HURRIED if scope.session.process.ending else GATHERED)
    if whole is None:
        return [Notice("Not recorded: best values, for the earlier curves could not be read.")]
    return [*best_records(whole, scope.stretch.total(use).wall_s, ended, own)]


def _output(scope: RunScope) -> list[Record]:
    text = scope.cells.tee.text() if scope.spec.output else ""
    return [Artifact(OUTPUT, text)] if text.strip() else []
