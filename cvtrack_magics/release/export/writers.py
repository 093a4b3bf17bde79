"""The exporters: each writes one file, or raises what its package raises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.release import torchexport
from cvtrack_magics.release.export.facts import Format
from cvtrack_magics.release.export.inputs import Inputs
from cvtrack_magics.release.export.onnxfile import checked_onnx
from cvtrack_magics.release.export.pytree import leaves_of
from cvtrack_magics.release.scripted import resized_exactly
from cvtrack_magics.release.traceless import strip_onnx, strip_script, without_traces

FILE = {"onnx": "model.onnx", "torchscript": "model.torchscript.pt", "pt2": "model.pt2"}
INLINE_LIMIT = 1_900_000_000  # bytes of weights; a protobuf file ends at 2 GiB
_LARGE = 128  # batch sizes beyond are not tried
_LEAST = 2  # size of any dynamic axis that is exported


@dataclass(frozen=True)
class Written:
    """What an exporter says of its work.

    Attributes
    ----------
    sizes : tuple of (str, int)
        Sizes of ``batch``, ``height`` and ``width`` at which the graph says that it may differ
        from the model.
    frozen : bool
        Were decisions of the model's Python code taken once and for all?
    """

    sizes: tuple[tuple[str, int], ...] = ()
    frozen: bool = False


@dataclass(frozen=True)
class Job:
    """What is exported: a model, how it is called, what with, and where to."""

    format: Format
    model: Any
    inputs: Inputs
    leaves: Sequence[Any]
    output_names: Sequence[str]
    path: Path
    opset: int | None
    inline_limit: int = INLINE_LIMIT
    about: Mapping[str, str] = field(default_factory=dict)
    given: Path | None = None


Writer = Callable[[Job], Written]


def writers(format: Format, given: Path | None = None) -> dict[str, Writer]:
    """Return the exporters of a format by name, the newest or most faithful first.

    Where a file is given, it is all that is tried.
    """
    if given is not None:
        return {given.name: _given}
    if format == "torchscript":
        return {"torch.jit.script": _script, "torch.jit.trace": _trace}
    if format == "pt2":
        return {"torch.export": _pt2}
    newest: dict[str, Writer] = {"torch.onnx (dynamo)": _onnx_dynamo}
    return {
        **(newest if torchexport.dynamic() is not None else {}),
        "torch.onnx (tracer)": _onnx_tracer,
    }


def _script(job: Job) -> Written:
    import torch

    with resized_exactly(job.model):
        torch.jit.script(job.model).save(str(job.path))
    strip_script(job.path)
    return Written()


def _trace(job: Job) -> Written:
    import torch

    args, kwargs = job.inputs.call([leaf.clone() for leaf in job.leaves])
    traced = torch.jit.trace(
        job.model,
        args if args else None,
        example_kwarg_inputs=kwargs or None,
        check_trace=False,
        strict=False,
    )
    traced.save(str(job.path))
    strip_script(job.path)
    return Written(frozen=True)


def _pt2(job: Job) -> Written:
    import torch

    program = _program(job.model, *_call(job), job.inputs.dynamic_shapes(_dynamic()))
    torch.export.save(without_traces(program), str(job.path))
    return Written(sizes_in_guards(program))


def _onnx_dynamo(job: Job) -> Written:
    import torch

    flat = flattened(job.model, job.inputs)
    leaves = tuple(leaf.clone() for leaf in job.leaves)
    marked = tuple(dict.fromkeys(axes, _dynamic()) for axes in job.inputs.axes)
    program = _program(flat, leaves, {}, (marked,))
    made = torch.onnx.export(
        program,
        (),
        dynamo=True,
        verbose=False,
        opset_version=job.opset,
        input_names=list(job.inputs.names),
        output_names=list(job.output_names),
        dynamic_shapes=(tuple(dict(axes) for axes in job.inputs.axes),),
    )
    weights = sum(value.const_value.nbytes for value in made.model.graph.initializers.values())
    made.save(str(job.path), external_data=weights > job.inline_limit)
    strip_onnx(job.path, _about(job))
    return Written(sizes_in_guards(program))


def _onnx_tracer(job: Job) -> Written:
    import torch

    options = (
        {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    )
    axes = dict(zip(job.inputs.names, map(dict, job.inputs.axes), strict=True))
    scratch = job.path.with_name("traced")
    scratch.mkdir()
    traced = scratch / job.path.name
    torch.onnx.export(
        flattened(job.model, job.inputs),
        tuple(leaf.clone() for leaf in job.leaves),
        str(traced),
        opset_version=job.opset,
        input_names=list(job.inputs.names),
        output_names=list(job.output_names),
        dynamic_axes={name: each for name, each in axes.items() if each},
        **options,
    )
    _moved(traced, job.path, job.inline_limit)
    strip_onnx(job.path, _about(job))
    return Written(frozen=True)


def _given(job: Job) -> Written:
    """Take a file that is there already, with its weights beside it."""
    import onnx

    assert job.given is not None
    checked_onnx(job.given)
    model = onnx.load(str(job.given))  # its weights may lie in files of any name
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    onnx.save_model(
        model,
        str(job.path),
        save_as_external_data=weights > job.inline_limit,
        location=f"{job.path.name}.data",
    )
    strip_onnx(job.path, _about(job))
    return Written()


def _about(job: Job) -> dict[str, str]:
    """Return what an ONNX file says of itself beside its graph."""
    import torch

    producer = f"cvtrack_magics {metadata.version('cvtrack_magics')}, PyTorch {torch.__version__}"
    return {"name": type(job.model).__name__, **job.about, "producer": producer}


def _moved(traced: Path, path: Path, inline_limit: int) -> None:
    """Write what the tracer left, maybe a file for each weight, as one file or as two."""
    import shutil

    import onnx

    if sum(file.stat().st_size for file in traced.parent.iterdir()) > inline_limit:
        onnx.save_model(
            onnx.load(str(traced)),
            str(path),
            save_as_external_data=True,
            location=f"{path.name}.data",
            size_threshold=1024,
        )
    else:
        traced.rename(path)
    shutil.rmtree(traced.parent)


def flattened(model: Any, inputs: Inputs) -> Any:
    """Return a module that takes the tensors one by one and returns a flat tuple of them."""
    import torch

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *leaves: Any) -> Any:
            args, kwargs = inputs.call(leaves)
            found = leaves_of(self.model(*args, **kwargs))
            # a graph cannot return an input, nor one tensor by two names
            return tuple(item.clone() for _, item in found)

    flat = Flat()
    flat.training = False
    return flat


def _call(job: Job) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return job.inputs.call([leaf.clone() for leaf in job.leaves])


def _program(model: Any, args: Any, kwargs: Any, shapes: Any) -> Any:
    """Return the ``ExportedProgram``; Python's own control flow is run, not read."""
    import torch

    _dynamic()
    return torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)


