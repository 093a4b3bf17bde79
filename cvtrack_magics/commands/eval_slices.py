"""What ``%mleval --by`` records of parts of the samples: metrics, and one file of facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.paths import slices_path
from cvtrack_magics.artifacts.slices import Slice, Slices
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact
from cvtrack_magics.secrets.stored import stored_part

if TYPE_CHECKING:
    from cvtrack_magics.tasks.slices import SliceFound
    from cvtrack_magics.vision.evaluation import Evaluation

FOLDER = "slices"
_LEFT_OUT = ("best_threshold", "FPS")  # that of all samples; a part's time is not known


@dataclass(frozen=True, slots=True)
class Sliced:
    """Parts of an evaluation's samples, as they are recorded.

    Attributes
    ----------
    slices : tuple of Slice
        Each part with its figures.
    metrics : dict of str to float
        ``val/slices/camera/A/mAP50`` and so on, with the ends of the headline's interval, and
        ``n``, how many samples it is of.
    artifact : Artifact
        The file of facts.
    """

    slices: tuple[Slice, ...]
    metrics: dict[str, float]
    artifact: Artifact


def sliced(
    found: Sequence[SliceFound], whole: Evaluation, prefix: str, digest: str, by: Sequence[str]
) -> Sliced:
    """Return what is recorded of parts of an evaluation.

    Parameters
    ----------
    found : sequence of SliceFound
        The parts.
    whole : Evaluation
        Of all samples.
    prefix, digest : str
        Of that evaluation: before its metrics' names, and of its data.
    by : sequence of str
        The columns.
    """
    from cvtrack_magics.vision.metric_catalog import metric_parts

    start = "/".join(filter(None, (prefix.strip("/"), FOLDER)))
    columns = list(dict.fromkeys(one.part.column for one in found))
    names = dict(zip(columns, metric_parts(columns), strict=True))
    places = {str(name): at for at, name in enumerate(whole.samples["id"])}
    made: list[Slice] = []
    for column in columns:
        parts = [one for one in found if one.part.column == column]
        values = metric_parts(one.part.value for one in parts)
        for one, value in zip(parts, values, strict=True):
            made.append(_slice(one, f"{start}/{names[column]}/{value}", places))
    file = Slices(
        by=tuple(by),
        data_sha256=digest,
        value=float(whole.metrics[whole.headline]),
        slices=tuple(made),
    )
    path = slices_path(stored_part(prefix.strip("/")))
    metrics = {key: value for one in made for key, value in _metrics(one).items()}
    return Sliced(tuple(made), metrics, Artifact(path, written(file, indent=None)))


def _slice(one: SliceFound, prefix: str, places: dict[str, int]) -> Slice:
    from cvtrack_magics.artifacts.evaluation import Measured
    from cvtrack_magics.commands.mleval import data_digest, measured_of
    from cvtrack_magics.tasks.slices import witnesses

    part, found = one.part, one.evaluation
    task = one.predictions.task
    if found is None:
        return Slice(
            part.column, part.value, Measured(prefix=prefix, task=task, samples=0, notes=(one.why,))
        )
    digest = data_digest(one.predictions)
    facts = measured_of(found, prefix, digest, witnesses(found, part.area))
    kept = {
        name: value
        for name, value in facts.metrics.items()
        if "/" not in name and name not in _LEFT_OUT
    }
    facts = replace(facts, metrics=kept, per_class={}, confusion=None)
    rows = tuple(places[str(name)] for name in found.samples["id"])
    return Slice(part.column, part.value, facts, rows)


def _metrics(one: Slice) -> dict[str, float]:
    measured = one.measured
    start = f"{measured.prefix}/"
    values = {f"{start}{name}": value for name, value in measured.metrics.items()}
    interval = measured.interval
    if interval is not None:
        values[f"{start}{interval.metric}/ci_low"] = interval.low
        values[f"{start}{interval.metric}/ci_high"] = interval.high
    values[f"{start}n"] = float(measured.samples or 0)
    return {
        safe_key(key): float(value)
        for key, value in values.items()
        if value is not None and math.isfinite(value)
    }
