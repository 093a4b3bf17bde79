"""What is said when no exporter's work was good enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cvtrack_magics.release.export.attempt import Failed, Work
from cvtrack_magics.release.export.facts import Report
from cvtrack_magics.release.export.subject import quantized

_ORDER = ("export", "structure", "parity")
_QUANTIZED = (
    "Export the float model and quantise the ONNX file with onnxruntime.quantization, "
    "or export to torchscript."
)


def told(failed: Failed) -> str:
    """Return one line of an attempt."""
    layer = f" In {failed.layer}." if failed.layer else ""
    return f"{failed.exporter}: {failed.problem}{layer}"


def report_of(work: Work, failures: Sequence[Failed]) -> Report:
    """Return the report of the attempt that came furthest."""
    best = max(failures, key=lambda failed: (failed.final, _ORDER.index(failed.stage)))
    worst = best.checks[0] if best.checks else None
    hints = [_advice(work), *(failed.hint for failed in (best, *failures))]
    return Report(
        work.job.format,
        best.stage,
        best.problem,
        best.layer,
        worst.output if worst else "",
        worst.case if worst else "",
        best.checks,
        tuple(map(told, failures)),
        tuple(dict.fromkeys(hint for hint in hints if hint)) or (_other_formats(work),),
        work.chatter.last(),
    )


def _advice(work: Work) -> str:
    """Return what to try with a kind of model that the format has no operators for."""
    import torch

    model = work.subject.model
    if quantized(model):
        return _QUANTIZED if work.job.format == "onnx" else ""
    tensors: list[Any] = [*model.parameters(), *work.job.leaves]
    if any(each.dtype in (torch.float16, torch.bfloat16) for each in tensors):
        return "Export the model in float32: model.float(); convert the file afterwards."
    return ""


def _other_formats(work: Work) -> str:
    others = [name for name in ("onnx", "torchscript", "pt2") if name != work.job.format]
    return f"Try {' or '.join(others)}; or rewrite the layer with operators that can be exported."
