"""``%mlexport int8``: a model in fewer bits, kept where the task's figure shows it as good."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.paths import quantized_path
from cvtrack_magics.commands.mlmodel import files_of
from cvtrack_magics.errors import QuantizationRefused, UsageProblem
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run.model_making import making, measured
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.artifacts.quantized import Quantized
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.export import Export
    from cvtrack_magics.release.quantize.quantizing import Precision, Wanted
    from cvtrack_magics.tasks.base import Task

PRECISIONS = ("int8", "fp16")


def wanted_of(
    precision: Precision,
    *,
    calibrate: Any,
    heldout: Any,
    task: Task | None,
    classes: Any,
    by: Sequence[str],
    allow: float,
) -> Wanted:
    """Return what is asked for.

    Raises
    ------
    UsageProblem
        Something that decides was not said.
    """
    from cvtrack_magics.release.quantize.judging import Heldout
    from cvtrack_magics.release.quantize.quantizing import Wanted, check_installed
    from cvtrack_magics.release.quantize.samples import calibration_of

    check_installed()
    if heldout is None or task is None:
        raise UsageProblem(
            f"Nothing shows how good the {precision} model is.",
            "--heldout LOADER --task TASK: batches of (images, truth) that judge it.",
        )
    if precision == "int8" and calibrate is None:
        raise UsageProblem(
            "8 bits need the ranges of the model's values.", "--calibrate LOADER: training data."
        )
    if not 0 < allow < 1:
        raise UsageProblem(f"--allow {allow:g} is not between 0 and 1.")
    calibration = None if precision == "fp16" else calibration_of(calibrate)
    return Wanted(precision, allow, Heldout(heldout, task, classes, by), calibration)


def example_of(wanted: Wanted, example: Any) -> Any:
    """Return an example of the model's input: the one given, or the first samples."""
    import torch

    from cvtrack_magics.release.quantize.samples import as_images

    if example is not None:
        return example
    if wanted.calibration is not None:
        return torch.from_numpy(wanted.calibration.batches[0][:2])
    return torch.from_numpy(as_images(next(iter(wanted.heldout.loader)))[:2])


def record_quantized(target: Target | None, model: Any, full: Export, wanted: Wanted) -> Listing:
    """Make the model in fewer bits, and record it where a run is open."""
    precision = wanted.precision
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as temporary:
        folder = Path(temporary)
        if target is None:
            where = "Not recorded, since no run is open: put it into the %%mlrun cell, or --run."
            return listing_of(_made(model, full, wanted, folder), where)
        with making(target, precision, f"{precision} export") as made:
            found = _made(model, full, wanted, folder)
            made.begin()
            where = _record(target, made, found, full, folder)
    return listing_of(found, where)


def _made(model: Any, full: Export, wanted: Wanted, folder: Path) -> Quantized:
    import torch

    from cvtrack_magics.release.quantize.quantizing import quantized
    from cvtrack_magics.vision.eval_mode import evaluating

    with evaluating(model), torch.no_grad():
        like = model(example_of(wanted, None).to(_device_of(model)))
    try:
        return quantized(full, like, wanted, folder)
    except QuantizationRefused as error:
        error.shown = _refusal(error, wanted)
        raise


def _device_of(model: Any) -> Any:
    return next((one.device for one in model.parameters()), "cpu")


def _record(target: Target, made: Any, found: Quantized, full: Export, folder: Path) -> str:
    from cvtrack_magics.commands.mlexport import digest_tag, with_flavour
    from cvtrack_magics.release.export.facts import ExportedFile

    path = folder / "model.onnx"
    file = ExportedFile(path, found.size, found.sha256)
    kept = with_flavour(replace(full, files=(file,)), folder / "kept")
    files: list[Record] = [*files_of(kept, found.format)]
    files.append(Artifact(quantized_path(found.format), written(found)))
    proved = digest_tag(files, found.format)
    metrics = metrics_of(found)
    ended = made.ended(holds=True, tags={proved.key: proved.value})
    where = target.record(metrics, [ended, *files, proved], now=True)
    points = target.last_points(metrics)
    if points:
        target.record({}, [measured(ended, points)])
    return where


def metrics_of(found: Quantized) -> dict[str, float]:
    """Return the figures by name, such as ``export/int8/top1_acc``."""
    figures = {
        found.metric: found.quantized,
        "lost": found.lost,
        "lost_at_most": found.lost_at_most,
        "size_mb": found.size / 1e6,
        "latency_ms": found.latency_ms,
    }
    return {f"export/{found.format}/{name}": v for name, v in figures.items() if v is not None}


def listing_of(found: Quantized, where: str) -> Listing:
    """Return a model in fewer bits beside the one in full precision, as a table."""
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.display.text import number

    def short(value: float | None) -> str:
        return "–" if value is None else number(value, 3)

    def pair(name: str, full: float | None, other: float | None) -> tuple[str, ...]:
        return (name, *("–" if one is None else number(one, 4) for one in (full, other)))

    rows = [
        pair(found.metric, found.full, found.quantized),
        pair("MB", found.full_size / 1e6, found.size / 1e6),
        pair("ms a sample", found.full_latency_ms, found.latency_ms),
        pair("median confidence", *found.confidence),
        pair("best threshold", *found.threshold),
        *(
            pair(f"{one.column} {one.value} ({one.samples})", one.full, one.quantized)
            for one in found.parts
        ),
    ]
    shown = [row for row in rows if set(row[1:]) != {"–"}]
    return Listing(
        f"{found.format}: loses {short(found.lost)} of {found.metric}, at most "
        f"{short(found.lost_at_most)} ({found.samples} samples, {short(found.allowed)} allowed)",
        result=found,
        where=where,
        passed=True,
        columns=("", "full precision", found.format),
        rows=tuple(shown),
        notes=(found.method, *found.notes),
    )


def _refusal(error: QuantizationRefused, wanted: Wanted) -> Listing:
    from cvtrack_magics.display.table_view import Listing

    return Listing(
        f"{wanted.precision}: {error.problem}",
        result=error,
        where="The model was not kept.",
        passed=False,
        columns=("tried",),
        rows=tuple((one,) for one in error.tries),
        notes=(error.hint,),
    )
