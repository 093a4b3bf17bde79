"""``latency/latency.json``: what ``%mlbench`` timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

SHARES: dict[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Which percentiles, by their names."""


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
class Network:
    """Which network was timed; of an ONNX file, of which it is the proved export.

    Attributes
    ----------
    weights_sha256 : str
        Of its weights; ``""`` where it has none, or of a file that was exported elsewhere.
    graph : str
        How it was kept, a colon, and the SHA-256 of what it computes with its weights; ``""``
        where that is not known.
    """

    weights_sha256: str = ""
    graph: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """What was timed, and on which machine.

    Attributes
    ----------
    headline : str
        The cell that stands for the model, ``eager@1``; ``""`` where nothing ran.
    metrics : mapping of str to float or None
        The figures as they are logged.
    rows : tuple of Row
        By runner, then by batch size.
    level : float
        How often an interval of a row holds the true value.
    settings : mapping
        Machine, versions, seconds, batches, seed, load, and under ``runners`` the device,
        precision and threads of each.
    notes : tuple of str
        What a reader of the figures should know.
    networks : mapping of str to Network
        Which network each runner ran; empty of older releases.
    """

    SCHEMA: ClassVar[int] = 1

    headline: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    level: float = 0.95
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    networks: Mapping[str, Network] = field(default_factory=dict)
