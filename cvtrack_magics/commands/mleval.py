"""``mleval()``: a task's metrics with intervals, curves and per-sample scores, recorded."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.evaluation import Interval, Measured, SampleTable
from cvtrack_magics.artifacts.paths import metrics_path, samples_path
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.eval_slices import sliced
from cvtrack_magics.commands.known_leaks import known_leaks
from cvtrack_magics.commands.mlgrid import predictions_of
from cvtrack_magics.commands.typed import comma_separated, expression
from cvtrack_magics.commands.typed import predictions as typed_predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Metric, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_making import measured
from cvtrack_magics.run.recording import Target, needed, record, stored, target_of
from cvtrack_magics.secrets.stored import stored_part
from cvtrack_magics.text import utf8

if TYPE_CHECKING:
    from cvtrack_magics.artifacts.slices import Slice
    from cvtrack_magics.display.report import Report
    from cvtrack_magics.tasks.base import Task
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

DIGITS = 7  # of replicates of metrics beside the headline: there may be many
DIGEST_LENGTH = 36  # what MLflow takes of a data set's digest


@command(
    predictions=Arg("EXPR", typed_predictions, many="+"),
    task=Arg("TASK"),
    threshold=Arg("T"),
    run=Arg("RUN"),
    mlflow=Arg("MODEL"),
    inputs=Arg("EXPR", expression),
    cluster=Arg("EXPR", expression),
    by=Arg("COLUMNS", comma_separated),
    about=Arg("EXPR", expression),
)
def mleval(
    predictions: Any,
    *,
    task: Task | None = None,
    threshold: float | None = None,
    iou: float = 0.5,
    prefix: str = "val",
    step: int | None = None,
    run: str = "",
    resamples: int = 1000,
    level: float = 0.95,
    figures: bool = True,
    mlflow: str = "",
    inputs: Any = None,
    cluster: Any = None,
    by: Sequence[str] = (),
    about: Any = None,
) -> Report:
    """Measure predictions by the metrics of their task, and record all of it.

    Figures with a confidence interval, confusion, curves, a row for each sample: the run gets
    every metric as ``<prefix>/<name>`` (names as in the scheme of the README), the interval of
    the headline metric as ``<prefix>/<name>/ci_low`` and ``ci_high``, and under
    ``evaluation/<prefix>/`` the figures as PNGs, ``metrics.json`` and ``samples.json``: a table
    with a row for each sample, which ``mlflow.load_table`` reads. Where ``%mldata --against``
    found that the training set has some of these samples, what is left without them is measured
    too, as ``<prefix>/slices/leaked/no/<name>``.

    Parameters
    ----------
    predictions : Predictions, tuple or dict
        Predictions; with a task (images, truth, output); or a model and its loader.
    task : str, optional
        The task, for a tuple or a model.
    threshold : float, optional
        The score from which on something counts; by default that of the best F1, or, of two
        classes, the likelier.
    iou : float
        The overlap from which on an object is found.
    prefix : str
        What stands before the metrics' names: ``val``, ``test`` …
    step : int, optional
        Otherwise the step that the run is at.
    run : str
        A finished run to record it in: its name in this experiment, its id, or
        ``MODEL@ALIAS``. Otherwise the open run.
    resamples : int
        Of the bootstrap that a mean AP's interval and comparisons are made of; 0: no interval.
    level : float
        Of the interval.
    figures : bool
        Draw confusion matrix, curves and bars.
    mlflow : str
        A logged model (``runs:/…``, ``models:/…``) that MLflow's own evaluation is run on with
        ``inputs``; or ``predictions``, to give it these predictions.
    inputs : array, optional
        What the logged model takes, N × …; goes with ``mlflow``.
    cluster : sequence, mapping or callable, optional
        A key of each sample, in order or by its id: the video a frame is of, the patient.
        The interval and the gate count keys then, not samples.
    by : sequence of str
        Columns that the samples are parted by, ``size,camera``: each part is measured too, as
        ``val/slices/camera/A/mAP50``. The task has ``class``, or ``size`` and ``objects``;
        pictures have ``brightness``; others are the predictions' ``about``. ``a*b``: each pair.
    about : mapping or DataFrame, optional
        More columns of the samples, by name; see ``Predictions.with_about``.

    Returns
    -------
    Report
        ``metrics``, ``evaluation`` and ``figures``; shows itself.

    Examples
    --------
    ::

        %mleval predictions --prefix test --by class
    """
    from cvtrack_magics.display.report import Report
    from cvtrack_magics.store.evidence import evidence_tags
    from cvtrack_magics.store.measured_alike import alike_tag
    from cvtrack_magics.tasks.evaluate import measure
    from cvtrack_magics.tasks.figures import figures as draw
    from cvtrack_magics.tasks.slices import measure_slices, parts_of

    made = predictions_of(predictions, task)
    made = made if about is None else made.with_about(about)
    session = get_session()
    known = known_leaks(made, session.leak_checks.of(prefix.strip("/").split("/")[0]))
    made, by = known.predictions, [*by, *known.by]
    asked_for = parts_of(made, by)  # says what cannot be parted before all is measured
    found = measure(
        made, threshold=threshold, iou=iou, resamples=resamples, level=level, cluster=cluster
    )
    drawn = draw(found) if figures else {}
    beside: Mapping[str, float] = {}
    if mlflow:
        beside = _by_mlflow(made, mlflow, inputs, prefix, run)
    values = metrics_of(found, prefix)
    digest = data_digest(made)
    parts: tuple[Slice, ...] = ()
    more: list[Record] = []
    if by:
        asked = {"iou": iou, "resamples": resamples, "level": level, "cluster": cluster}
        kept = sliced(measure_slices(made, asked_for, found, **asked), found, prefix, digest, by)
        parts, more = kept.slices, [kept.artifact]
        values |= kept.metrics
    said = known.notes(found, parts, session.config.digits)
    found = dataclasses.replace(found, notes=(*found.notes, *said))
    files = [*records_of(found, made, drawn, prefix, digest), *more]
    files += evidence_tags(session.masking().records(files))
    files.append(alike_tag(prefix.strip("/"), digest))
    where = record(run, values, files, step=step)
    target = target_of(run)
    if target is not None:
        points = figures_of(target, values, prefix, digest)
        session.evidence.keep(target, f"%mleval {prefix.strip('/')}".strip(), made, points)
        _tell_model(target, made, points)
    return Report(found, drawn, where, beside, session.config.digits, parts)


def figures_of(
    target: Target, values: Mapping[str, float], prefix: str, digest: str
) -> list[Metric]:
    """Return what was measured as the run has it, with the data set that it was measured on."""
    name, known = target.dataset(prefix.strip("/").split("/")[0])
    name, known = name or prefix.strip("/") or "data", known or digest
    return [
        dataclasses.replace(point, dataset_name=name, dataset_digest=known[:DIGEST_LENGTH])
        for point in target.last_points(values)
    ]


def _tell_model(target: Target, predictions: Predictions, points: Sequence[Metric]) -> None:
    """Give the run's model what was measured of it, where it is the one that was asked."""
    asked = predictions.given.asked if predictions.given is not None else None
    if asked is None or not points:
        return
    model = get_session().made_models.asked(target, lambda one: not asked.why_not(one))
    if model is not None:
        target.record({}, [measured(model, points)])


