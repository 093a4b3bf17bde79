"""What a model's output has been through last: softmax, sigmoid, or nothing of the kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_PROBABILITIES = {
    "softmax",
    "sigmoid",
    "sigmoid_",
    "hardsigmoid",
    "_softmax",
    "softmin",
    "gumbel_softmax",
}


def called(model: Callable[[Any], Any], batch: Any) -> tuple[Any, bool]:
    """Return a model's output, and whether it is certain to be probabilities.

    Certain is an output that a softmax or a sigmoid made last, as a module or a function, or a
    view of it. Of a compiled or scripted model only its last module is looked at.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    if _compiled(model):
        return model(batch), ends_in_probabilities(model)
    made: list[Any] = []

    class Watch(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            value = func(*args, **(kwargs or {}))
            if getattr(func, "__name__", "") in _PROBABILITIES and hasattr(value, "data_ptr"):
                made[:] = [value]
            return value

    with Watch():
        output = model(batch)
    found = output
    if isinstance(output, dict):
        found = output.get("out", output.get("logits"))
    same = bool(made) and isinstance(found, torch.Tensor) and _shared(found, made[0])
    return output, same or ends_in_probabilities(model)


def ends_in_probabilities(model: Any) -> bool:
    """Return whether a sequential model's last module is a softmax or a sigmoid."""
    import torch

    model = getattr(model, "_orig_mod", model)
    if isinstance(model, torch.nn.parallel.DistributedDataParallel | torch.nn.DataParallel):
        model = model.module
    while isinstance(model, torch.nn.Sequential) and len(model):
        model = model[-1]
    last = getattr(model, "original_name", type(model).__name__)
    if last == "Sequential" and isinstance(model, torch.jit.ScriptModule):
        children = list(model.children())
        return bool(children) and ends_in_probabilities(children[-1])
    return last in {"Softmax", "Softmax2d", "Softmin", "Sigmoid", "Hardsigmoid"}


def _compiled(model: Any) -> bool:
    import torch

    return hasattr(model, "_orig_mod") or isinstance(model, torch.jit.ScriptModule)


def _shared(one: Any, other: Any) -> bool:
    """Return whether two tensors are the same memory."""
    return bool(
        one.numel()
        and one.dtype == other.dtype
        and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    )
