"""Parts of the samples: by camera, by the size of objects, by class, each measured by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.tasks.about import Value
from cvtrack_magics.tasks.counting import Options
from cvtrack_magics.tasks.evaluate import measured_by
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import Cluster, keys_of
from cvtrack_magics.vision.evaluation import Evaluation

MOST = 60
"""Values of a column beyond which it names samples, and no parts of them."""
_BINS = 4
_FEW = 8  # different numbers up to which each is a part of its own
_DARK, _BRIGHT = 85, 170
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the samples.

    Attributes
    ----------
    column, value : str
        What they have in common.
    rows : int64, M
        Their places among all samples.
    area : (float, float) or None
        Of a size of objects: from and to which area in pixels they count.
    """

    column: str
    value: str
    rows: npt.NDArray[np.int64]
    area: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SliceFound:
    """A part of the samples as it was measured; ``evaluation`` is None where ``why`` says so."""

    part: Part
    predictions: Predictions
    evaluation: Evaluation | None
    why: str = ""


def columns_there(predictions: Predictions) -> tuple[str, ...]:
    """Return the names of the columns that samples may be parted by."""
    kind = kind_of(predictions.task)
    own = (*predictions.about, *kind.columns(predictions), *(["size"] if kind.areas else []))
    return tuple(dict.fromkeys((*own, *(["brightness"] if predictions.pixels else []))))


def parts_of(predictions: Predictions, by: Sequence[str]) -> list[Part]:
    """Return the parts of the samples by each column.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    by : sequence of str
        Names of columns: those of ``about``; ``class``, ``objects`` and ``size`` (of objects:
        COCO's small, medium and large) as the task has them; ``brightness`` where there are
        pictures. ``a*b`` is each pair of two columns' values.

    Raises
    ------
    UsageProblem
        There is no such column, or it has too many values to be parts.
    """
    found: list[Part] = []
    for name in dict.fromkeys(by):
        found += _parts(predictions, name)
    return found


def measure_slices(
    predictions: Predictions,
    parts: Sequence[Part],
    whole: Evaluation,
    *,
    iou: float = 0.5,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    cluster: Cluster | None = None,
) -> list[SliceFound]:
    """Measure each part of the samples, from the threshold of all samples on.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    parts : sequence of Part
        Of :func:`parts_of`.
    whole : Evaluation
        Of all samples.
    iou, resamples, level, seed, cluster
        As for :func:`measure`.
    """
    threshold = whole.settings.get("threshold")
    if threshold is None:
        best = whole.metrics.get("best_threshold", math.nan)
        threshold = best if math.isfinite(best) else None
    keys = None
    if cluster is not None:
        keys = dict(zip(predictions.ids, keys_of(predictions.ids, cluster), strict=True))
    options = Options(threshold, iou, resamples, level, seed, keys, others=False)
    return [_measured(predictions, part, options) for part in parts]


def _measured(predictions: Predictions, part: Part, options: Options) -> SliceFound:
    chosen = replace(predictions[part.rows], notes=())
    try:
        found = measured_by(chosen, replace(options, area=part.area))
    except UsageProblem as error:
        return SliceFound(part, chosen, None, error.problem)
    return SliceFound(part, chosen, found)


def _parts(predictions: Predictions, name: str) -> list[Part]:
    kind = kind_of(predictions.task)
    if name == "size" and "size" not in predictions.about and kind.areas:
        return _sizes(predictions, kind.areas)
    words = [word.strip() for word in name.split("*")]
    columns = [_texts(_column(predictions, word)) for word in words]
    texts = (
        columns[0] if len(words) == 1 else [" x ".join(row) for row in zip(*columns, strict=True)]
    )
    values = list(dict.fromkeys(texts))
    if len(values) > MOST:
        raise UsageProblem(
            f"{name} has {len(values):,} different values: those are samples, not parts.",
            f"Up to {MOST} are measured; give a column that joins them.",
        )
    rows: dict[str, list[int]] = {value: [] for value in values}
    for at, value in enumerate(texts):
        rows[value].append(at)
    label = " x ".join(words)
    return [Part(label, value, np.array(rows[value])) for value in sorted(values, key=_order)]