def _by_mlflow(
    predictions: Predictions, model: str, inputs: Any, prefix: str, run: str
) -> dict[str, float]:
    from cvtrack_magics.store.mlflow_evaluate import evaluate_labels, predicted_labels
    from cvtrack_magics.tasks.kind import kind_of

    if not kind_of(predictions.task).has_mlflow_evaluation:
        raise UsageProblem(
            f"MLflow has no evaluation for {predictions.task}.", "--mlflow is for classification."
        )
    target = stored(needed(run, "MLflow's evaluation"), "MLflow's evaluation")
    data = predictions.labels
    if model == "predictions":
        said = data.probabilities.argmax(axis=1)
    else:
        said = predicted_labels(model, inputs, len(predictions))
    known = data.truth >= 0
    # a slash would be read by MLflow as one between a metric's name and its version
    start = f"{prefix.strip('/').replace('/', '_')}_mlflow_".lstrip("_")
    return evaluate_labels(data.truth[known], said[known], start, target)


def metrics_of(found: Evaluation, prefix: str) -> dict[str, float]:
    """Return the metrics under the names they are logged by; a NaN is no metric."""
    start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    values = {
        safe_key(start + name): float(value)
        for name, value in found.metrics.items()
        if math.isfinite(value)
    }
    interval = found.interval
    if interval is not None and math.isfinite(interval.low):
        values[safe_key(f"{start}{interval.metric}/ci_low")] = interval.low
        values[safe_key(f"{start}{interval.metric}/ci_high")] = interval.high
    return values


