"""An exported file, loaded and run on tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.export.compare import Array, as_array
from cvtrack_magics.release.export.facts import Format
from cvtrack_magics.release.export.inputs import Inputs
from cvtrack_magics.release.export.onnxfile import OnnxModel, open_onnx
from cvtrack_magics.release.export.pytree import leaves_of

Run = Callable[[Sequence[Any]], list[Array]]


def loaded(format: Format, path: Path, inputs: Inputs) -> Run:
    """Return what runs a file that was written here: tensors in, a flat list of arrays out.

    Files of TorchScript and pt2 hold code: only such as were written by this process are
    loaded so.
    """
    if format == "onnx":
        return running(open_onnx(path), inputs.names)
    import torch

    model = torch.jit.load(str(path)) if format == "torchscript" else _program(path)

    def run(leaves: Sequence[Any]) -> list[Array]:
        args, kwargs = inputs.call([leaf.clone() for leaf in leaves])
        with torch.no_grad():
            return [as_array(item) for _, item in leaves_of(model(*args, **kwargs))]

    return run


def running(model: OnnxModel, names: Sequence[str]) -> Run:
    """Return what runs an ONNX model; inputs that its graph does not use are left out."""
    used = {port.name for port in model.inputs}

    def run(leaves: Sequence[Any]) -> list[Array]:
        values = {
            name: leaf.numpy() for name, leaf in zip(names, leaves, strict=True) if name in used
        }
        return [as_array(item) for item in model.run(values)]

    return run


def checked_structure(path: Path) -> int:
    """Check an ONNX file with full shape inference, and return its opset.

    Raises
    ------
    CvtrackError
        The file breaks the standard.
    """
    import onnx

    try:
        # by its path, since a model of more than 2 GB fits into no message
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # ValidationError and InferenceError have no common base
        raise CvtrackError(f"The ONNX checker refuses the file: {in_one_line(error)}") from error
    model = onnx.load(str(path), load_external_data=False)
    return next(int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx"))


def _program(path: Path) -> Any:
    import torch

    return torch.export.load(str(path)).module()
