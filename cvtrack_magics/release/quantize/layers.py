"""Which layers do not bear 8 bits: how far each moves the model's answers by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.release.export.onnxfile import open_onnx
from cvtrack_magics.release.quantize.samples import Calibration
from cvtrack_magics.release.quantize.static import quantize

MOST = 64
"""Layers that are tried one by one; of a larger graph the first and the last."""
_FEW = 2  # batches that tell


def by_harm(
    source: Path, nodes: Sequence[str], calibration: Calibration, name: str
) -> tuple[str, ...]:
    """Return nodes, the one first that alone moves the answers most.

    Parameters
    ----------
    source : Path
        The graph in full precision.
    nodes : sequence of str
        Those that may be quantised.
    calibration : Calibration
        Samples; the first two batches are looked at.
    name : str
        Of the graph's input.
    """
    few = Calibration(calibration.batches[:_FEW], calibration.digests)
    full = _answers(source, few, name)
    tried = nodes if len(nodes) <= MOST else [*nodes[: MOST // 2], *nodes[-MOST // 2 :]]
    harm: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        for node in tried:
            target = Path(folder) / "one.onnx"
            try:
                quantize(source, target, few, [node], name)
                harm[node] = _distance(full, _answers(target, few, name))
            except CvtrackError:
                harm[node] = np.inf
    return tuple(sorted(harm, key=lambda node: -harm[node]))


def _answers(path: Path, few: Calibration, name: str) -> list[np.ndarray]:
    model = open_onnx(path)
    return [out for batch in few.batches for out in model.run({name: batch})]


def _distance(full: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Return the relative error of all outputs together (1 / SQNR)."""
    if any(one.shape != two.shape for one, two in zip(full, other, strict=True)):
        return float("inf")
    pairs = [
        (np.asarray(one, np.float64), np.asarray(two, np.float64))
        for one, two in zip(full, other, strict=True)
    ]
    power = sum(float((one**2).sum()) for one, _ in pairs)
    error = sum(float(((one - two) ** 2).sum()) for one, two in pairs)
    return error / power if power else error
