"""Makes a model in fewer bits, judges it, and keeps it only where it is as good."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from cvtrack_magics.artifacts.quantized import LostPart, Quantized
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.errors import CvtrackError, QuantizationRefused, UsageProblem
from cvtrack_magics.release.export.attempt import version_of
from cvtrack_magics.release.export.facts import Export
from cvtrack_magics.release.export.onnxfile import open_onnx
from cvtrack_magics.release.export.pytree import leaves_of, mapped
from cvtrack_magics.release.export.running import Run, running
from cvtrack_magics.release.quantize.judging import (
    CONFIDENCE,
    Heldout,
    Judged,
    check_pairs,
    judged,
    lost,
    lost_parts,
    worse_parts,
)
from cvtrack_magics.release.quantize.layers import by_harm
from cvtrack_magics.release.quantize.samples import Calibration, digest_of_all
from cvtrack_magics.release.quantize.static import halved, nodes_of, prepared, quantize

Precision: TypeAlias = Literal["int8", "fp16"]
METHODS = {"int8": "onnxruntime, static, QDQ, by channel", "fp16": "onnxruntime, float16"}
_LEFT_OUT = (0, 1, 2, 4, 8)
"""How many of the layers that hurt most stay in full precision, one try after the other."""
_TIMED = 30
_MOVED = 0.02  # of a median confidence or a threshold: more is said


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes
    ----------
    precision : {'int8', 'fp16'}
    allowed : float
        What the headline metric may lose, with 95 % confidence.
    heldout : Heldout
        The samples that judge.
    calibration : Calibration or None
        Other samples, for the ranges; None of float16.
    """

    precision: Precision
    allowed: float
    heldout: Heldout
    calibration: Calibration | None


@dataclass(frozen=True, eq=False)
class Try:
    """A model in fewer bits beside the one in full precision.

    Attributes
    ----------
    full, other : Judged
    loss, at_most : float
        Of the headline metric.
    kept : tuple of str
        Nodes in full precision.
    parts : tuple of LostPart
        Parts of the samples, as they were asked for.
    worse : tuple of LostPart
        Those of them that lose more than is allowed.
    """

    full: Judged
    other: Judged
    loss: float
    at_most: float
    kept: tuple[str, ...]
    parts: tuple[LostPart, ...]
    worse: tuple[LostPart, ...]

    def told(self) -> str:
        """Return it in one line."""
        names = f", without {', '.join(self.kept)}" if self.kept else ""
        parts = "".join(
            f"; {one.column} {one.value}: {one.full:.4f} to {one.quantized:.4f}"
            for one in self.worse
        )
        return (
            f"{self.full.evaluation.headline} {self.full.value:.4f} to {self.other.value:.4f}, "
            f"loses {self.loss:.4f}, at most {self.at_most:.4f}{names}{parts}"
        )


def quantized(full: Export, like: Any, wanted: Wanted, folder: Path) -> Quantized:
    """Write a model in fewer bits to ``folder/model.onnx``, if it loses no more than allowed.

    Parameters
    ----------
    full : Export
        The ONNX export in full precision, which was proved equal to the network.
    like : object
        What the network returns for a batch, for its structure.
    wanted : Wanted
        What is asked for.
    folder : Path
        A folder that exists.

    Raises
    ------
    QuantizationRefused
        It loses more than is allowed, whichever layers stay in full precision.
    UsageProblem
        The samples cannot judge, or a sample is among those that calibrate and those that judge.
    CvtrackError
        onnxruntime cannot make it.
    """
    if len(full.inputs) != 1:
        raise UsageProblem(
            f"The model takes {len(full.inputs)} inputs; one is quantised.",
            "Wrap it in a module that takes the images.",
        )
    name = full.inputs[0].name
    structure = _structure(like)
    reference = judged(_runs(full.path, name), structure, wanted.heldout)
    _check_apart(wanted.calibration, reference)
    target = folder / "model.onnx"
    tries: list[Try] = []
    for kept, path in _made(full, name, wanted, target):
        other = judged(_runs(path, name), structure, wanted.heldout)
        check_pairs(reference, other)
        loss, at_most = lost(reference, other, _confidence(wanted))
        parts = lost_parts(reference, other, wanted.heldout.by)
        worse = worse_parts(reference, parts, wanted.allowed)
        tried = Try(reference, other, loss, at_most, kept, parts, worse)
        if at_most < wanted.allowed and not worse:
            shutil.copy(path, target)
            return _facts(full, wanted, tried, target)
        tries.append(tried)
    raise QuantizationRefused(
        wanted.precision,
        wanted.allowed,
        tuple(tried.told() for tried in tries),
        len(reference.predictions),
        undecided=any(tried.loss <= wanted.allowed and not tried.worse for tried in tries),
    )


def _confidence(wanted: Wanted) -> float:
    """Return that of one try, so that all of them together keep what is promised (Bonferroni)."""
    tries = 1 if wanted.calibration is None else len(_LEFT_OUT)
    return 1 - (1 - CONFIDENCE) / tries


