"""One exporter's work: written, checked, loaded, compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cvtrack_magics.artifacts.export import Port
from cvtrack_magics.errors import CvtrackError, chain_of
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.export.bisect import differing_layer
from cvtrack_magics.release.export.captured_output import Chatter, clean
from cvtrack_magics.release.export.facts import Check, Export, Stage
from cvtrack_magics.release.export.inputs import AXES
from cvtrack_magics.release.export.onnxfile import open_onnx
from cvtrack_magics.release.export.parity import (
    Answers,
    compared_cases,
    constant_outputs,
    empty_everywhere,
    only_failed,
    ports_of,
)
from cvtrack_magics.release.export.purity import Function
from cvtrack_magics.release.export.running import Run, checked_structure, loaded, running
from cvtrack_magics.release.export.subject import Subject
from cvtrack_magics.release.export.writers import Job, Writer, Written

_PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime", "onnxscript", "numpy")
_DECISION = tuple(
    f"Converting a tensor to a {kind}"
    for kind in (
        "Python boolean",
        "Python float",
        "Python integer",
        "Python number",
        "Python index",
        "Python list",
        "NumPy array",
    )
)
_OTHER_RESULT = "Make the layer independent of values and sizes."
_ROUNDED = "All decisions agree and the rest is close: rtol=0.01, atol=0.001 would take it."
_KEEP_DECISIONS = "Use torch.where or torch.cond in place of if; or torchscript, which keeps them."


@dataclass(frozen=True)
class Work:
    """What is exported, and what the model answers."""

    job: Job
    subject: Subject
    function: Function
    answers: Answers
    chatter: Chatter
    seed: int


class Failed(Exception):
    """An exporter's work is not good enough.

    ``final`` tells that another exporter would only hide it.
    """

    def __init__(
        self,
        exporter: str,
        stage: Stage,
        problem: str,
        hint: str = "",
        *,
        layer: str = "",
        checks: Sequence[Check] = (),
        final: bool = False,
    ) -> None:
        super().__init__(problem)
        self.exporter, self.stage, self.final = exporter, stage, final
        self.problem, self.hint, self.layer = clean(problem, 300), hint, layer
        self.checks = tuple(checks)


def attempted(work: Work, name: str, writer: Writer, before: tuple[str, ...]) -> Export:
    """Export with one exporter and compare.

    Parameters
    ----------
    work : Work
        What is exported.
    name, writer : str, callable
        The exporter.
    before : tuple of str
        What is to be said of the exporters tried before.

    Returns
    -------
    Export
        Without the files, which are not in their place yet.

    Raises
    ------
    Failed
        At which stage, and why.
    """
    written, notes = _written(work, name, writer)
    run, opset, inputs, outputs = _opened(work, name)
    checks, said = _compared(work, name, writer, run, written)
    return Export(
        format=work.job.format,
        files=(),
        exporter=name,
        opset=opset,
        inputs=inputs,
        outputs=outputs,
        dynamic=(),
        tolerance=work.function.tolerance,
        seed=work.seed,
        versions={package: found for package in _PACKAGES if (found := version_of(package))},
        checks=checks,
        skipped=tuple(work.answers.skipped),
        attempts=before,
        notes=(*work.function.notes, *notes, *said),
    )


def version_of(package: str) -> str:
    """Return the version of an installed package, or ``""``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _written(work: Work, name: str, writer: Writer) -> tuple[Written, tuple[str, ...]]:
    warned = len(work.chatter.warned)
    try:
        written = writer(work.job)
    except CvtrackError as error:
        raise Failed(name, "export", error.problem, error.hint, final=True) from error
    except Exception as error:  # exporters raise whatever their parts raise
        problem, hint = kind_and_line(_root(error), 300), ""
        if work.function.decides:
            problem = f"a decision on values cannot be exported: {problem}"
            hint = _KEEP_DECISIONS
        raise Failed(name, "export", problem, hint, layer=work.subject.culprit(error)) from error
    if not written.frozen:
        return written, ()
    places = frozen_places(work.chatter.warned[warned:])
    own = [place for place, library in places.items() if not library]
    if own and work.function.decides:
        raise Failed(
            name,
            "export",
            f"a decision on values would be taken once and for all, at {own[0]}.",
            _KEEP_DECISIONS,
            layer=work.function.decides,
        )
    if own and any(work.job.inputs.axes):
        raise Failed(
            name,
            "export",
            f"a decision on sizes would be taken once and for all, at {own[0]}.",
            "Export with fixed sizes: dynamic=().",
        )
    return written, tuple(f"The trace fixed a decision at {place}." for place in places)


