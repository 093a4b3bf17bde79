"""Figures of a depth estimation."""

from __future__ import annotations

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.bootstrap import ratio_of_sums, resampled
from cvtrack_magics.tasks.counting import Options, counted, divided, need, ratio
from cvtrack_magics.tasks.intervals import interval, of_errors
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import Sampling, sampling_of
from cvtrack_magics.vision.arrays import Array, shape_of
from cvtrack_magics.vision.evaluation import Evaluation, Interval


def measure_depth(predictions: Predictions, options: Options) -> Evaluation:
    """Measure a depth estimation.

    A pixel is valid where its truth is finite and above 0. Figures are over the valid pixels
    of all samples together, so that a sample with more of them weighs more; those of each
    sample are in ``samples``. Predictions are taken as they are: not clipped to a range and
    not aligned in scale.

    A predicted depth that is not finite has no error: it is left out of AbsRel and RMSE and
    counts as wrong in delta. One of 0 or below counts in all of them, as wrong in delta.

    Raises
    ------
    UsageProblem
        A prediction is not of its truth's size.
    """
    notes: list[str] = []
    rows = [
        _sums(truth.astype(np.float64), prediction.astype(np.float64), name)
        for name, truth, prediction in zip(
            predictions.ids, predictions.depths.truth, predictions.depths.prediction, strict=True
        )
    ]
    valid, usable, positive, relative, squared, *close = np.array(rows).T
    if not valid.sum():
        notes.append("No pixel has a valid truth: nothing was measured.")
    elif not valid.all():
        notes.append(f"{int((valid == 0).sum()):,} of {len(valid):,} samples have no valid pixel.")
    if usable.sum() < valid.sum():
        lost = counted(int(valid.sum() - usable.sum()), "pixel")
        notes.append(
            f"{lost} predicted as NaN or infinity: not in AbsRel and RMSE, wrong in delta."
        )
    if positive.sum() < usable.sum():
        lost = counted(int(usable.sum() - positive.sum()), "pixel")
        notes.append(f"{lost} predicted as 0 or below.")
    metrics = {
        "AbsRel": ratio(relative.sum(), usable.sum()),
        "RMSE": float(np.sqrt(ratio(squared.sum(), usable.sum()))),
    }
    metrics |= {f"delta_{n}": ratio(part.sum(), valid.sum()) for n, part in enumerate(close, 1)}
    error = _error_map(predictions, notes)
    sampling = sampling_of(predictions, options, notes)
    replicates = resampled(sampling, ratio_of_sums(relative, usable))
    return Evaluation(
        "depth",
        metrics,
        "AbsRel",
        _interval(metrics["AbsRel"], relative, usable, sampling),
        samples={
            "id": np.array(predictions.ids),
            "AbsRel": divided(relative, usable),
            "RMSE": np.sqrt(divided(squared, usable)),
            "delta_1": divided(close[0], valid),
            "valid": valid.astype(np.int64),
            **sampling.units.column(),
        },
        notes=tuple(notes),
        pictures={} if error is None else {"depth_error": error},
        replicates=replicates,
    )


def _interval(value: float, relative: Array, usable: Array, sampling: Sampling) -> Interval | None:
    if not (np.isfinite(value) and sampling.wanted):
        return None
    errors, pixels = sampling.units.sums(relative), sampling.units.sums(usable)
    if sampling.too_few([float((pixels > 0).sum())], ["valid pixels"], "with"):
        return None
    return interval("AbsRel", value, [of_errors(errors, pixels)], sampling.options.level)


def _sums(truth: Array, prediction: Array, name: str) -> tuple[float, ...]:
    """Return, of one sample's pixels: how many are valid, usable and positive; sums of errors."""
    if truth.shape != prediction.shape:
        raise UsageProblem(
            f"{name}: the prediction is of {shape_of(prediction)} pixels, "
            f"the truth of {shape_of(truth)}."
        )
    valid = np.isfinite(truth) & (truth > 0)
    true, said = truth[valid], prediction[valid]
    finite = np.isfinite(said)
    relative = squared = 0.0
    count = int(finite.sum())
    if count:
        metrics = need("sklearn.metrics", "scikit-learn")
        pair = true[finite], said[finite]
        relative = count * float(metrics.mean_absolute_percentage_error(*pair))
        squared = count * float(metrics.mean_squared_error(*pair))
    above = finite & (said > 0)
    worst = np.maximum(said[above] / true[above], true[above] / said[above])
    close = [float((worst < 1.25**power).sum()) for power in (1, 2, 3)]
    return float(len(true)), float(count), float(above.sum()), relative, squared, *close


def _error_map(predictions: Predictions, notes: list[str]) -> Array | None:
    """Return the mean of |p - t| / t at each place, float64 H × W; NaN where never valid."""
    data = predictions.depths
    height, width = data.truth.items[0].shape
    if any(item.shape != (height, width) for item in data.truth.items):
        notes.append(f"The error map is stretched to the first sample's {height}×{width} pixels.")
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for truth, prediction in zip(data.truth, data.prediction, strict=True):
        if not truth.size:
            continue
        ys = np.arange(height) * truth.shape[0] // max(1, height)
        xs = np.arange(width) * truth.shape[1] // max(1, width)
        true = truth[np.ix_(ys, xs)].astype(np.float64)
        said = prediction[np.ix_(ys, xs)].astype(np.float64)
        valid = np.isfinite(true) & (true > 0) & np.isfinite(said)
        total[valid] += np.abs(said[valid] - true[valid]) / true[valid]
        count += valid
    if not count.any():
        return None
    return divided(total, count)
