"""Where a run that is opened belongs: under which one, and beside which ones of other code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cvtrack_magics.delivery import lanes
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.run.spec import RunSpec

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.store import active_run as fluent
else:
    fluent = Lazy("cvtrack_magics.store.active_run")


def parent_of(
    spec: RunSpec,
    current: RunScope | None,
    scopes: Sequence[RunScope],
    above: Callable[[], object | None],
) -> RunScope | None:
    """Return the run that a new one is nested in.

    Parameters
    ----------
    spec : RunSpec
        What was said of the new one.
    current : RunScope, optional
        The innermost open run of the code that asks.
    scopes : sequence of RunScope
        All that are open.
    above : callable
        Returns the run of another process that this one was started in, or None.

    Returns
    -------
    RunScope or None
        None also where it goes under a run that this session did not open.

    Raises
    ------
    UsageProblem
        There is none to put it under, or one that it is not to be nested in.
    """
    if spec.nested:
        if current is None and above() is None and _foreign_run(scopes) is None:
            raise UsageProblem(
                f"--nested has no open run to put {spec.name!r} under.",
                "Open one with '%mlrun NAME' in a cell above, or leave out --nested.",
            )
        return current
    if current is not None and not lanes.stands_beside(scopes):
        raise UsageProblem(f"Run {current.name!r} is still open.", _ways_on(spec, current))
    return None


def _ways_on(spec: RunSpec, current: RunScope) -> str:
    if "block" not in spec.until:
        return f"Write '%%mlrun {spec.name} --nested' to put this one under it, or %mlend first."
    said = f"mlrun({spec.name!r}, nested=True) puts this one under it"
    if current.lane.thread == lanes.lane().thread:
        return f"{said}; mlend() ends it first."
    return f"{said}, which is right for threads; one beside it is opened where none is around it."


def around(scope: RunScope, scopes: Sequence[RunScope]) -> list[RunScope]:
    """Return the runs of other threads and tasks that are open beside one nested in none."""
    return [] if scope.parent else [one for one in lanes.tops(scopes) if one is not scope]


def beside(spec: RunSpec, scopes: Sequence[RunScope]) -> list[str]:
    """Say that a run of other code stays open beside one that is opened now."""
    foreign = None if scopes or spec.nested else _foreign_run(scopes)
    if foreign is None:
        return []
    name, run_id = foreign
    if spec.resume and spec.name == name:
        raise UsageProblem(
            f"Run {name!r} ({run_id[:8]}) is open already: other code opened it.",
            "Type mlflow.end_run() to end it, then resume it.",
        )
    return [
        f"MLflow run {name!r} ({run_id[:8]}), which other code left open, stays open beside "
        "this one; mlflow.end_run() in a cell of its own ends it."
    ]


def _foreign_run(scopes: Sequence[RunScope]) -> tuple[str, str] | None:
    try:
        return fluent.foreign_run(scope.run.run_id for scope in scopes if scope.run)
    except Exception:  # an MLflow that cannot even be imported shows when the run is opened
        return None
