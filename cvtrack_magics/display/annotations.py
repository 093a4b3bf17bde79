"""What is drawn beside a run's own curves, and how it travels to the browser."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.display.progress import Bar, figures
from cvtrack_magics.display.text import plain

NOTE = 500
"""Characters of a note."""

_LABEL = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """A note at a step; ``time`` is Unix seconds, NaN where nobody noted it."""

    step: int
    text: str
    time: float = math.nan


Baselines = Mapping[str, Mapping[str, float]]
"""Values to beat: by label, then by metric."""


def bars_json(bars: Iterable[Bar]) -> list[dict[str, object]]:
    """Return bars as the front end reads them."""
    return [
        {
            "key": plain(bar.key)[:_LABEL],
            "desc": plain(bar.desc)[:_LABEL],
            "done": bar.done,
            "total": bar.total,
            "figures": figures(bar),
        }
        for bar in bars
    ]


def marks_json(marks: Sequence[Mark], epoch: float = 0.0) -> list[dict[str, object]]:
    """Return marks as the front end reads them, their times counted from ``epoch``."""
    return [
        {
            "step": mark.step,
            "text": plain(mark.text)[:NOTE],
            "time": round(mark.time - epoch, 2) if math.isfinite(mark.time) else None,
        }
        for mark in marks
    ]


def baselines_json(baselines: Baselines) -> list[dict[str, object]]:
    """Return values to beat as the front end reads them; what is no number is left out."""
    return [
        {
            "label": plain(label)[:_LABEL],
            "values": [[name, value] for name, value in values.items() if math.isfinite(value)],
        }
        for label, values in baselines.items()
    ]
