"""What a network computes with its weights, as a digest: its layers, their settings, its code."""

from __future__ import annotations

import dis
import hashlib
import io
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.own_code import texts_of_code
from cvtrack_magics.capture.data.reached_code import is_library
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.networks import unwrapped

_MANGLED = re.compile(r"___torch_mangle_\d+\.")
_PLACE = re.compile(r" #.*$", re.MULTILINE)  # where a line of a script came from
_PLAIN = (bool, int, float, complex, str, bytes)
_DEPTH = 4


def graph_digest(model: Any) -> str:
    """Return how a network is kept and the SHA-256 of what it does; ``""`` where that is unknown.

    ``python:…`` of modules, ``script:…`` of TorchScript, ``graph:…`` of a traced graph. Two of
    one kind that differ are two networks, whatever their weights. What a forward pass changes
    is left out, as are comments and the names of files.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Left as it is; what is around it does not count.
    """
    import torch

    model = unwrapped(model)
    try:
        if isinstance(model, torch.jit.ScriptModule):
            return _named("script", [_script_text(model)])
        if isinstance(model, torch.fx.GraphModule):
            return _named("graph", [model.code])
        if isinstance(model, torch.nn.Module):
            return _named("python", _texts(model))
        return _named("python", texts_of_code(model))
    except Exception:  # the user's repr and properties, and code of which no text is kept
        return ""


def differ(one: str, other: str) -> bool:
    """Say whether two digests are of different graphs; two kinds cannot be compared."""
    (kind, _, mine), (theirs, _, its) = one.partition(":"), other.partition(":")
    return bool(mine and its) and kind == theirs and mine != its


def _named(kind: str, texts: Any) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(utf8(text) + b"\n")
    return f"{kind}:{digest.hexdigest()}"


def _script_text(model: Any) -> str:
    """Return the graph of a script as it is once it was stored: names and order change then."""
    import torch

    held = io.BytesIO()
    torch.jit.save(model, held)
    stored = torch.jit.load(io.BytesIO(held.getvalue()), map_location="cpu")
    return _PLACE.sub("", _MANGLED.sub("", str(stored.inlined_graph)))


def _texts(model: Any) -> Iterator[str]:
    functions: dict[int, FunctionType] = {}
    for name, module in model.named_modules():
        kind = type(module)
        reached = _reached(kind)
        changing = {each for function in reached for each in _stored(function)}
        own = [
            f"{key}={_plain(value)}"
            for key, value in sorted(vars(module).items())
            if not key.startswith("_") and key != "training" and key not in changing
        ]
        functions |= {id(each): each for each in reached if not is_library(kind)}
        functions |= {id(each): each for each in _held(module)}
        yield f"{name}: {kind.__module__}.{kind.__qualname__} {module.extra_repr()} {own}"
    yield from texts_of_code(*functions.values())


def _plain(value: Any, depth: int = 0) -> str:
    """Return a setting as a text; of what is no plain value, what it is called."""
    if value is None or isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (list, tuple)) and depth < _DEPTH:
        return f"({', '.join(_plain(each, depth + 1) for each in value)})"
    named = value if isinstance(value, (FunctionType, type)) else type(value)
    return str(getattr(named, "__qualname__", ""))


def _reached(kind: type) -> list[FunctionType]:
    """Return the methods of a class that a forward pass can come to, PyTorch's own left out."""
    own: dict[str, FunctionType] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ != "torch.nn.modules.module":
            for name, each in vars(base).items():
                inner = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
                if isinstance(inner, FunctionType):
                    own[name] = inner
    found: dict[str, FunctionType] = {}
    waiting: list[str] = [name for name in ("forward", "__call__") if name in own]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = own[name]
            waiting += [each for each in names_in(own[name].__code__) if each in own]
    return list(found.values())


def _held(module: Any) -> Iterator[FunctionType]:
    """Yield the functions that are a module's settings, and those that the user hooked into it."""
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    for each in (*vars(module).values(), *hooks):
        inner = getattr(each, "__func__", each)
        if isinstance(inner, FunctionType) and not is_foreign(inner.__code__.co_filename):
            yield inner


def _stored(function: FunctionType) -> Iterator[str]:
    """Yield the attributes that a function changes."""
    for step in dis.get_instructions(function):
        if step.opname == "STORE_ATTR":
            yield str(step.argval)
