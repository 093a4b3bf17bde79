"""Histories for the tests of what is shown."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from typing import Any

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.records import RunSummary

EPOCH = 1_700_000_000.0


def series(values: Iterable[float], steps: Iterable[int] | None = None) -> Series:
    values = array("d", values)
    return Series(
        array("q", range(len(values)) if steps is None else steps),
        values,
        array("d", (EPOCH + 0.5 * i for i in range(len(values)))),
    )


def summary(**changes: object) -> RunSummary:
    facts: dict[str, object] = {
        "name": "resnet18-baseline",
        "run_id": "1a2b3c4d5e6f",
        "experiment": "cifar10",
        "status": "FINISHED",
        "duration": 3.21,
        "store": "sqlite:///mlflow.db",
    }
    return RunSummary(**{**facts, **changes})  # type: ignore[arg-type]


def card_data(html: str) -> dict[str, Any]:
    start = html.index('class="cvtrack-data">') + len('class="cvtrack-data">')
    return json.loads(html[start : html.index("</script>", start)])