def frozen_places(warned: Sequence[tuple[str, str, str, int]]) -> dict[str, bool]:
    """Return where a trace took a decision, and whether that is in torch or torchvision."""
    import torch

    library = os.path.dirname(os.path.dirname(torch.__file__))
    return {
        f"{'/'.join(Path(file).parts[-2:])}:{line}": os.path.dirname(file).startswith(library)
        for kind, message, file, line in warned
        if kind == "TracerWarning" and any(word in message for word in _DECISION)
    }


def _opened(work: Work, name: str) -> tuple[Run, int | None, tuple[Port, ...], tuple[Port, ...]]:
    path, inputs = work.job.path, work.job.inputs
    try:
        if work.job.format != "onnx":
            run = loaded(work.job.format, path, inputs)
            return run, None, *ports_of(work.subject, work.function, work.answers)
        opset, graph = checked_structure(path), open_onnx(path)
    except CvtrackError as error:
        raise Failed(name, "structure", error.problem, error.hint) from error
    except Exception as error:
        raise Failed(name, "structure", kind_and_line(error, 300)) from error
    if work.job.opset not in (None, opset):
        raise Failed(
            name,
            "structure",
            f"the exporter wrote opset {opset}, not {work.job.opset}.",
            f"Choose opset {opset} or leave it out.",
        )
    outputs = tuple(map(_plain_axes, graph.outputs))
    names = inputs.names if work.job.given is None else _by_place(work, name, graph.inputs)
    return running(graph, names), opset, graph.inputs, outputs


def _by_place(work: Work, name: str, ports: Sequence[Port]) -> tuple[str, ...]:
    """Return what a file that somebody else exported calls the inputs, in their order."""
    known = tuple(work.job.inputs.names)
    mine = tuple(port.name for port in ports)
    if set(mine) <= set(known):
        return known
    if len(mine) != len(known):
        raise Failed(
            name,
            "structure",
            f"the file takes {len(mine)} inputs ({', '.join(mine)}), the model {len(known)}.",
            "Export it with all inputs of forward.",
        )
    return mine


def _plain_axes(port: Port) -> Port:
    """Leave out the names that the exporter made up for axes; ``2*batch`` says something."""
    shape = tuple(
        size if isinstance(size, int) or any(word in size for word in AXES) else ""
        for size in port.shape
    )
    return replace(port, shape=shape)


def _compared(
    work: Work, name: str, writer: Writer, run: Run, written: Written
) -> tuple[tuple[Check, ...], list[str]]:
    work.answers.also(written.sizes)
    pairs, notes = compared_cases(run, work.answers, work.function)
    failed = only_failed(pairs)
    if failed:
        worst = next(case for case, check in pairs if check is failed[0])
        layer = ""
        if work.job.given is None:
            layer = differing_layer(
                work.subject, work.job, writer, worst.leaves, work.function.tolerance
            )
        raise Failed(
            name,
            "parity",
            f"the export computes something else: {failed[0].output}, {failed[0].case}"
            + (f", {failed[0].note}." if failed[0].note else f", off by {failed[0].max_abs:.3g}."),
            _ROUNDED if all(map(_near, failed)) else _OTHER_RESULT,
            layer=layer,
            checks=failed,
        )
    checks = tuple(check for _, check in pairs)
    empty = empty_everywhere(checks)
    if empty:
        raise Failed(
            name,
            "parity",
            f"output {empty!r} is empty in every case: there is nothing to compare.",
            "Give an example that shows something, or lower the score threshold.",
            final=True,
        )
    constant = constant_outputs(work.answers, work.function.output_names)
    if len(constant) == len(work.function.output_names):
        raise Failed(
            name,
            "parity",
            "the model gives the same whatever its inputs: there is nothing to compare.",
            "Load the weights first; a head of zeros, as some have before training, gives zeros.",
            final=True,
        )
    return checks, [*notes, *(f"output {each!r} is a constant" for each in constant)]


def _near(check: Check) -> bool:
    return check.max_rel < 0.01 and check.agreement in (None, 1.0)


def _root(error: BaseException) -> BaseException:
    return [*chain_of(error, causes_only=True)][-1]
