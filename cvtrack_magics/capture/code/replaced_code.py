"""Functions and constants of own modules that were replaced in memory."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_UNWRAPPED = {"staticmethod", "classmethod"}
_MOST = 20


def replaced_in(module: ModuleType, source: bytes, path: Path) -> list[str]:
    """Return what of a module is not what the text that ran says, with what it is instead.

    Parameters
    ----------
    module : module
        As it is in memory.
    source : bytes
        Its text as it was imported.
    path : Path
        Its file.

    Returns
    -------
    list of str
        Undecorated functions and methods whose code is of another file, or no function at
        all, and constants with another value. What the module's own code assigns again is
        left out, for it may be meant.
    """
    try:
        functions, constants = _said(source)
        written = _written(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for name in functions:
        value = _value(module, name)
        if not _is_of(value, path) and not _means(value, written.get(name)):
            found.append(f"{module.__name__}.{name} ({_origin(value)})")
    for name, value in constants:
        now = vars(module).get(name, _GONE)
        if type(now) is not type(value) or now != value:
            # not the value itself, which may be a secret
            what = "another value" if isinstance(now, _PLAIN) else _origin(now)
            found.append(f"{module.__name__}.{name} ({what})")
    return found[:_MOST]


def agrees(module: ModuleType, source: bytes) -> bool:
    """Say whether all functions and constants that can be compared are those of a text."""
    try:
        functions, constants = _said(source)
        written = _written(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    held = vars(module)
    return all(
        value is _OTHER or _means(value, written.get(name))
        for name, value in ((name, _value(module, name)) for name in functions)
    ) and all(type(held.get(n)) is type(v) and held[n] == v for n, v in constants)


_GONE = object()


def _value(module: ModuleType, name: str) -> Any:
    owner, _, last = name.rpartition(".")
    held: Any = vars(module).get(owner, _GONE) if owner else module
    if held is _GONE or (owner and not isinstance(held, type)):
        return None if not owner else _OTHER
    value = vars(held).get(last, _GONE)
    return getattr(value, "__func__", value)


_OTHER = object()


def _is_of(value: Any, path: Path) -> bool:
    if value is _OTHER:  # a class that its decorator made anew: nothing is known of its methods
        return True
    code = getattr(value, "__code__", None)
    return isinstance(value, FunctionType) and isinstance(code, CodeType) and _same(code, path)


def _means(value: Any, written: object) -> bool:
    code = getattr(value, "__code__", None)
    return isinstance(code, CodeType) and meaning(code) == written


@lru_cache(maxsize=4096)  # modules: each is read once, not at each run
def _written(source: bytes) -> dict[str, object]:
    """Return what each function and method of a text does, by its name."""
    found: dict[str, object] = {}
    for item in compile(source, "text", "exec", dont_inherit=True).co_consts:
        if isinstance(item, CodeType):
            found[item.co_name] = meaning(item)
            inner = (each for each in item.co_consts if isinstance(each, CodeType))
            found |= {f"{item.co_name}.{each.co_name}": meaning(each) for each in inner}
    return found


def _same(code: CodeType, path: Path) -> bool:
    return code.co_filename == str(path) or Path(code.co_filename).name == path.name


def _origin(value: Any) -> str:
    if value is _GONE:
        return "deleted"
    if not isinstance(value, FunctionType):
        return f"now a {type(value).__name__}"
    file = value.__code__.co_filename
    inside = "ipython-input" in file or "ipykernel" in file or file.startswith("<")
    return f"{value.__qualname__} of {'a cell' if inside else Path(file).name}"


@lru_cache(maxsize=4096)  # modules: each is read once, not at each run
def _said(source: bytes) -> tuple[tuple[str, ...], tuple[tuple[str, Any], ...]]:
    """Return the functions and the plain constants that a module's text defines once."""
    tree = ast.parse(source)
    bound = Counter(name for node in ast.walk(tree) for name in _bound(node))
    # a name of a module is bound again by what has the same name anywhere in it
    functions = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords:
            own = Counter(name for each in node.body for name in _bound(each))
            functions += [f"{node.name}.{name}" for name in _methods(node) if own[name] == 1]
    functions += [name for name in _methods(tree) if bound[name] == 1]
    constants = [
        (name, value) for node in tree.body for name, value in _constant(node) if bound[name] == 1
    ]
    return tuple(functions), tuple(constants)


def _methods(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            plain = [d.id if isinstance(d, ast.Name) else "" for d in item.decorator_list]
            if _UNWRAPPED.issuperset(plain):
                yield item.name


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds; twice where it may bind them at any time."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield node.attr
    elif isinstance(node, ast.Global):
        yield from (*node.names, *node.names)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((item.asname or item.name).partition(".")[0] for item in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value  # setattr(module, "name", …)


def _constant(node: ast.stmt) -> Iterator[tuple[str, Any]]:
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    if isinstance(node, ast.AnnAssign):
        target = node.target
    if not isinstance(target, ast.Name) or target.id.startswith("__"):
        return
    try:
        value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return
    if isinstance(value, _PLAIN):
        yield target.id, value


def meaning(code: CodeType) -> tuple[object, ...]:
    """Return what a function does, wherever it stands in a file."""
    consts = tuple(meaning(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_name, code.co_code, code.co_names, consts