def records_of(
    found: Evaluation,
    predictions: Predictions,
    pictures: Mapping[str, bytes],
    prefix: str,
    digest: str,
) -> list[Record]:
    """Return the files of an evaluation; ``digest`` is that of :func:`data_digest`."""
    from cvtrack_magics.tasks.picture_sketch import sketch

    place = stored_part(prefix.strip("/"))
    folder = metrics_path(place).rpartition("/")[0]
    whole = measured_of(found, prefix, digest, len(predictions))
    whole = dataclasses.replace(whole, pictures=sketch(predictions))
    columns = tuple(found.samples)
    rows = zip(*(_column(found.samples[name]) for name in columns), strict=True)
    return [
        Artifact(metrics_path(place), written(whole)),
        Artifact(samples_path(place), written(SampleTable(columns, tuple(rows)), indent=None)),
        *(Artifact(f"{folder}/{name}.png", png) for name, png in pictures.items()),
    ]


def measured_of(found: Evaluation, prefix: str, digest: str, samples: int) -> Measured:
    """Return the facts of an evaluation; ``digest`` is that of :func:`data_digest`."""
    from cvtrack_magics.vision.metric_catalog import VERSION

    interval, replicates = found.interval, found.replicates
    return Measured(
        prefix=prefix.strip("/"),
        task=found.task,
        headline=found.headline,
        samples=samples,
        data_sha256=digest,
        metrics={name: float(value) for name, value in found.metrics.items()},
        interval=None
        if interval is None
        else Interval(
            metric=interval.metric,
            value=float(interval.value),
            low=float(interval.low),
            high=float(interval.high),
            level=interval.level,
            resamples=interval.resamples,
        ),
        classes=tuple(map(str, found.classes)),
        per_class={name: tuple(map(float, values)) for name, values in found.per_class.items()},
        confusion=None if found.confusion is None else found.confusion.tolist(),
        notes=tuple(found.notes),
        settings={
            **{name: _setting(value) for name, value in found.settings.items()},
            "scheme": VERSION,
            "seed": None if replicates is None else replicates.seed,
            "first_draw": None if replicates is None else replicates.first,
        },
        replicates=() if replicates is None else tuple(map(float, replicates.values)),
        other_replicates={
            name: tuple(map(float, values.round(DIGITS)))
            for name, values in (replicates.others if replicates else {}).items()
        },
    )


def data_digest(predictions: Predictions) -> str:
    """Return the SHA-256 of which samples were measured against which truth.

    Two evaluations of the same digest were made on the same data, in whatever order.
    """
    from cvtrack_magics.tasks.truth_digest import truths

    whole = hashlib.sha256(f"{predictions.task}\n{len(predictions)}\n".encode())
    for name, truth in sorted(zip(predictions.ids, truths(predictions), strict=True)):
        whole.update(utf8(f"{name}\0{hashlib.sha256(truth).hexdigest()}\n"))
    return whole.hexdigest()


def _setting(value: Any) -> float | str | None:
    if value is None:
        return None
    return float(value) if math.isfinite(float(value)) else str(float(value))


def _column(values: Any) -> list[Any]:
    """Return a column as JSON has it: no NaN, no NumPy."""
    kind = values.dtype.kind
    if kind == "f":
        return [value if math.isfinite(value) else None for value in values.tolist()]
    return [str(value) for value in values] if kind in "UO" else list(values.tolist())
