"""What a latency measurement found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cvtrack_magics.names import safe_key
from cvtrack_magics.release.latency.percentiles import LEVEL, SHARES


@dataclass(frozen=True, slots=True)
class Row:
    """One runner at one batch size.

    Attributes
    ----------
    runner, batch : str, int
        What ran, with how many images in a call.
    n : int
        Timed calls; 0 where it failed, and ``note`` says why.
    p50_ms, p95_ms, p99_ms : float or None
        Latency of a call in milliseconds, over all ``n`` calls. None where ``n`` is too small
        for an interval: 6, 72 and 368 calls are the fewest.
    intervals : mapping of str to (float, float)
        95 % confidence intervals in milliseconds by ``p50``, ``p95``, ``p99``. They hold for
        calls that do not depend on each other, on this machine as it was: ``spread`` says how
        far it was not the same throughout.
    mean_ms, std_ms, min_ms : float or None
        Of the same calls; ``std_ms`` with n − 1, None of one call.
    throughput : float or None
        Images per second: batch × n / time of the n calls, one call after the other.
    first_s : float
        Seconds of the very first call, which may compile or allocate. Not counted.
    warm_up : int
        Calls before the first that was timed.
    steady : bool
        Whether three blocks of warm-up calls in a row had the same median within 10 %.
    spread : float
        How far the medians of the rounds lie apart, as a share of the middle one.
    note : str
        Why there are no figures, or what to know about them.
    """

    runner: str
    batch: int
    n: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mean_ms: float | None = None
    std_ms: float | None = None
    min_ms: float | None = None
    throughput: float | None = None
    first_s: float = 0.0
    warm_up: int = 0
    steady: bool = False
    spread: float = 0.0
    note: str = ""

    @property
    def cell(self) -> str:
        """``onnx@8``."""
        return f"{self.runner}@{self.batch}"

    def metrics(self) -> dict[str, float]:
        """Return the figures that are known, under the guide's names."""
        named = {f"{name}_latency_ms": getattr(self, f"{name}_ms") for name in SHARES}
        named["throughput_imgs_per_sec"] = self.throughput
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Bench:
    """The result of :func:`~cvtrack_magics.release.latency.bench`.

    Attributes
    ----------
    rows : tuple of Row
        By runner in the order given, then by batch size.
    headline : str
        The cell that stands for the model, ``eager@1``; ``""`` where nothing ran.
    settings : mapping
        JSON-ready: machine, versions, seconds, batches, seed, load, and under ``runners`` the
        device, precision and threads of each.
    notes : tuple of str
        What a reader of the figures should know, one line each.
    """

    rows: tuple[Row, ...]
    headline: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def row(self, cell: str) -> Row | None:
        """Return a cell by its name, such as ``onnx@8``."""
        return next((row for row in self.rows if row.cell == cell), None)

    def metrics(self) -> dict[str, float]:
        """Return metrics for the run.

        Returns
        -------
        dict of str to float
            ``p50_latency_ms``, ``p95_latency_ms``, ``p99_latency_ms`` and
            ``throughput_imgs_per_sec`` of the headline, all of one cell so that they belong
            together; and ``latency/RUNNER/bBATCH/…`` for every cell. A percentile that is not
            known is left out.
        """
        headline = self.row(self.headline)
        found = {} if headline is None else headline.metrics()
        for row in self.rows:
            place = f"latency/{row.runner}/b{row.batch}"
            found |= {safe_key(f"{place}/{name}"): value for name, value in row.metrics().items()}
        return found

    def facts(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        rows = [
            {**asdict(row), "intervals": {name: list(ends) for name, ends in row.intervals.items()}}
            for row in self.rows
        ]
        return {
            "headline": self.headline,
            "metrics": self.metrics(),
            "rows": rows,
            "level": LEVEL,
            "settings": dict(self.settings),
            "notes": list(self.notes),
        }
