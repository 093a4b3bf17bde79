"""``int8/quantized.json``: what a model in fewer bits loses, by the task's own figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class LostPart:
    """A part of the held-out samples, and what is lost there.

    Attributes
    ----------
    column, value : str
        What its samples have in common.
    samples : int
        How many there are.
    full, quantized : float or None
        The headline metric of both models.
    """

    column: str
    value: str
    samples: int
    full: float | None = None
    quantized: float | None = None


@dataclass(frozen=True, slots=True)
class Quantized:
    """A model in fewer bits beside the model in full precision.

    Attributes
    ----------
    format : str
        ``int8`` or ``fp16``.
    method : str
        How it was made.
    task, metric : str
        The task that judged, and its headline metric.
    full, quantized : float or None
        The metric of both, on the held-out samples.
    lost : float or None
        What the quantised model loses; below 0 where it gains.
    lost_at_most : float or None
        What it loses at most, with 95 % confidence, from pairs of the same samples.
    allowed : float or None
        What it was allowed to lose.
    samples : int
        Held-out samples.
    confidence, threshold : tuple of float or None, 2
        Median confidence, and the score of the best F1, of both; None where there is none.
    parts : tuple of LostPart
        Parts of the samples, where they were asked for.
    kept_full : tuple of str
        Nodes of the graph that stayed in full precision, the one that hurt most first.
    calibration_sha256, heldout_sha256 : str
        Of the samples' content, in any order.
    calibrated_on : int
        How many samples that was.
    size, full_size : int
        Bytes.
    latency_ms, full_latency_ms : float or None
        Median of one sample at a time, on this machine's CPU.
    sha256 : str
        Of the model's file.
    weights_sha256, graph : str
        Of the network that was quantised, as in an export's evidence.
    versions : mapping of str to str
        The packages that took part.
    notes : tuple of str
        What a user should know.
    """

    SCHEMA: ClassVar[int] = 1

    format: str = ""
    method: str = ""
    task: str = ""
    metric: str = ""
    full: float | None = None
    quantized: float | None = None
    lost: float | None = None
    lost_at_most: float | None = None
    allowed: float | None = None
    samples: int = 0
    confidence: tuple[float | None, ...] = ()
    threshold: tuple[float | None, ...] = ()
    parts: tuple[LostPart, ...] = ()
    kept_full: tuple[str, ...] = ()
    calibration_sha256: str = ""
    heldout_sha256: str = ""
    calibrated_on: int = 0
    size: int = 0
    full_size: int = 0
    latency_ms: float | None = None
    full_latency_ms: float | None = None
    sha256: str = ""
    weights_sha256: str = ""
    graph: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
