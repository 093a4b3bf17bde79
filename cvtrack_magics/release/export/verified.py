"""Export, compare, keep: or refuse, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.errors import (
    CvtrackError,
    ExportRefused,
    ImpureModel,
    UsageProblem,
    did_you_mean,
)
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.export.attempt import Failed, Work, attempted, version_of
from cvtrack_magics.release.export.captured_output import quiet
from cvtrack_magics.release.export.facts import (
    FORMATS,
    Export,
    ExportedFile,
    Format,
    Report,
)
from cvtrack_magics.release.export.inputs import inputs_of
from cvtrack_magics.release.export.parity import Answers
from cvtrack_magics.release.export.purity import checked_function
from cvtrack_magics.release.export.refusing import report_of, told
from cvtrack_magics.release.export.subject import subject_of, undisturbed
from cvtrack_magics.release.export.test_inputs import traced_on
from cvtrack_magics.release.export.writers import FILE, INLINE_LIMIT, Job, writers
from cvtrack_magics.release.graph import graph_digest
from cvtrack_magics.release.traceless import stamp_onnx
from cvtrack_magics.release.weights import weights_digest


def export(
    model: Any,
    example: Any,
    folder: Path,
    *,
    format: Format = "onnx",
    opset: int | None = None,
    dynamic: Sequence[str] = ("batch",),
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
    inline_limit: int = INLINE_LIMIT,
    about: Mapping[str, str] | None = None,
    given: Path | None = None,
) -> Export:
    """Export a model and keep the file if it computes what the model computes.

    The model itself is not touched: a copy in eval mode on the CPU is exported. It must be a
    function of its inputs. What is written is checked, loaded in its runtime and compared
    with the model on the example, on random inputs with the example's statistics, on inputs
    far from it, and on other sizes of the dynamic axes.

    Parameters
    ----------
    model : torch.nn.Module
        On any device, in any mode.
    example : tensor, array, tuple, dict or list of tensors
        What the model is called with: a tuple is several arguments, a dict named ones, a
        list of C × H × W images is what torchvision's detectors take.
    folder : Path
        Where ``model.onnx`` (with ``model.onnx.data`` where it is large),
        ``model.torchscript.pt`` or ``model.pt2`` is written. A file of that name is replaced.
    format : {'onnx', 'torchscript', 'pt2'}
    opset : int, optional
        Of ONNX; the exporter's own choice otherwise.
    dynamic : sequence of str
        Of ``batch``, ``height`` and ``width``: axes whose size is open.
    rtol, atol : float, optional
        See :class:`Tolerance`; by the model's precision otherwise.
    seed : int
        Of the random inputs.
    inline_limit : int
        Bytes of weights above which an ONNX file keeps them in a file beside it.
    about : mapping of str to str, optional
        More of what an ONNX file says of itself (``metadata_props``).
    given : Path, optional
        An ONNX file that somebody exported already: it is proved, and none is made.

    Returns
    -------
    Export
        The files, and the evidence.

    Raises
    ------
    UsageProblem
        An argument cannot be used.
    ExportRefused
        The model was not exported, with a report; nothing is left in the folder.
    CvtrackError
        A package is missing, or the model cannot be copied.
    """
    started = time.monotonic()
    _check_arguments(model, format, opset)
    folder = Path(folder)
    with quiet() as chatter, undisturbed(seed):
        inputs = inputs_of(model, example, dynamic)
        subject = subject_of(model, inputs)
        traced = traced_on(inputs, seed)
        try:
            rng = np.random.default_rng(seed)
            function = checked_function(subject, traced, rtol, atol, rng)
            answers = Answers(subject, function, seed)
            with _new_folder(folder) as scratch:
                names = function.output_names
                path = scratch / FILE[format]
                job = Job(
                    format,
                    subject.model,
                    inputs,
                    traced,
                    names,
                    path,
                    opset,
                    inline_limit,
                    about or {},
                    given,
                )
                made = _first_good(Work(job, subject, function, answers, chatter, seed), scratch)
                files = _kept(scratch, folder, format)
        except ImpureModel as error:
            raise ExportRefused(_no_function(format, error)) from error
    open_axes = tuple(word for word in dynamic if inputs.has(word))
    return replace(
        made,
        files=files,
        dynamic=open_axes,
        seconds=time.monotonic() - started,
        weights_sha256=weights_digest(model),
        graph=graph_digest(model),
    )


def stamped(found: Export, about: Mapping[str, str]) -> Export:
    """Return an ONNX export whose file says more of itself; what it computes is the same."""
    stamp_onnx(found.path, about)
    path = found.path
    first = ExportedFile(path, path.stat().st_size, sha256_file(os.fspath(path)).sha256)
    return replace(found, files=(first, *found.files[1:]))


def _no_function(format: Format, error: ImpureModel) -> Report:
    return Report(
        format, "model", error.problem, error.layer, checks=error.checks, tries=(error.hint,)
    )


def _check_arguments(model: Any, format: str, opset: int | None) -> None:
    try:
        import torch
    except ImportError:
        raise CvtrackError(
            "Exporting a model needs PyTorch.", "Type pip install 'cvtrack_magics[torch]'."
        ) from None
    if not isinstance(model, torch.nn.Module):
        raise UsageProblem(
            f"A torch.nn.Module can be exported, not a {type(model).__name__}.",
            "Give the model itself.",
        )
    if format not in FORMATS:
        raise UsageProblem(
            f"There is no format {format!r}.{did_you_mean(format, FORMATS)}",
            f"Choose from {', '.join(FORMATS)}.",
        )
    if opset is not None and format != "onnx":
        raise UsageProblem(f"An opset is ONNX's, not {format}'s.", "Leave it out.")
    if format == "onnx":
        for package in ("onnx", "onnxruntime"):
            if not version_of(package):
                raise CvtrackError(
                    f"Exporting to ONNX needs {package}.",
                    "Type pip install 'cvtrack_magics[onnx]'.",
                )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder inside; take it away, and all that was made for it when it fails."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    except OSError as error:
        raise UsageProblem(
            f"Nothing can be written to {os.fspath(folder)!r}: {in_one_line(error)}.",
            "Give a folder of your own.",
        ) from error
    try:
        yield scratch
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):  # a folder that is in use by now stays
            for each in missing:
                each.rmdir()
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _first_good(work: Work, scratch: Path) -> Export:
    """Return what the first exporter made whose work is right; refuse when none's is."""
    failures: list[Failed] = []
    for name, writer in writers(work.job.format, work.job.given).items():
        try:
            return attempted(work, name, writer, tuple(map(told, failures)))
        except Failed as failed:
            failures.append(failed)
            for left in scratch.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            if failed.final:
                break
    raise ExportRefused(report_of(work, failures)) from failures[-1]


def _kept(scratch: Path, folder: Path, format: Format) -> tuple[ExportedFile, ...]:
    """Move the files to where they belong, weights before the model that names them."""
    found = sorted(scratch.iterdir(), key=lambda path: path.name == FILE[format])
    files = []
    for path in found:
        target = folder / path.name
        os.replace(path, target)
        files.append(
            ExportedFile(target, target.stat().st_size, sha256_file(os.fspath(target)).sha256)
        )
    return tuple(reversed(files))
