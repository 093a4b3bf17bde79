"""One call of a model, operator by operator: what no graph can hold, and which module does it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cvtrack_magics.release.export.subject import Subject

Kind: TypeAlias = Literal["random", "batch statistics", "decision", "input changed"]


@dataclass(frozen=True, slots=True)
class Sight:
    """An operator that was seen in a module."""

    kind: Kind
    operator: str
    layer: str


def watched(subject: Subject, leaves: Sequence[Any]) -> tuple[Sight, ...]:
    """Call the model once and return what was seen, each kind once for a module.

    ``random``: the operator took numbers from a generator. ``batch statistics``: a batch norm
    that normalises by the batch. ``decision``: a tensor became a Python number.
    ``input changed``: the operator wrote into an input.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: dict[Sight, None] = {}
    own = [leaf.clone() for leaf in leaves]
    memory = {leaf.untyped_storage().data_ptr() for leaf in own if leaf.numel()}
    stack: list[Any] = [subject.model]

    class Mode(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            draws = torch.Tag.nondeterministic_seeded in func.tags
            before = torch.get_rng_state() if draws else None
            result = func(*args, **(kwargs or {}))
            kinds: list[Kind] = []
            if before is not None and not torch.equal(before, torch.get_rng_state()):
                kinds.append("random")
            if _by_batch(func, args):
                kinds.append("batch statistics")
            if func is torch.ops.aten._local_scalar_dense.default:
                kinds.append("decision")
            if any(each.untyped_storage().data_ptr() in memory for each in _written(func, args)):
                kinds.append("input changed")
            for kind in kinds:
                seen[Sight(kind, func.__name__, subject.named(stack[-1]))] = None
            return result

    with _Stacked(subject.model, stack), Mode():
        subject.raw(own)
    return tuple(seen)


def narrowed(subject: Subject, leaves: Sequence[Any]) -> bool:
    """Tell if an operator of a model in double precision makes fewer bits of double ones."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[str] = []

    class Mode(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            if torch.float64 in _floats((args, kwargs)) and _floats(result) - {torch.float64}:
                seen.append(func.__name__)
            return result

    with Mode():
        subject.outputs(leaves)
    return bool(seen)


def first_difference(subject: Subject, leaves: Sequence[Any]) -> str:
    """Return the innermost module that gave two values for the same inputs, or ``""``."""
    calls: list[list[tuple[Any, list[Any], list[Any]]]] = []
    for _ in range(2):
        calls.append([])
        done = calls[-1]

        def keep(module: Any, args: Any, kwargs: Any, result: Any, done: list[Any] = done) -> None:
            done.append((module, _copied((args, kwargs)), _copied(result)))

        hooks = [
            each.register_forward_hook(keep, with_kwargs=True) for each in subject.model.modules()
        ]
        try:
            subject.outputs(leaves)
        finally:
            for hook in hooks:
                hook.remove()
    for (module, given, got), (other, given_2, got_2) in zip(*calls, strict=False):
        if module is not other:
            return subject.named(subject.model)
        if _same(given, given_2) and not _same(got, got_2):
            return subject.named(module)
    return ""


def draws_from_python(call: Callable[[], Any]) -> str:
    """Call, and return which of the generators of Python, numpy and torch gave numbers."""
    import numpy as np
    import torch

    def states() -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state()
        return {
            "Python's": random.getstate(),
            "numpy's": (kind, tuple(keys), *rest),
            "torch's": bytes(torch.get_rng_state().numpy()),
        }

    before = states()
    call()
    return ", ".join(name for name, state in states().items() if state != before[name])


class _Stacked:
    """Keeps the running modules on a stack."""

    def __init__(self, model: Any, stack: list[Any]) -> None:
        self._model, self._stack = model, stack
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        def enter(module: Any, _: Any) -> None:
            self._stack.append(module)

        def leave(*_: Any) -> None:
            self._stack.pop()

        for module in self._model.modules():
            self._hooks += [
                module.register_forward_pre_hook(enter),
                module.register_forward_hook(leave),
            ]

    def __exit__(self, *_: Any) -> None:
        for hook in self._hooks:
            hook.remove()


def _by_batch(func: Any, args: Sequence[Any]) -> bool:
    """Is it a batch norm in training mode? An instance norm is one too, of one row."""
    if "batch_norm" not in func.__name__ or not args or args[0].shape[0] <= 1:
        return False
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if argument.name in ("training", "train"):
            return bool(value)
    return "no_training" not in func.__name__ and "no_stats" in func.__name__


def _written(func: Any, args: Sequence[Any]) -> list[Any]:
    import torch

    if not func._schema.is_mutable:
        return []
    return [
        value
        for argument, value in zip(func._schema.arguments, args, strict=False)
        if isinstance(value, torch.Tensor) and _is_written(argument)
    ]


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def _floats(value: Any) -> set[Any]:
    """Return the floating types in the arguments or the result of an operator."""
    import torch
    from torch.utils._pytree import tree_leaves

    found = (item for item in tree_leaves(value) if isinstance(item, torch.Tensor))
    return {item.dtype for item in found if item.is_floating_point()}


def _copied(value: Any) -> list[Any]:
    import torch

    from cvtrack_magics.release.export.pytree import leaves_of

    return [item.clone() for _, item in leaves_of(value) if isinstance(item, torch.Tensor)]


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(map(identical, some, others))


def identical(one: Any, other: Any) -> bool:
    """Tell if two tensors are equal bit for bit, NaN being equal to NaN."""
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.is_quantized:
        one, other = one.dequantize(), other.dequantize()
    both_nan = torch.isnan(one) & torch.isnan(other)
    return bool(((one == other) | both_nan).all())
