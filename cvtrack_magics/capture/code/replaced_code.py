"""Functions and constants of own modules that were replaced in memory."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from cvtrack_magics.syntax import tree_of
from cvtrack_magics.text import dict_of, is_class, module_of, qualname_of

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_HELD = (dict, list, tuple, set)
_INNER = ("__wrapped__", "__func__", "func")
_READS = frozenset(("get", "items", "keys", "values", "copy", "index", "count"))
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
        all; of decorated ones, lambdas and properties those whose code is of the notebook;
        and constants of modules and classes with another value, of a list or dict those that
        are not what they were. What the module's own code assigns or changes again is left
        out, for it may be meant.
    """
    try:
        functions, constants = _said(source)
        wrapped = _wrapped(source)
        texts = written(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for name in wrapped:
        value = _innermost(_value(module, name))
        if _is_of_notebook(value) and not _is_of(value, path):  # a script's are of both
            found.append(f"{module.__name__}.{name} ({origin(value)})")
    for name in functions:
        value = _value(module, name)
        if not _is_of(value, path) and not _means(value, texts.get(name)):
            found.append(f"{module.__name__}.{name} ({origin(value)})")
    for name, value in constants:
        now = _constant_now(module, name)
        if not _holds(now, value):
            # not the value itself, which may be a secret
            known = isinstance(now, _PLAIN) or type(now) is type(value)
            what = "another value" if known else origin(now)
            found.append(f"{module.__name__}.{name} ({what})")
    return found[:_MOST]


def plain_functions(source: bytes) -> tuple[str, ...]:
    """Return the functions and methods that a text defines once and does not wrap."""
    return _said(source)[0]


def agrees(module: ModuleType, source: bytes) -> bool:
    """Say whether all functions and constants that can be compared are those of a text."""
    try:
        functions, constants = _said(source)
        texts = written(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return all(
        value is _OTHER or _means(value, texts.get(name))
        for name, value in ((name, _value(module, name)) for name in functions)
    ) and all(_holds(_constant_now(module, name), value) for name, value in constants)


_GONE = object()


def _value(module: ModuleType, name: str) -> Any:
    owner, _, last = name.rpartition(".")
    held: Any = vars(module).get(owner, _GONE) if owner else module
    if held is _GONE or (owner and not is_class(held)):
        return _OTHER
    value = (dict_of if is_class(held) else vars)(held).get(last, _GONE)
    return getattr(value, "__func__", value)


def _constant_now(module: ModuleType, name: str) -> Any:
    """Return a constant's value; of a class only where its making leaves constants as they are."""
    now = _value(module, name)
    owner = vars(module).get(name.rpartition(".")[0])
    if not is_class(owner) or now is _GONE:
        return now
    # an enumeration's members and a named tuple's defaults are made into something else
    return now if type(owner) is type and isinstance(now, (*_PLAIN, *_HELD)) else _OTHER


def _innermost(value: Any) -> Any:
    """Return the function that decorators wrapped, or that a property calls."""
    for _ in range(_MOST):
        inner = next((v for n in _INNER if (v := vars_of(value).get(n)) is not None), None)
        inner = value.fget if isinstance(value, property) else inner
        if inner is None:
            break
        value = inner
    return value


def vars_of(value: Any) -> Mapping[str, Any]:
    """Return an object's own attributes; nothing of what has none."""
    held = dict_of(value) if is_class(value) else getattr(value, "__dict__", {})
    return held if isinstance(held, Mapping) else {}


def _is_of_notebook(value: Any) -> bool:
    """Say whether a function is one that a cell defined, which no module can have used."""
    return type(value) is FunctionType and value.__module__ == "__main__"


def _holds(now: Any, value: Any) -> bool:
    """Say whether a constant is what the text says; a list or dict may have got more."""
    if value is _OTHER or now is _OTHER:
        return True
    if type(now) is not type(value):
        return False
    if isinstance(value, dict):
        return all(key in now and _holds(now[key], item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        same = len(now) == len(value) if isinstance(value, tuple) else len(now) >= len(value)
        return same and all(map(_holds, now, value))
    return bool(now >= value) if isinstance(value, set) else bool(now == value)


_OTHER = object()


def _is_of(value: Any, path: Path) -> bool:
    if value is _OTHER:  # a class that its decorator made anew: nothing is known of its methods
        return True
    code = getattr(value, "__code__", None)
    return type(value) is FunctionType and isinstance(code, CodeType) and _same(code, path)


def _means(value: Any, written: object) -> bool:
    code = getattr(value, "__code__", None)
    return isinstance(code, CodeType) and meaning(code) == written


@lru_cache(maxsize=4096)  # modules: each is read once, not at each run
def written(source: bytes) -> dict[str, object]:
    """Return what each function and method of a text does, by its name."""
    found: dict[str, object] = {}
    waiting = [("", compile(source, "text", "exec", dont_inherit=True))]
    while waiting:
        above, code = waiting.pop()
        inside = [each for each in code.co_consts if isinstance(each, CodeType)]
        named = [(f"{above}{each.co_name}", each) for each in inside]
        found |= {name: meaning(each) for name, each in named}
        waiting += [(f"{name}.", each) for name, each in named]
    return found


def _same(code: CodeType, path: Path) -> bool:
    return code.co_filename == str(path) or Path(code.co_filename).name == path.name


def origin(value: Any) -> str:
    """Return what is in place of something, and where it is from."""
    if value is _GONE:
        return "deleted"
    if is_class(value):
        return f"class {qualname_of(value)} of {module_of(value)}"
    if type(value) is not FunctionType:
        return f"now a {type(value).__name__}"
    file = value.__code__.co_filename
    inside = "ipython-input" in file or "ipykernel" in file or file.startswith("<")
    return f"{value.__qualname__} of {'a cell' if inside else Path(file).name}"


@lru_cache(maxsize=4096)
def _wrapped(source: bytes) -> tuple[str, ...]:
    """Return the functions and methods that a text defines once and wraps, and its lambdas."""
    tree = tree_of(source)
    bound = Counter(name for node in ast.walk(tree) for name in bound_by(node))
    found = [name for name in (*_decorated(tree), *_lambdas(tree)) if bound[name] == 1]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            own = Counter(name for each in node.body for name in bound_by(each))
            inner = [*_decorated(node), *_lambdas(node)]
            if node.decorator_list or node.keywords:
                inner += _methods(node)
            found += [f"{node.name}.{name}" for name in inner if own[name] == 1]
    return tuple(found)


def _decorated(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    plain = set(_methods(node))
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name not in plain:
            yield item.name


def _lambdas(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Lambda):
            yield from (target.id for target in item.targets if isinstance(target, ast.Name))


@lru_cache(maxsize=4096)  # modules: each is read once, not at each run
def _said(source: bytes) -> tuple[tuple[str, ...], tuple[tuple[str, Any], ...]]:
    """Return the functions and the plain constants that a module's text defines once."""
    tree = tree_of(source)
    bound = Counter(name for node in ast.walk(tree) for name in bound_by(node))
    # a name of a module is bound again by what has the same name anywhere in it
    functions = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords:
            own = Counter(name for each in node.body for name in bound_by(each))
            functions += [f"{node.name}.{name}" for name in _methods(node) if own[name] == 1]
    functions += [name for name in _methods(tree) if bound[name] == 1]
    places = [("", node) for node in tree.body]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords:
            places += [(f"{node.name}.", each) for each in node.body]
    changed = {name for node in ast.walk(tree) for name in _changed(node)}
    constants = [
        (f"{owner}{name}", value)
        for owner, node in places
        for name, value in _constant(node)
        if bound[name] == 1 and name not in changed
    ]
    return tuple(functions), tuple(constants)


def _methods(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            plain = [d.id if isinstance(d, ast.Name) else "" for d in item.decorator_list]
            if _UNWRAPPED.issuperset(plain):
                yield item.name


def bound_by(node: ast.AST) -> Iterator[str]:
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


def _changed(node: ast.AST) -> Iterator[str]:
    """Yield the names whose object a part of the text may change, or hand on to be changed."""
    inside: ast.AST | None = None
    stored = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
    if stored or (isinstance(node, ast.Attribute) and node.attr not in _READS):
        inside = getattr(node, "value", None)
    elif isinstance(node, ast.AugAssign):
        inside = node.target
    while isinstance(inside, (ast.Subscript, ast.Attribute)):
        if isinstance(inside, ast.Attribute):
            yield inside.attr
        inside = inside.value
    if isinstance(inside, ast.Name):
        yield inside.id


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
    if isinstance(value, _PLAIN) or (isinstance(value, _HELD) and value):
        yield target.id, value


def meaning(code: CodeType) -> tuple[object, ...]:
    """Return what a function does, wherever it stands in a file."""
    return code.co_name, code.co_code, code.co_names, tuple(map(_const, code.co_consts))


def _const(value: object) -> object:
    if isinstance(value, CodeType):
        return meaning(value)
    # the order of a set is that in which it was filled, and its compiled file fills it anew
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)
