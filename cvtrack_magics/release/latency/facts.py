"""What a latency measurement found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.artifacts.latency import Latency, Row
from cvtrack_magics.names import safe_key
from cvtrack_magics.release.latency.percentiles import LEVEL

__all__ = ["Bench", "Row"]


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

    def file(self) -> Latency:
        """Return what is kept of it."""
        return Latency(
            headline=self.headline,
            metrics=self.metrics(),
            rows=self.rows,
            level=LEVEL,
            settings=self.settings,
            notes=self.notes,
        )