def _sizes(predictions: Predictions, areas: Mapping[str, tuple[float, float]]) -> list[Part]:
    every = np.arange(len(predictions))
    return [Part("size", name, every, area) for name, area in areas.items()]


def _column(predictions: Predictions, name: str) -> Sequence[Value]:
    kind = kind_of(predictions.task)
    known = {**kind.columns(predictions), **predictions.about}
    if name in known:
        return known[name]
    if name == "brightness" and predictions.pixels is not None:
        return [_brightness(image) for image in predictions.pixels]
    there = columns_there(predictions)
    raise UsageProblem(
        f"There is no column {name!r} of the samples.{did_you_mean(name, there)}",
        f"There are {', '.join(there)}." if there else "Give them as about={'camera': [...]}.",
    )


def _texts(values: Sequence[Value]) -> list[str]:
    numbers = [value for value in values if isinstance(value, float)]
    if len(set(numbers)) <= _FEW:
        return list(map(_said, values))
    edges = np.unique(np.quantile(np.array(numbers), np.linspace(0, 1, _BINS + 1)))
    return [_binned(value, edges) for value in values]


def _binned(value: Value, edges: npt.NDArray[np.float64]) -> str:
    if not isinstance(value, float):
        return _said(value)
    at = int(np.clip(np.searchsorted(edges, value, "right") - 1, 0, len(edges) - 2))
    return f"{edges[at]:.4g} to {edges[at + 1]:.4g}"


def _said(value: Value) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.strip() or "empty"


def _order(text: str) -> tuple[bool, float, str]:
    """Sort numbers and bins of them as numbers, what is unknown last."""
    first = text.split(" ", 1)[0]
    try:
        return text == UNKNOWN, float(first), text
    except ValueError:
        return text == UNKNOWN, math.inf, text


def _brightness(image: Any) -> str:
    from cvtrack_magics.vision.images import rgb

    mean = float(rgb(image).mean())
    return "dark" if mean < _DARK else "bright" if mean > _BRIGHT else "medium"


def witnesses(found: Evaluation, area: tuple[float, float] | None) -> int:
    """Return how many samples a figure is of: of a size of objects those that have such."""
    if area is None:
        return len(found.samples["id"])
    return int(((found.samples["tp"] + found.samples["fn"]) > 0).sum())


def only_where(predictions: Predictions, conditions: Sequence[str]) -> Predictions:
    """Return the samples of some parts.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    conditions : sequence of str
        ``camera=A``, each by a column of :func:`parts_of`; all must hold. Of a size of objects
        the samples that have such.

    Raises
    ------
    UsageProblem
        It is no condition, there is no such column or value, or no sample is left.
    """
    kept = np.ones(len(predictions), bool)
    for text in conditions:
        name, sign, value = (word.strip() for word in text.partition("="))
        if not (name and sign and value):
            raise UsageProblem(f"{text!r} is no condition.", "Write COLUMN=VALUE: camera=A.")
        parts = {part.value: part for part in parts_of(predictions, [name])}
        if value not in parts:
            raise UsageProblem(
                f"{name} has no value {value!r}.{did_you_mean(value, parts)}",
                f"There are {', '.join(list(parts)[:12])}.",
            )
        chosen = np.zeros(len(predictions), bool)
        chosen[_rows(predictions, parts[value])] = True
        kept &= chosen
    if not kept.any():
        raise UsageProblem(f"No sample has {' and '.join(conditions)}.")
    return predictions if kept.all() else predictions[kept]


def _rows(predictions: Predictions, part: Part) -> npt.NDArray[np.int64]:
    if part.area is None:
        return part.rows
    found = measured_by(predictions, Options(resamples=0, area=part.area, others=False))
    return np.flatnonzero(found.samples["tp"] + found.samples["fn"])
