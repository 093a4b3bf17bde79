"""Optimizers and schedulers that belong to an earlier object than the one that is trained."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.stale_state import Found
from cvtrack_magics.text import is_a, is_class

_FEW = 50
_DEEPEST = 2


def orphaned(reads: Collection[str], names: Mapping[str, Any]) -> list[Found]:
    """Return the optimizers and schedulers that a cell reads and that train nothing it has.

    An optimizer is told by its parameters: none is of a network or a tensor that any name holds,
    and a network that the cell reads has parameters of their shapes. A scheduler is told by its
    optimizer, which no name holds, beside another one that the cell reads. To train with them
    changes nothing, in silence.

    Parameters
    ----------
    reads : collection of str
        The names whose value from before it the cell reads.
    names : mapping
        The notebook's names.
    """
    read = {name: names[name] for name in sorted(reads) if name in names}
    optimizers = _of_kind(read, "torch.optim", "Optimizer")
    schedulers = _of_kind(read, "torch.optim.lr_scheduler", "LRScheduler")
    if not (optimizers or schedulers):
        return []
    held = list(_objects(names.values()))
    return [*_without_network(optimizers, read, held), *_without_optimizer(schedulers, read, held)]


def _without_network(
    optimizers: Mapping[str, Any], read: Mapping[str, Any], held: list[Any]
) -> Iterator[Found]:
    networks = _of_kind(read, "torch.nn", "Module")
    if not (optimizers and networks):
        return
    known = {id(one) for value in held for one in _parameters(value)}
    for name, optimizer in optimizers.items():
        mine = [one for group in optimizer.param_groups for one in group["params"]]
        shapes = _shapes(mine)
        twin = next((k for k, one in networks.items() if shapes <= _shapes(_parameters(one))), "")
        if mine and twin and not any(id(one) in known for one in mine):
            yield Found((name,), f"`{name}` was made with an earlier `{twin}`, and trains that one")


def _without_optimizer(
    schedulers: Mapping[str, Any], read: Mapping[str, Any], held: list[Any]
) -> Iterator[Found]:
    beside = next(iter(_of_kind(read, "torch.optim", "Optimizer")), "")
    known = {id(one) for one in held}
    for name, scheduler in schedulers.items():
        mine = getattr(scheduler, "optimizer", None)
        if beside and mine is not None and id(mine) not in known:
            yield Found(
                (name,), f"`{name}` was made with an earlier `{beside}`, and schedules that one"
            )


def _shapes(parameters: Any) -> Counter[tuple[int, ...]]:
    return Counter(tuple(one.shape) for one in parameters)


def _parameters(value: Any) -> Iterator[Any]:
    """Yield the parameters of a network, or a tensor that may be learnt itself."""
    if _is_a(value, "torch.nn", "Module"):
        yield from value.parameters()
    elif _is_a(value, "torch", "Tensor"):
        yield value


def _objects(values: Any, depth: int = 0) -> Iterator[Any]:
    """Yield objects, those in small lists and dicts, and those that the user's own hold."""
    for value in list(values):
        yield value
        if depth >= _DEEPEST or is_class(value):
            continue
        inside: Any = ()
        if isinstance(value, Mapping):
            inside = value.values() if len(value) <= _FEW else ()
        elif isinstance(value, (list, tuple, set)):
            inside = value if len(value) <= _FEW else ()
        elif isinstance(getattr(value, "__dict__", None), dict) and _may_hold(value):
            inside = vars(value).values()
        yield from _objects(inside, depth + 1)


def _may_hold(value: Any) -> bool:
    """Say whether an object may hold networks: what holds them for its own work does not count."""
    if is_a(value, ModuleType, FunctionType) or len(vars(value)) > _FEW:
        return False
    return not (
        _is_a(value, "torch.optim", "Optimizer")
        or _is_a(value, "torch.optim.lr_scheduler", "LRScheduler")
    )


def _of_kind(values: Mapping[str, Any], module: str, kind: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if _is_a(value, module, kind)}


def _is_a(value: Any, module: str, name: str) -> bool:
    """Say whether a value is of a library's class, without importing the library."""
    kind = getattr(sys.modules.get(module), name, None)
    return is_class(kind) and isinstance(value, kind)
