"""What the names of an own module stood for when it was imported, and what they stand for now."""

from __future__ import annotations

import ast
import builtins
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.capture.code.replaced_code import (
    bound_by,
    meaning,
    origin,
    plain_functions,
    written,
)
from cvtrack_magics.syntax import tree_of
from cvtrack_magics.text import (
    bases_of,
    dict_of,
    is_a,
    is_class,
    module_of,
    parents_of,
    qualname_of,
)

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_GONE = object()


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name stood for.

    Attributes
    ----------
    held : callable
        Gives the object, or ``None`` when nothing holds it any more.
    does : tuple
        Of a function of the module its code and defaults; of a class its bases.
    closed : tuple
        Of a function what its closure holds.
    home : tuple of str
        Module and name in it, of what was imported from another module.
    """

    held: Callable[[], Any]
    does: tuple[object, ...] = ()
    closed: tuple[object, ...] = ()
    home: tuple[str, str] = ("", "")


def bindings(module: ModuleType) -> dict[str, Binding]:
    """Return what a module's names of functions, classes and modules stand for, methods included.

    Parameters
    ----------
    module : module
        Just imported: what is replaced afterwards is told by `rebound`.
    """
    return {name: _binding(module, value) for name, value in _watched(module)}


def rebound(module: ModuleType, before: dict[str, Binding], source: bytes) -> dict[str, str]:
    """Return the names that stand for something else than at the import, and for what.

    Parameters
    ----------
    module : module
        As it is in memory.
    before : dict
        From `bindings`.
    source : bytes
        The module's text: what it binds again itself may be meant, and what does what the text
        says was brought up to it by ``%autoreload``.
    """
    now = dict(_watched(module))
    gone = {name: vars(module).get(name, _GONE) for name in before.keys() - now.keys()}
    others = {
        name: value
        for name, value in {**now, **gone}.items()
        if (not _is_same(module, before[name], value) if name in before else True)
    }
    others = {n: v for n, v in others.items() if n in before or _takes_over(before, module, n, v)}
    if not others:
        return {}  # without reading the text, which takes its time
    try:
        several, texts = _own_words(source), written(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    found = {}
    for name, value in others.items():
        old = before.get(name)
        # of a class in a class the text is not looked at so closely
        inner = name.count(".") > 1 and name.rpartition(".")[2] in several
        if name in several or inner or (old is not None and _is_text(value, old, texts.get(name))):
            continue
        if old is not None or "." in name or name in _loads(source):
            found[name] = origin(value) if old is None else _what(old, value)
    return found


def disagrees(before: dict[str, Binding], source: bytes) -> bool:
    """Say whether a function did something else at the import than the text of that time says.

    Python takes a compiled file for its source by time and size alone, or does not ask.
    """
    try:
        plain, texts = plain_functions(source), written(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    known = {name: before[name] for name in plain if name in before}
    return any(
        bool(each.does) and name in texts and _says_other(each.does[0], texts[name])
        for name, each in known.items()
        if name == each.home[1]
    )


def _says_other(does: object, text: object) -> bool:
    # what a decorator made is called as in its own text
    return (
        isinstance(does, tuple)
        and isinstance(text, tuple)
        and does[0] == text[0] != ""
        and (does != text)
    )


def _watched(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if name.startswith("__"):
            continue
        kind = type(value)  # isinstance asks a lazy object for its class, which may import it
        if issubclass(kind, (FunctionType, BuiltinFunctionType, ModuleType, type, partial)):
            yield name, value
        if issubclass(kind, type) and module_of(value) == module.__name__:
            yield from _of_class(name, value)


def _of_class(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods of a class, and those of the classes in it."""
    for attribute, each in list(dict_of(kind).items()):
        inside = f"{name}.{attribute}"
        if isinstance(_function(each), FunctionType):
            yield inside, _function(each)
        elif type(each) is type and each.__qualname__ == f"{qualname_of(kind)}.{attribute}":
            yield from _of_class(inside, each)


def _function(value: Any) -> Any:
    inner = value.fget if isinstance(value, property) else value
    return getattr(inner, "__func__", inner)


