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
    if spec.seed is not None:
        report = session.seeding.apply(spec.seed, deterministic=spec.deterministic)
        spec = replace(spec, seeds=tuple(seed_records(report)))
    return session.open(spec, **cell)
