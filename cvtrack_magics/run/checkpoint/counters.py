"""The counters of ``log()`` at a checkpoint, and a run that goes back to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.paths import SUPERSEDED
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Notice, Record, Tag
from cvtrack_magics.run.checkpoint.superseded import Standing
from cvtrack_magics.run.stretch import PREFIX

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope


def counters_of(scope: RunScope) -> dict[str, Any]:
    """Return what the run would count its next points by."""
    return {
        "next": scope.channel.next_steps(),
        "before": dict(scope.stretch.earlier.steps),
        "pictures": scope.albums.counted(),
        "reached": scope.control.counting[2],
    }


def go_back(scope: RunScope, counters: Mapping[str, Any]) -> None:
    """Let a resumed run count from a checkpoint on, and know what it has from behind it.

    Parameters
    ----------
    scope : RunScope
        The run.
    counters : mapping
        What :func:`counters_of` returned; empty where the run begins anew.
    """
    steps: dict[str, int] = {**counters.get("before", {})}
    after = {name: int(step) for name, step in counters.get("next", {}).items()}
    steps.update({safe_key(name): step - 1 for name, step in after.items()})
    had = scope.stretch.earlier
    points = list(had.points())
    scope.stretch.go_back(steps)
    scope.channel.go_back(after)
    scope.control.go_back(int(counters.get("reached", -1)))
    scope.albums.go_back(counters.get("pictures", {}))
    floor = {name: step + 1 for name, step in steps.items()}
    standing = Standing(points, floor, scope.channel.all_is_new)
    if len(standing):
        scope.stretch.standing = standing
        scope.channel.look_at(standing.new)


def superseded_records(scope: RunScope) -> list[Record]:
    """Return what says, at a run's end, which of its earlier points do not count any more."""
    standing = scope.stretch.standing
    if standing is None or not (standing.changed.count or len(standing)):
        return []
    number, changed, left = scope.stretch.number, standing.changed, len(standing)
    path = f"{SUPERSEDED}/stretch-{number}.csv"
    said = []
    if changed.count:
        said.append(
            f"{changed.count:,} points of steps {changed.lowest} to {changed.highest} were logged "
            f"again with other values ({changed.first})"
        )
    if left:
        said.append(f"{left:,} points behind the checkpoint were not logged again")
    text = f"{'; '.join(said)}. The later ones count; {path} has the earlier."
    return [
        Tag(f"{PREFIX}{number}.superseded", text),
        Artifact(path, standing.table()),
        Notice(text[:1].upper() + text[1:]),
    ]
