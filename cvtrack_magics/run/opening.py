"""Opens a run as it was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cvtrack_magics.capture.params.seeds import seed_records
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.scope import RunScope
from cvtrack_magics.run.spec import RunSpec


def open_run(spec: RunSpec, **cell: Any) -> RunScope:
    """Seed when asked to, then open a run."""
    session = get_session()
    if spec.seed is None:
        return session.open(spec, **cell)
    with session.seeding.for_run(spec.seed, deterministic=spec.deterministic) as (report, hold):
        scope = session.open(replace(spec, seeds=tuple(seed_records(report))), **cell)
        scope.algorithms = hold
    return scope