def _binding(module: ModuleType, value: Any) -> Binding:
    try:
        kept: Callable[[], Any] = weakref.ref(value)
    except TypeError:  # a function of C, which lasts as long as its module
        kept = _always(value)
    if type(value) is FunctionType and value.__globals__ is vars(module):
        return Binding(kept, _does(value), _closed(value), _home(value))
    return Binding(kept, _stands_for(value), (), _home(value))


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


def _home(value: Any) -> tuple[str, str]:
    if is_a(value, ModuleType):
        return value.__name__, ""
    if is_class(value):  # its metaclass may say otherwise
        return module_of(value), qualname_of(value)
    return str(getattr(value, "__module__", "")), str(getattr(value, "__qualname__", ""))


def _does(value: FunctionType) -> tuple[object, ...]:
    named = sorted((value.__kwdefaults__ or {}).items())
    given = (*(value.__defaults__ or ()), *(each for pair in named for each in pair))
    return (meaning(value.__code__), *map(_mark, given))


def _closed(value: FunctionType) -> tuple[object, ...]:
    return tuple(_mark(_content(cell)) for cell in value.__closure__ or ())


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _stands_for(value: Any) -> tuple[object, ...]:
    """Return a class's bases, or what a partial calls and gives it."""
    if type(value) is partial:
        named = sorted(value.keywords.items())
        given = (*value.args, *(each for pair in named for each in pair))
        return ("partial", *map(_mark, (value.func, *given)))
    return tuple(map(id, parents_of(value))) if is_class(value) else ()


def _mark(value: Any) -> object:
    if isinstance(value, _PLAIN):
        return (type(value).__name__, repr(value))
    return meaning(value.__code__) if type(value) is FunctionType else id(value)


def _now(old: Binding, value: Any) -> tuple[object, ...]:
    return _does(value) if type(value) is FunctionType and old.does else _stands_for(value)


def _is_same(module: ModuleType, old: Binding, value: Any) -> bool:
    if value is _GONE:
        return True  # what is deleted is told by the text
    if value is old.held() or type(value) is partial:  # its closure may count something
        return _now(old, value) == old.does
    if _home(value)[0] != module.__name__ and _home(value) == old.home and _is_current(value):
        return True  # of a module that was loaded anew
    if type(value) is not FunctionType:
        return is_class(value) and module_of(value) == module.__name__
    if not old.does:
        return False
    return _does(value) == old.does and _closed(value) == old.closed


def _is_text(value: Any, old: Binding, text: object) -> bool:
    """Say whether a function does what the text says now, with the defaults that it had."""
    if type(value) is not FunctionType or meaning(value.__code__) != text:
        return False
    return _does(value)[1:] == old.does[1:]


def _is_current(value: Any) -> bool:
    name, path = _home(value)
    found: Any = sys.modules.get(name)
    for part in path.split(".") if path else ():
        found = getattr(found, part, None)
    return found is value


def _takes_over(before: dict[str, Binding], module: ModuleType, name: str, value: Any) -> bool:
    """Say whether a new name stands before one that the module's code may use until now."""
    owner, _, last = name.rpartition(".")
    if not owner:
        return hasattr(builtins, name)
    kind = vars(module).get(owner)
    was = before.get(owner)
    if was is None or was.held() is not kind or was.home[0] != module.__name__:
        return False
    of_cell = type(value) is FunctionType and value.__module__ == "__main__"
    return of_cell and (
        last.startswith("__") or any(last in dict_of(b) for b in bases_of(kind)[1:])
    )


def _what(old: Binding, value: Any) -> str:
    if value is not old.held():
        return origin(value)
    if type(value) is not FunctionType:
        return "other bases"
    return "other defaults" if _does(value)[0] == old.does[0] else "other code"


@lru_cache(maxsize=4096)  # modules: each is read once, not at each run
def _own_words(source: bytes) -> frozenset[str]:
    """Return the names that a text binds more than once, or may bind at any time."""
    tree = tree_of(source)
    counts = Counter(name for node in ast.walk(tree) for name in bound_by(node))
    found = {name for name, count in counts.items() if count > 1}
    stored = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            own = Counter(name for each in node.body for name in bound_by(each))
            twice = {name for name, count in own.items() if count > 1}
            found |= {f"{node.name}.{name}" for name in twice | stored}
    return frozenset(found)


@lru_cache(maxsize=4096)
def _loads(source: bytes) -> frozenset[str]:
    return frozenset(names_in(compile(source, "text", "exec", dont_inherit=True)))
