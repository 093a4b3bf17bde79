"""Operators that networks need and that believe what their tensors say.

A region's number of a picture, a batch norm's numbers for each channel and the shifts of a
deformable convolution are used as addresses unseen. In a network of somebody else they can be
any numbers, so that they are looked at before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .rejected import Rejected

_REGIONS = ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
_NORMS = (
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_native_batch_norm_legit_functional",
)
_OF_CHANNELS = ("weight", "bias", "running_mean", "running_var")


def guard(module: Any) -> Any:
    """Let a graph's operators that trust their tensors look at them first; return the graph."""
    import torch

    for part in module.modules():
        if not isinstance(part, torch.fx.GraphModule):
            continue
        changed = False
        for node in part.graph.nodes:
            look = _look_of(node.target) if node.op == "call_function" else None
            if look is not None:
                node.target, changed = _guarded(node.target, look), True
        if changed:
            part.recompile()
    return module


def _look_of(target: Any) -> Callable[[dict[str, Any]], None] | None:
    schema = getattr(target, "_schema", None)
    space, _, name = str(getattr(schema, "name", "")).partition("::")
    if space == "torchvision":
        return _regions if name in _REGIONS else _shifts if name == "deform_conv2d" else None
    return _channels if space == "aten" and name in _NORMS else None


def _guarded(operator: Any, look: Callable[[dict[str, Any]], None]) -> Callable[..., Any]:
    import torch

    names = [argument.name for argument in operator._schema.arguments]

    def run(*args: Any, **kwargs: Any) -> Any:
        # while a graph is exported there are no numbers to look at
        if not torch.compiler.is_compiling():
            look({**dict(zip(names, args, strict=False)), **kwargs})
        return operator(*args, **kwargs)

    run.__name__ = run.__qualname__ = f"guarded_{operator._schema.name.partition('::')[2]}"
    return run


def _regions(given: dict[str, Any]) -> None:
    rois, pictures = given["rois"], len(given["input"])
    of = rois[:, 0]
    if len(rois) and not bool(((of >= 0) & (of < pictures)).all()):
        raise Rejected("the network asks for a region of a picture that is not there.")


def _shifts(given: dict[str, Any]) -> None:
    if not bool(given["offset"].isfinite().all()):
        raise Rejected("the network moves pixels by a number that is not finite.")


def _channels(given: dict[str, Any]) -> None:
    channels = int(given["input"].shape[1])
    for name in _OF_CHANNELS:
        value = given.get(name)
        if value is not None and value.numel() != channels:
            raise Rejected(f"the network's {name} has {value.numel()} numbers for {channels}.")
