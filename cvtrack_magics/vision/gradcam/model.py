"""What Grad-CAM asks of a classifier: its inputs, its answers and a state left as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.vision import networks
from cvtrack_magics.vision.arrays import integers, shape_of, to_array
from cvtrack_magics.vision.gradcam import layers as cam_layers
from cvtrack_magics.vision.gradcam.layers import Seen
from cvtrack_magics.vision.images import Image, Layout, Range, to_images

CHUNK = 32  # samples at a time: their feature maps are held for the gradient
_LOGITS = "model: expected classification logits N×K"


def unwrapped(model: Any) -> Any:
    """Return the module inside ``DataParallel`` and ``torch.compile``.

    Raises
    ------
    UsageProblem
        It is no ``torch.nn.Module``.
    """
    import torch

    model = networks.unwrapped(model)
    if isinstance(model, torch.nn.Module):
        return model
    raise UsageProblem(f"model: expected a torch.nn.Module, saw {type(model).__name__}.")


def named(model: Any, layer: Any) -> tuple[str, Any]:
    """Return the name and the module of a layer given by either.

    Raises
    ------
    UsageProblem
        The model has no such layer.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    if isinstance(layer, str):
        if layer in modules:
            return layer, modules[layer]
        top = [name for name, _ in model.named_children()]
        raise UsageProblem(
            f"{type(model).__name__} has no layer {layer!r}.{did_you_mean(layer, modules)}",
            f"Its parts are {', '.join(top[:12])}." if top else "",
        )
    for name, module in modules.items():
        if module is layer:
            return name, module
    raise UsageProblem(
        f"layer: {type(layer).__name__} is no part of this {type(model).__name__}.",
        "Give one of its modules or a name such as 'layer4'.",
    )


def batch_of(torch: Any, model: Any, inputs: Any, layout: Layout | None) -> Any:
    """Return inputs as N × C × H × W on the model's device, in its dtype, free of any graph.

    Raises
    ------
    UsageProblem
        They are no batch of float images of one size.
    """
    if isinstance(inputs, (list, tuple)):
        items = [torch.as_tensor(to_array(item, "inputs")) for item in inputs]
        if len({tuple(item.shape) for item in items}) != 1:
            raise UsageProblem("inputs: expected images of one size.", "Resize them to one.")
        inputs = torch.stack(items)
    elif not isinstance(inputs, torch.Tensor):
        inputs = torch.as_tensor(to_array(inputs, "inputs"))
    batch = inputs.detach().as_subclass(torch.Tensor)
    batch = batch[None] if batch.ndim == 3 else batch
    seen = f"{shape_of(inputs)} of {str(inputs.dtype).removeprefix('torch.')}"
    if batch.ndim != 4 or 0 in batch.shape:
        raise UsageProblem(f"inputs: expected N×C×H×W or C×H×W, saw {seen}.")
    if not batch.is_floating_point():
        raise UsageProblem(
            f"inputs: expected the normalised floats that the model takes, saw {seen}.",
            "Apply the model's transform first.",
        )
    if layout == "HWC":
        batch = batch.permute(0, 3, 1, 2)
    floats = [p for p in model.parameters() if p.is_floating_point()]
    if floats:
        batch = batch.to(device=floats[0].device, dtype=floats[0].dtype)
    return batch.clone(memory_format=torch.contiguous_format)


def pictures_of(batch: Any, value_range: Range | None, notes: list[str]) -> list[Image]:
    """Return a batch as pictures; beyond 4 channels their mean, and a note."""
    array = to_array(batch.float(), "inputs")
    if array.shape[1] not in (1, 3, 4):
        notes.append(f"the pictures are the mean of {array.shape[1]} channels, stretched")
        array = array.mean(axis=1, keepdims=True)
        value_range = (float(array.min()), float(array.max()))
        if value_range[0] == value_range[1]:
            value_range = (value_range[0], value_range[0] + 1)
    return to_images(array, layout="CHW", value_range=value_range)


def logits_of(torch: Any, model: Any, batch: Any) -> tuple[Any, list[Seen]]:
    """Return the logits of all samples as float32, and the trace of the first chunk.

    Raises
    ------
    UsageProblem
        The model fails, returns anything but N × K numbers, or NaN.
    """
    parts = []
    seen: list[Seen] = []
    for start in range(0, len(batch), CHUNK):
        chunk = batch[start : start + CHUNK]
        try:
            if start == 0:
                output, seen = cam_layers.trace(model, chunk)
            else:
                with torch.no_grad():
                    output = model(chunk)
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            raise UsageProblem(
                f"The model fails on inputs of {shape_of(batch)}: {kind_and_line(error)}"
            ) from error
        parts.append(_checked(torch, output, len(chunk)))
    logits = torch.cat(parts)
    broken = (~torch.isfinite(logits)).any(dim=1).nonzero().flatten().tolist()
    if broken:
        raise UsageProblem(
            f"model: the output has NaN or infinite values for {len(broken)} of {len(logits)} "
            f"images, first for image {broken[0]}."
        )
    return logits, seen


def _checked(torch: Any, output: Any, count: int) -> Any:
    if not isinstance(output, torch.Tensor):
        keys = f" of {', '.join(map(str, list(output)[:4]))}" if hasattr(output, "keys") else ""
        raise UsageProblem(
            f"{_LOGITS}, saw {type(output).__name__}{keys}.",
            "Wrap it in a module whose forward returns the logits alone.",
        )
    if output.ndim != 2 or len(output) != count or output.shape[1] == 0:
        raise UsageProblem(f"{_LOGITS}, saw {shape_of(output)} for {count} images.")
    return output.float()


def names_of(classes: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the class names, of which there are none or as many as outputs."""
    if len(classes) not in (0, count):
        raise UsageProblem(f"classes: {len(classes)} names given, the model has {count} outputs.")
    return tuple(str(name) for name in classes)


def targets_of(target: int | Sequence[int] | None, logits: Any) -> npt.NDArray[np.int64]:
    """Return the class to explain for each sample, int64, N.

    Raises
    ------
    UsageProblem
        A class is not among the outputs.
    """
    count, outputs = logits.shape
    if target is None:
        return np.asarray(logits.argmax(dim=1).cpu().numpy(), np.int64)
    if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
        target = [int(target)] * count
    targets = integers(target, count, "target")
    outside = targets[(targets < 0) | (targets >= outputs)]
    if len(outside):
        raise UsageProblem(
            f"target={outside[0]}: the model has {outputs} outputs.", f"Give 0 to {outputs - 1}."
        )
    return targets


def probabilities_of(torch: Any, logits: Any, seen: list[Seen], notes: list[str]) -> Any:
    """Return the probabilities N × K of logits: softmax, or sigmoid of a single output.

    Outputs that are probabilities already (each row sums to 1, or the network ends in a
    sigmoid) are returned as they are, with a note.
    """
    last = type(seen[-1].module).__name__ if seen else ""
    positive = bool((logits >= 0).all())
    summed = positive and bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all())
    if last == "Sigmoid" or (summed and (logits.shape[1] > 1 or last == "Softmax")):
        notes.append("the model gives probabilities; Grad-CAM is sharper on logits")
        return logits
    return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)
