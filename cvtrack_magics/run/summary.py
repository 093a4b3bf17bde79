"""What is said of a run that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Kept, Outcome, RunSummary
from cvtrack_magics.run import context as surroundings
from cvtrack_magics.run.summary_metrics import is_summary
from cvtrack_magics.run.view import SYSTEM
from cvtrack_magics.text import is_a, kind_of, text_of

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope


def summary_of(
    scope: RunScope, outcome: Outcome, duration: float, error: BaseException | None
) -> RunSummary:
    """Gather what the card says; what only the store knows is read back from there."""
    metrics = {name: series.last for name, series in scope.curves().items()}
    experiment = place = url = ""
    if scope.run is not None:
        experiment, place = scope.run.experiment, scope.session.tracking.place
        stored = scope.kept.in_store()
        url = stored.url if stored else ""
        if stored is not None and scope.kept.delivery.done:
            experiment = stored.experiment
            try:
                shown = {safe_key(key) for key in metrics}
                there = scope.session.tracking.last_metrics(stored)
                metrics.update({k: v for k, v in there.items() if k not in shown})
            except Exception as problem:
                scope.notices.append(f"The run could not be read back: {problem}")
    return RunSummary(
        name=scope.run.name if scope.run else scope.name,
        run_id=scope.run_id,
        experiment=experiment,
        status=outcome,
        duration=duration,
        store=place,
        url=url,
        kept=_kept(scope),
        parent=scope.parent.name if scope.parent else "",
        error=_one_line(error),
        metrics={
            key: value
            for key, value in metrics.items()
            if not key.startswith((surroundings.RESOURCES, SYSTEM)) and not is_summary(key)
        },
        params=len(set(scope.params) - scope.gathering.machine_params),
        recorded=_recorded(scope) if scope.run else (),
        notices=tuple(scope.notices),
        children=tuple(scope.ended_children),
    )


def _kept(scope: RunScope) -> Kept:
    if scope.run is None:
        return ""
    return "in memory only" if scope.kept.delivery.in_memory else "on disk"


def least_summary(scope: RunScope, outcome: Outcome, error: BaseException | None) -> RunSummary:
    """Return what can be said of a run whatever is broken around it."""
    return RunSummary(
        name=scope.name,
        run_id=scope.run_id if hasattr(scope, "kept") else "",
        experiment="",
        status=outcome,
        duration=0.0,
        store="",
        kept=_kept(scope),
        error=_one_line(error),
        notices=tuple(scope.notices),
    )


def _recorded(scope: RunScope) -> tuple[str, ...]:
    said = surroundings.known_as(scope.recorded)
    if scope.children:
        said += (f"{scope.children} child run{'s' if scope.children > 1 else ''}",)
    return said


def _one_line(error: Any) -> str:
    if error is None:
        return ""
    text = text_of(error.problem if is_a(error, CvtrackError) else error)
    first = text.strip().split("\n", 1)[0]
    return f"{kind_of(error)}: {first}" if first else kind_of(error)