def _dynamic() -> Any:
    found = torchexport.dynamic()
    if found is None:
        import torch

        raise CvtrackError(
            f"torch.export needs PyTorch 2.6 or later, and this is {torch.__version__}.",
            "Choose torchscript.",
        )
    return found


def sizes_in_guards(program: Any) -> tuple[tuple[str, int], ...]:
    """Return sizes on both sides of what an exported program asks of its dynamic axes.

    Raises
    ------
    CvtrackError
        The graph holds up to a size that is too large to be tried, or up to a height or width.
    """
    known = _axes_of_symbols(program)
    limits: set[tuple[str, int]] = set()
    for guard in getattr(program, "_guards_code", ()):
        found = re.search(r"\.size\(\)\[(\d+)\] (?:[<>!=]=?) (\d+)$", guard)
        if found is not None:
            at = int(found[1])
            ndim = next((ndim for each, ndim in known.values() if each == at), 0)
            limits.add((_axis_name(at, ndim), int(found[2])))
    for symbol, bounds in getattr(program, "range_constraints", {}).items():
        if str(symbol) not in known:
            continue
        axis = _axis_name(*known[str(symbol)])
        lower, upper = str(bounds.lower), str(bounds.upper)
        if lower.isdigit() and int(lower) > _LEAST:
            limits.add((axis, int(lower)))
        if not upper.isdigit():
            continue
        if axis != "batch" or int(upper) > _LARGE:
            raise CvtrackError(
                f"the graph holds for sizes up to {upper} only: the model decides by its size.",
                "Export with fixed sizes.",
            )
        limits.add((axis, int(upper)))
    around = {(axis, size + step) for axis, size in limits for step in (-1, 0, 1)}
    return tuple(sorted((axis, size) for axis, size in around if size > 0))


def _axis_name(axis: int, ndim: int) -> str:
    return {ndim - 2: "height", ndim - 1: "width"}.get(axis, "batch") if axis else "batch"


def _axes_of_symbols(program: Any) -> dict[str, tuple[int, int]]:
    """Return which axis of an input each symbolic size is, and how many axes that has."""
    found: dict[str, tuple[int, int]] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            shape = getattr(node.meta.get("val"), "shape", ())
            for axis, size in enumerate(shape):
                if not isinstance(size, int):
                    found.setdefault(str(size), (axis, len(shape)))
    return found