def _structure(like: Any) -> Callable[[Sequence[Any]], Any]:
    """Return what makes of a flat list of outputs what the network returns."""
    count = len(list(leaves_of(like)))

    def made(outputs: Sequence[Any]) -> Any:
        if len(outputs) != count:
            raise UsageProblem("The number of the model's outputs depends on its input.")
        left = iter(outputs)
        return mapped(like, lambda item: None if item is None else next(left))

    return made


def _runs(path: Path, name: str) -> Run:
    return running(open_onnx(path), [name])


def _check_apart(calibration: Calibration | None, reference: Judged) -> None:
    if calibration is None:
        return
    both = calibration.digests & set(reference.digests)
    if both:
        raise UsageProblem(
            f"{len(both)} of the {calibration.samples} samples to calibrate with are among those "
            "that judge.",
            "Calibrate with training data.",
        )


def _made(
    full: Export, name: str, wanted: Wanted, target: Path
) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield files to judge, the smallest first, with the nodes that are in full precision."""
    with tempfile.TemporaryDirectory(prefix="cvtrack-", dir=target.parent) as scratch:
        made = Path(scratch) / "made.onnx"
        if wanted.calibration is None:
            halved(full.path, made)
            yield (), made
            return
        source = Path(scratch) / "source.onnx"
        prepared(full.path, source)
        nodes = nodes_of(source)
        harmful: tuple[str, ...] = ()
        for count in _LEFT_OUT:
            if count and not harmful:
                harmful = by_harm(source, nodes, wanted.calibration, name)
            if count >= len(nodes):
                return
            kept = harmful[:count]
            left = [node for node in nodes if node not in kept]
            quantize(source, made, wanted.calibration, left, name)
            yield kept, made


def _facts(full: Export, wanted: Wanted, tried: Try, target: Path) -> Quantized:
    reference, other, kept = tried.full, tried.other, tried.kept
    sample = _sample(wanted)
    times = latencies((full.path, target), full.inputs[0].name, sample)
    calibration = wanted.calibration
    return Quantized(
        format=wanted.precision,
        method=METHODS[wanted.precision],
        task=wanted.heldout.task,
        metric=reference.evaluation.headline,
        full=reference.value,
        quantized=other.value,
        lost=tried.loss,
        lost_at_most=tried.at_most,
        allowed=wanted.allowed,
        samples=len(reference.predictions),
        confidence=(reference.confidence, other.confidence),
        threshold=(reference.threshold, other.threshold),
        parts=tried.parts,
        kept_full=kept,
        calibration_sha256=digest_of_all(calibration.digests) if calibration else "",
        heldout_sha256=digest_of_all(reference.digests),
        calibrated_on=calibration.samples if calibration else 0,
        size=target.stat().st_size,
        full_size=full.size,
        latency_ms=times[1],
        full_latency_ms=times[0],
        sha256=sha256_file(os.fspath(target)).sha256,
        weights_sha256=full.weights_sha256,
        graph=full.graph,
        versions={name: version_of(name) for name in ("onnx", "onnxruntime")},
        notes=tuple(_notes(reference, other, times, kept)),
    )


def _notes(
    reference: Judged, other: Judged, times: Sequence[float], kept: Sequence[str]
) -> Iterator[str]:
    if kept:
        yield f"In full precision, since they hurt most: {', '.join(kept)}."
    for what, before, after in (
        ("The median confidence", reference.confidence, other.confidence),
        ("The score of the best F1", reference.threshold, other.threshold),
    ):
        if before is not None and after is not None and abs(after - before) > _MOVED:
            yield f"{what} moved from {before:.3g} to {after:.3g}: look at thresholds anew."
    if times[1] >= times[0]:
        yield "It is no faster here: this processor, or its runtime, gains nothing from fewer bits."


def _sample(wanted: Wanted) -> np.ndarray:
    from cvtrack_magics.release.quantize.samples import as_images

    if wanted.calibration is not None:
        return wanted.calibration.batches[0][:1]
    return as_images(next(iter(wanted.heldout.loader)))[:1]


def latencies(paths: Sequence[Path], name: str, sample: np.ndarray) -> tuple[float, ...]:
    """Return the median time of each model for one sample, in milliseconds, taken in turn."""
    models = [open_onnx(path) for path in paths]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(_TIMED):
        for model, spent in zip(models, times, strict=True):
            started = time.perf_counter()
            model.run({name: sample})
            spent.append((time.perf_counter() - started) * 1e3)
    return tuple(statistics.median(spent[1:]) for spent in times)


def check_installed() -> None:
    """Raise unless onnxruntime and onnx are there.

    Raises
    ------
    CvtrackError
        One is not.
    """
    for package in ("onnx", "onnxruntime"):
        if not version_of(package):
            raise CvtrackError(
                f"A model in fewer bits needs {package}.",
                "Type pip install 'cvtrack_magics[onnx]'.",
            )
