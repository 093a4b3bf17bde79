"""What MLflow's own page says on top of a run, and which metric an experiment is about."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.best import Best, best_of
from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Call, Outcome, Record, Tag
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.card.escape import code, number, one_line, text
from cvtrack_magics.run import context as surroundings
from cvtrack_magics.run.view import SYSTEM
from cvtrack_magics.store.deferred import DESCRIBE, PRIMARY_METRIC

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

_TAGS = ("dataset", "stale", "replayable", "stopped_at_step")


def page_calls(
    scope: RunScope, last: list[Record], outcome: Outcome, error: BaseException | None
) -> list[Record]:
    """Return the calls that describe a run for MLflow's page; trials and children have none.

    What a person writes there is never overwritten: see `cvtrack_magics.store.notes`.
    """
    if scope.parent is not None or scope.above:
        return []
    curves = scope.curves()
    primary = primary_metric(curves)
    calls: list[Record] = []
    if primary:
        more = direction_of(primary) == "max"
        calls.append(Call(PRIMARY_METRIC, {"name": safe_key(primary), "more": more}))
    said = describe(scope, last, outcome, error, primary)
    calls.append(Call(DESCRIBE, {"text": scope.session.masking().text(said)}))
    return calls


def primary_metric(names: Collection[str]) -> str:
    """Return the metric that a run is about; ``""`` where its name does not tell.

    The one that an evaluation gave an interval; else the first that was measured on validation
    or test data of which more is better, else of which less is; else the first loss of training.
    """
    known = [
        name
        for name in names
        if direction_of(name) and not name.startswith((surroundings.RESOURCES, SYSTEM, "best_"))
    ]
    order = {"val": 0, "test": 1, "": 2, "train": 3}
    return min(
        known,
        key=lambda name: (
            f"{name}/ci_low" not in names,
            order[role_of(name)],
            direction_of(name) != "max",
        ),
        default="",
    )


def describe(
    scope: RunScope,
    last: list[Record],
    outcome: Outcome,
    error: BaseException | None,
    primary: str,
) -> str:
    """Return a run's description, as Markdown: what came of it, of what, and how to see more."""
    ended = f"**{outcome.capitalize()}**"
    if error is not None:
        ended += f": {text(in_one_line(error, 200), 200)}"
    figure = _figure(scope.curves(), primary)
    head = " · ".join(part for part in (ended, figure) if part)
    records = [*scope.recorded, *last]
    tags = {**scope.tags, **{r.key: r.value for r in records if isinstance(r, Tag)}}
    rows = [f"- {name}: {text(tags[name], 200)}" for name in _TAGS if tags.get(name)]
    commit = tags.get("git_commit", "")
    if commit:
        changed = ", with uncommitted changes" if tags.get("git_dirty") == "true" else ""
        rows.append(f"- code: {code(commit[:12])}{changed}")
    kept = ", ".join(surroundings.known_as(records))
    if kept:
        rows.append(f"- kept: {kept}")
    rows.append(f"- again: `%mlreplay {scope.run_id}`" if scope.run_id else "")
    return "\n".join([head, "", *filter(None, rows)]).rstrip() + "\n"


def _figure(curves: Mapping[str, Series], primary: str) -> str:
    if not primary:
        return ""
    series = curves[primary]
    best = best_of(primary, series)
    if best is None:
        return f"{code(primary)} {number(series.last)}" if math.isfinite(series.last) else ""
    return f"best {code(primary)} {number(best.value)}{_at(best)}"


def _at(best: Best) -> str:
    return f" at step {one_line(best.step)}"
