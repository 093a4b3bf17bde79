"""What a comparison of runs found: facts that are shown, or written as JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

FORMAT = 1
CONFIDENCE = 0.96
"""Of the interval of the difference, two-sided. At 0.95 a bootstrap's interval called 5.3 % of
1,000 simulated equal pairs better or worse (AUROC, 200 samples); it is to be at most 5 %."""

Outcome = Literal["better", "worse", "undecided"]


_TIMED = re.compile(
    r"(^|[/_.])(fps|time|times|seconds|duration|elapsed|latency|throughput|speed|per_sec)($|[/_.])"
    r"|_(s|ms|sec|secs|hrs|mb|gb)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RunHead:
    """Which run it is."""

    run_id: str
    name: str
    experiment: str
    status: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the runs differ: a value for each run, None where it has none."""

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """What runs differ in, of one kind.

    Attributes
    ----------
    kind : str
        ``params``, ``code``, ``packages``, ``hardware``, ``seeds``, ``data``, ``config``
        or ``tags``.
    rows : tuple of Difference
        By name.
    diff : str
        A unified diff, where it is text that differs.
    notes : tuple of str
        What else is to be said.
    """

    kind: str
    rows: tuple[Difference, ...] = ()
    diff: str = ""
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.diff or self.notes)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of a run beside the first one, in one headline metric.

    Attributes
    ----------
    run, base : str
        Their ids; ``run`` is judged.
    metric : str
        With its prefix.
    outcome : {'better', 'worse', 'undecided'}
        Of ``run``.
    gain, low, high : float or None
        By how much ``run`` is better (positive whichever way is better), and the interval of
        it; None where they could not be compared.
    samples : int
        That both were measured on.
    why : str
        What it rests on, or why it is undecided.
    """

    run: str
    base: str
    metric: str
    outcome: Outcome
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first point in which a run's metric is not that of the first run.

    Attributes
    ----------
    run, base : str
        Their ids.
    metric : str
        Its name.
    step : int
        Of the first point that differs.
    values : tuple of (float or None)
        Of the first run and of ``run``; None where that one has no such point.
    """

    run: str
    base: str
    metric: str
    step: int
    values: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """The last value of a metric in each run, None where a run has none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Compared:
    """What a comparison of runs found; the first one is what the others are compared with.

    Attributes
    ----------
    runs : tuple of RunHead
        Which they are.
    causes : tuple of Cause
        In what they differ; what is the same is not here.
    metrics : tuple of MetricRow
        Those that differ.
    equal_metrics : int
        How many are the same in all runs.
    verdicts : tuple of Verdict
        For each other run, and each headline metric.
    partings : tuple of Parting
        For each other run and each curve that is not the first run's, the first one first.
    recorded : bool
        Whether the code of all runs was recorded.
    unseeded : bool
        Whether a run has no seed.
    """

    runs: tuple[RunHead, ...]
    causes: tuple[Cause, ...]
    metrics: tuple[MetricRow, ...]
    equal_metrics: int
    verdicts: tuple[Verdict, ...]
    partings: tuple[Parting, ...]
    recorded: bool
    unseeded: bool

    @property
    def should_be_equal(self) -> bool:
        """Whether all that decides a run's figures is the same, as far as it was recorded."""
        kinds = {cause.kind for cause in self.causes}
        return kinds <= {"tags"} and self.recorded and not self.unseeded

    @property
    def differs(self) -> bool:
        """Whether a metric differs that does not measure the machine."""
        return bool(self.partings) or any(not is_timed(row.name) for row in self.metrics)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values; what is no finite number is its name in text."""
        found = {
            "format": FORMAT,
            "runs": [asdict(run) for run in self.runs],
            "causes": [asdict(cause) for cause in self.causes],
            "metrics": [asdict(row) for row in self.metrics],
            "equal_metrics": self.equal_metrics,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "should_be_equal": self.should_be_equal,
            "first_difference": [asdict(one) for one in self.partings],
        }
        return dict(_finite(found))

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)


def is_timed(name: str) -> bool:
    """Whether a metric measures the machine: it differs between any two runs.

    Examples
    --------
    >>> [is_timed(n) for n in ("FPS", "p50_latency_ms", "epoch_time", "val/loss", "times_table")]
    [True, True, True, False, False]
    """
    return _TIMED.search(name) is not None


def same(one: float, other: float) -> bool:
    """Whether two numbers are the same; NaN is the same as NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _finite(value: Any) -> Any:
    """Return JSON-ready values in which what is no finite number is its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
