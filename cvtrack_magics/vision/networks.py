"""A network without what was put around it to train it or to make it faster."""

from __future__ import annotations

from typing import Any

_PARALLEL = {"DataParallel", "DistributedDataParallel", "FullyShardedDataParallel"}
_DEPTH = 16  # wrappers around each other


def unwrapped(model: Any) -> Any:
    """Return the network inside ``torch.compile`` and parallel wrappers, in any order.

    Adapters (peft) and averaged weights (``AveragedModel``) change what the network answers:
    they are part of it and stay, as do a ScriptModule, its parts and weight norms.

    Parameters
    ----------
    model : object
        What is no wrapper is returned as it is.
    """
    for _ in range(_DEPTH):
        modules = vars(model).get("_modules", {}) if hasattr(model, "__dict__") else {}
        if "_orig_mod" in modules:
            model = modules["_orig_mod"]
        elif _is_parallel(model) and "module" in modules:
            model = modules["module"]
        else:
            break
    return model


def _is_parallel(model: Any) -> bool:
    return any(
        kind.__name__ in _PARALLEL and kind.__module__.startswith("torch.")
        for kind in type(model).__mro__
    )
