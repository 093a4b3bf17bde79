"""Two models on the same held-out samples: what the second loses, by the task's own figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cvtrack_magics.artifacts.quantized import LostPart
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.export.running import Run
from cvtrack_magics.release.gate import paired
from cvtrack_magics.release.gate.gain import FEWEST, RESAMPLES
from cvtrack_magics.release.quantize.samples import as_images, digests_of
from cvtrack_magics.tasks.base import Task
from cvtrack_magics.tasks.collect import collect
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.slices import measure_slices, parts_of
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.metric_catalog import SCHEME

CONFIDENCE = 0.95
"""That a model which is kept loses no more than is allowed."""
_SHARES = ("top1_acc",)


@dataclass(frozen=True)
class Heldout:
    """What judges: a loader of (images, truth), its task, and how the answers are read.

    Attributes
    ----------
    loader : iterable
        The same samples at each pass, in any order.
    task : str
    classes : sequence of str or None
    by : sequence of str
        Columns that the samples are parted by.
    """

    loader: Iterable[Any]
    task: Task
    classes: Any = None
    by: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model said of the held-out samples, and how good that is.

    Attributes
    ----------
    predictions : Predictions
        In the order of their ids.
    evaluation : Evaluation
    digests : tuple of bytes
        Of each sample that the model was given, sorted.
    """

    predictions: Predictions
    evaluation: Evaluation
    digests: tuple[bytes, ...]

    @property
    def value(self) -> float:
        """The headline metric."""
        return float(self.evaluation.metrics[self.evaluation.headline])

    @property
    def confidence(self) -> float | None:
        """The median confidence; None where the task has none."""
        values = self.evaluation.samples.get("confidence")
        if values is None or not np.isfinite(values).any():
            return None
        return float(np.nanmedian(values))

    @property
    def threshold(self) -> float | None:
        """The score of the best F1; None where the task has none."""
        found = self.evaluation.metrics.get("best_threshold", math.nan)
        return float(found) if math.isfinite(found) else None


def judged(run: Run, structure: Callable[[Sequence[Any]], Any], heldout: Heldout) -> Judged:
    """Return what a graph says of the held-out samples.

    Parameters
    ----------
    run : callable
        Tensors in, arrays out.
    structure : callable
        Makes of the outputs what the model itself returns.
    heldout : Heldout
        The samples.

    Raises
    ------
    UsageProblem
        The loader gives no batches of (images, truth), or the task cannot read the answers.
    """
    import torch

    digests: list[bytes] = []

    def model(images: Any) -> Any:
        digests.extend(digests_of(as_images(images)))
        outputs = run([images.detach().cpu()])
        return structure([torch.from_numpy(np.array(one)) for one in outputs])

    found = collect(model, heldout.loader, heldout.task, classes=heldout.classes)
    order = sorted(range(len(found)), key=lambda at: found.ids[at])
    ordered = replace(found[order], seconds=0.0)
    return Judged(ordered, measure(ordered), tuple(sorted(digests)))


def check_pairs(full: Judged, other: Judged) -> None:
    """Raise unless both models were given the same samples.

    Raises
    ------
    UsageProblem
        The loader gives other samples at each pass, or too few of them.
    """
    if full.predictions.ids != other.predictions.ids or full.digests != other.digests:
        raise UsageProblem(
            "The held-out loader gives other pictures at each pass, so that nothing can be paired.",
            "Take random transforms and random sampling out of it.",
        )
    if len(full.predictions) < FEWEST:
        raise UsageProblem(
            f"{len(full.predictions)} held-out samples are too few to tell, {FEWEST} are the least."
        )


def lost(full: Judged, other: Judged, confidence: float) -> tuple[float, float]:
    """Return what the second model loses, and what it loses at most with some confidence.

    Raises
    ------
    UsageProblem
        The task's headline metric cannot be compared in pairs.
    """
    metric = full.evaluation.headline
    sign = -1 if _falls(full.evaluation) else 1
    if metric in _SHARES:
        ours = other.evaluation.samples["correct"].astype(np.float64)
        theirs = full.evaluation.samples["correct"].astype(np.float64)
        gained, dropped = (ours > theirs).sum(), (ours < theirs).sum()
        bound = paired.of_shares(float(gained), float(dropped), len(ours), confidence)
        return -bound.difference, -bound.low
    one, two = other.evaluation.replicates, full.evaluation.replicates
    if one is None or two is None or one.first != two.first:
        raise UsageProblem(
            f"{metric} cannot be compared in pairs, so that nothing proves the loss."
        )
    count = min(len(one.values), len(two.values))
    values = sign * (one.values[:count] - two.values[:count])
    values = values[np.isfinite(values)]
    if len(values) < RESAMPLES:
        raise UsageProblem(f"{metric} has no value in most resamples: there are too few samples.")
    difference = sign * (other.value - full.value)
    bound = paired.of_replicates(difference, values, len(full.predictions), confidence)
    return -bound.difference, -bound.low


def lost_parts(full: Judged, other: Judged, by: Sequence[str]) -> tuple[LostPart, ...]:
    """Return what both models reach in each part of the samples, as far as it was measured."""
    if not by:
        return ()
    parts = parts_of(full.predictions, by)
    pairs = zip(
        measure_slices(full.predictions, parts, full.evaluation, resamples=0),
        measure_slices(other.predictions, parts, other.evaluation, resamples=0),
        strict=True,
    )
    metric = full.evaluation.headline
    return tuple(
        LostPart(
            one.part.column,
            one.part.value,
            len(one.predictions),
            *(
                None if side.evaluation is None else float(side.evaluation.metrics[metric])
                for side in (one, two)
            ),
        )
        for one, two in pairs
    )


def worse_parts(full: Judged, parts: Sequence[LostPart], allowed: float) -> tuple[LostPart, ...]:
    """Return the parts of at least 20 samples that lose more than is allowed."""
    sign = -1 if _falls(full.evaluation) else 1
    return tuple(
        part
        for part in parts
        if part.samples >= FEWEST
        and part.full is not None
        and part.quantized is not None
        and sign * (part.full - part.quantized) > allowed
    )


def _falls(found: Evaluation) -> bool:
    """Whether less of the headline metric is better."""
    return any(
        row.name == found.headline and found.task in row.tasks and row.better == "lower"
        for row in SCHEME
    )
