"""What is known of a run only when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.capture.meter import ResourceUse
from cvtrack_magics.records import Artifact, Notice, Record, Tag
from cvtrack_magics.runs import surroundings
from cvtrack_magics.runs.ending import best_records
from cvtrack_magics.runs.gathering import paths_of

if TYPE_CHECKING:
    from cvtrack_magics.runs.scope import RunScope


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
    last = scope.not_said_otherwise(scope.gathering.finish(session.config.close_timeout))
    last += scope.albums.finish(hurry=session.process.ending)
    session.pump.close(scope.channel)
    total = scope.stretch.total(use)
    last += surroundings.resource_records(total, ended)
    whole = scope.stretch.curves(scope.channel.history.series, session.config.close_timeout)
    if whole is None:
        last.append(Notice("Not recorded: best values, for the earlier curves could not be read."))
    else:
        own = scope.channel.history.series
        last += best_records(whole, total.wall_s, ended, own)
    last += surroundings.figure_records(scope.figures)
    if scope.spec.output and scope.tee.text().strip():
        last.append(Artifact("logs/output.txt", scope.tee.text()))
    last += scope.gathering.late(paths_of([*scope.recorded, *last]))
    if scope.channel.lost:
        last.append(Notice(f"{scope.channel.lost} values could not be read from the device."))
    if control.stopped_at is not None:
        last.append(Tag("stopped_at_step", str(control.stopped_at)))
        last.append(Notice(f"Stopped by the button at step {control.stopped_at}."))
    if error is not None:
        last += surroundings.error_records(error)
    return last
