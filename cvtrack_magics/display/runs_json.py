"""The table of runs as JSON, for programs."""

from __future__ import annotations

import json
import math

from cvtrack_magics.display.runs_table import RunLine, RunsTable


def runs_json(table: RunsTable) -> str:
    """Return the runs as JSON, and of groups their means; what is not finite is text."""
    runs = [
        {"run_id": line.run_id, "depth": line.depth, **_line_json(line)} for line in table.lines
    ]
    groups = [
        {
            "value": group.value,
            "runs": group.runs,
            "metrics": {
                name: {"mean": _json(mean), "half_width": _json(half), "runs": count}
                for name, (mean, half, count) in group.metrics.items()
            },
        }
        for group in table.groups
    ]
    whole = {"format": 1, "title": table.title, "by": table.by, "runs": runs, "groups": groups}
    return json.dumps(whole, indent=1, allow_nan=False)


def _line_json(line: RunLine) -> dict[str, object]:
    return {
        "name": line.name,
        "status": line.status,
        "started": line.started,
        "duration": line.duration,
        "params": dict(line.params),
        "metrics": {name: _json(value) for name, value in line.metrics.items()},
    }


def _json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
