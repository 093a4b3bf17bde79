"""``mlexport()``: an export that was proved equal, kept with the proof."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.paths import evidence_path
from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.mlmodel import files_of
from cvtrack_magics.commands.quantizing import PRECISIONS, example_of, record_quantized, wanted_of
from cvtrack_magics.commands.typed import comma_separated, expression
from cvtrack_magics.errors import ExportRefused, StoreUnavailable, UsageProblem
from cvtrack_magics.records import Artifact, Record, Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_making import Making, making, measured
from cvtrack_magics.run.recording import Target, target_of

if TYPE_CHECKING:
    from cvtrack_magics.artifacts.export import Port
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.export import Check, Export
    from cvtrack_magics.release.export.facts import Format
    from cvtrack_magics.release.quantize.quantizing import Wanted
    from cvtrack_magics.tasks.base import Task

COLUMNS = ("", "inputs", "output", "shape", "max abs", "max rel", "agree")
SHOWN = 12


def _axes(text: str, typed: Typed) -> tuple[str, ...]:
    """Return the axes between commas; none of them for ``none``."""
    return () if text == "none" else comma_separated(text, typed)


@command(
    model=Arg("MODEL", expression),
    example=Arg("EXPR", expression, flag="--example"),
    dynamic=Arg("AXIS,…", _axes),
    tolerance=Arg("T"),
    seed=Arg("S"),
    run=Arg("RUN"),
    calibrate=Arg("EXPR", expression),
    heldout=Arg("EXPR", expression),
    task=Arg("TASK"),
    classes=Arg("EXPR", expression),
    by=Arg("COLUMNS", comma_separated),
    allow=Arg("X"),
)
def mlexport(
    format: Literal["onnx", "torchscript", "pt2", "int8", "fp16"],
    model: Any,
    example: Any = None,
    *,
    opset: int | None = None,
    dynamic: Sequence[str] = ("batch",),
    tolerance: float | None = None,
    seed: int = 0,
    run: str = "",
    calibrate: Any = None,
    heldout: Any = None,
    task: Task | None = None,
    classes: Sequence[str] | None = None,
    by: Sequence[str] = (),
    allow: float = 0.01,
) -> Listing:
    """Export a model, prove that the export computes the same, and record both.

    A difference or an operator that cannot be exported: the export is not recorded, and a report
    says where it begins and what to try; MLflow 3 lists it as a model that failed. Otherwise the
    run gets ``<format>/`` with the model (for ONNX an MLflow model with its signature) and
    ``evidence.json``, and the metrics
    ``export/<format>/max_abs_diff``, ``max_rel_diff``, ``agreement`` and ``size_mb``.

    In fewer bits (``int8``, ``fp16``) a model never computes quite the same. It is made from the
    proved ONNX export, and kept only where the task's headline metric, on held-out samples and in
    pairs, surely loses less than --allow; layers that hurt stay in full precision. The run gets
    ``int8/`` with the model and ``quantized.json``, and metrics such as ``export/int8/lost``.

    Parameters
    ----------
    format : {'onnx', 'torchscript', 'pt2', 'int8', 'fp16'}
        What to export to.
    model : torch.nn.Module
        A torch module; in eval mode while this runs, and put back afterwards.
    example : tensor, array, tuple, list or dict
        A real input: a batch as the model takes it, several inputs, or inputs by name. Of int8
        and fp16 the first samples, where it is not given.
    opset : int, optional
        Of ONNX; otherwise the exporter's own.
    dynamic : sequence of str
        Axes whose size is open: ``batch``, ``height``, ``width``; or ``none``.
    tolerance : float, optional
        Relative; the absolute one is a tenth of it. Otherwise that of the precision.
    seed : int
        Of the random inputs.
    run : str
        A finished run to record it in; otherwise the open one.
    calibrate : loader or array, N x …
        Of int8: training samples, up to 256, that tell the ranges of all values.
    heldout : loader
        Of int8 and fp16: batches of (images, truth) that judge, at least 20 samples.
    task : str
        Theirs, as for ``%mleval``.
    classes : sequence of str
        Theirs, where the loader's data set does not say them.
    by : sequence of str
        Columns that the held-out samples are parted by; no part may lose more either.
    allow : float
        What the headline metric may lose, with 95 % confidence.

    Returns
    -------
    Listing
        ``result`` is the ``Export``, or the ``Quantized`` of int8 and fp16.

    Raises
    ------
    ExportRefused
        The export would compute something else, or cannot be made; it is not recorded.
    QuantizationRefused
        The model in fewer bits loses too much, or too few samples can tell; it is not recorded.

    Examples
    --------
    ::

        %mlexport onnx model --example images[:1] --dynamic batch
    """
    target = target_of(run)
    kind, wanted, example = _wanted(
        format, example, calibrate, heldout, task=task, classes=classes, by=by, allow=allow
    )

    def made_in(folder: Path) -> Export:
        return exported(
            model,
            example,
            folder / "made",
            format=kind,
            opset=opset,
            dynamic=dynamic,
            rtol=tolerance,
            atol=None if tolerance is None else tolerance / 10,
            seed=seed,
            about=about_of(target, model),
        )

    with tempfile.TemporaryDirectory(prefix="cvtrack-") as temporary:
        if wanted is not None:
            return record_quantized(target, model, made_in(Path(temporary)), wanted)
        if target is None:
            where = "Not recorded, since no run is open: put it into the %%mlrun cell, or --run."
            return listing_of(made_in(Path(temporary)), where)
        with making(target, format, f"{format} export") as made:
            found = made_in(Path(temporary))
            made.begin()
            where = record_export(target, made, found, Path(temporary))
    return listing_of(found, where)


def _wanted(
    format: str, example: Any, calibrate: Any, heldout: Any, **judging: Any
) -> tuple[Format, Wanted | None, Any]:
    """Return what is exported first, what becomes of it, and the example."""
    if format in PRECISIONS:
        wanted = wanted_of(format, calibrate=calibrate, heldout=heldout, **judging)  # type: ignore[arg-type]
        return "onnx", wanted, example_of(wanted, example)
    if example is None:
        raise UsageProblem("An export needs a real input.", "--example images[:1], for instance.")
    if calibrate is not None or heldout is not None:
        raise UsageProblem(f"{format} computes the same: nothing is calibrated or judged.")
    return format, None, example  # type: ignore[return-value]


def about_of(target: Target | None, model: Any) -> dict[str, str]:
    """Return what an ONNX file says of itself: its network, its run, and its version if any.

    A version is of this network where its weights are the same, whenever it was registered.
    """
    from cvtrack_magics.release.weights import weights_digest
    from cvtrack_magics.store.model_files import version_with

    said = {"digest": weights_digest(model)}
    if target is None:
        return said
    run = target.in_store()
    said |= {"run": target.name, "run_id": "" if run is None else run.run_id}
    if run is not None:
        with suppress(StoreUnavailable):  # the file is as right without
            name, version = version_with(run.uri, run.run_id, said["digest"])
            said |= {"name": name, "version": version} if name else {}
    return said


def record_export(target: Target, made: Making, found: Export, folder: Path) -> str:
    """Record an export with its proof and what it measured; return where, in words."""
    format = found.format
    kept = with_flavour(found, folder / "kept") if format == "onnx" else folder / "made"
    files = [*files_of(kept, format), evidence_of(found)]
    proved = digest_tag(files, format)
    metrics = found.metrics()
    ended = made.ended(holds=True, tags={proved.key: proved.value})
    where = target.record(metrics, [ended, *files, proved], now=True)
    points = target.last_points(metrics)
    if points:
        target.record({}, [measured(ended, points)])
    return where


def exported(*args: Any, **options: Any) -> Export:
    """Export; a refusal carries its report, for a notebook to show."""
    from cvtrack_magics.release.export import export

    try:
        return export(*args, **options)
    except ExportRefused as error:
        error.shown = refusal_of(error)
        raise


def with_flavour(found: Export, folder: Path) -> Path:
    """Return the export as an MLflow model of the ONNX flavour."""
    from cvtrack_magics.store.models import save_onnx

    def specs(ports: Iterable[Port]) -> list[dict[str, Any]]:
        return [
            {
                "kind": "tensor",
                "name": port.name,
                "dtype": port.dtype,
                "shape": [size if isinstance(size, int) else -1 for size in port.shape],
            }
            for port in ports
        ]

    save_onnx(found.path, folder, inputs=specs(found.inputs), outputs=specs(found.outputs))
    return folder


def digest_tag(files: Sequence[Record], format: str) -> Tag:
    """Return the tag by which altered files are noticed, the proof among them."""
    from cvtrack_magics.store.model_files import EXPORT_TAG, digest_of_records

    masked = get_session().masking().records(files)
    return Tag(f"{EXPORT_TAG}{format}", digest_of_records(masked, format))


def evidence_of(found: Export) -> Record:
    """Return the proof of an export as a file beside it."""
    return Artifact(evidence_path(found.format), written(found.evidence()))


def listing_of(found: Export, where: str) -> Listing:
    """Return an export and its proof as a table, the largest differences first."""
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.display.text import number

    agreement = "" if found.agreement is None else f", decisions agree in {found.agreement:.0%}"
    worst = sorted(found.checks, key=lambda check: -check.max_abs)
    more = len(worst) - SHOWN
    notes = [
        f"{found.exporter}"
        + (f", opset {found.opset}" if found.opset else "")
        + f"; tolerance {found.tolerance.rtol:g} relative, {found.tolerance.atol:g} absolute",
        *([f"and {more} more checks, with smaller differences"] if more > 0 else []),
        *found.notes,
        *(f"Not tried: {skipped}" for skipped in found.skipped),
    ]
    return Listing(
        f"{found.format}: equal in {len(found.checks)} checks{agreement}, "
        f"{number(found.size / 1e6, 2)} MB",
        result=found,
        where=where,
        passed=True,
        columns=COLUMNS,
        rows=_rows(worst[:SHOWN]),
        notes=tuple(notes),
    )


def refusal_of(error: ExportRefused) -> Listing:
    """Return the report of an export that was refused."""
    from cvtrack_magics.display.table_view import Listing

    report = error.report
    first, *rest = report.lines()
    return Listing(
        f"{report.format}: {first}",
        result=report,
        where="The export was not recorded.",
        passed=False,
        columns=COLUMNS if report.checks else (),
        rows=_rows(report.checks[:SHOWN]),
        notes=tuple(line for line in rest if not (report.checks and line.startswith("Failed: "))),
    )


def _rows(checks: Iterable[Check]) -> tuple[tuple[str, ...], ...]:
    from cvtrack_magics.display.table_view import MARKS

    return tuple(
        (
            MARKS[check.ok],
            check.case,
            check.output,
            "×".join(str(size) for size in check.shape),
            f"{check.max_abs:.1e}",
            f"{check.max_rel:.1e}",
            "–" if check.agreement is None else f"{check.agreement:.0%}",
        )
        for check in checks
    )
