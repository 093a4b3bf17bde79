"""What a function or object of the user's is made of: its code, settings and data, as texts."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import hashlib
import linecache
import re
from collections import deque
from collections.abc import Iterator, Mapping
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.randomness import is_generator
from cvtrack_magics.capture.data.reach import slots_of
from cvtrack_magics.capture.data.reached_code import globals_of, is_library, source_of
from cvtrack_magics.capture.data.shapes import is_array, is_image, is_table
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.secrets import looks_secret
from cvtrack_magics.secrets.records import HIDDEN
from cvtrack_magics.secrets.stored import lasting
from cvtrack_magics.syntax import tree_of
from cvtrack_magics.text import utf8

_MOST = 100_000
_LARGE = 200
LARGE = "large"  # how the text of a long list or dict begins
_STATE = re.compile(r"(^|_)(epoch|step|count|call|seen|rank|worker)s?(_|$)|cache|memo|history")
_Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def texts_of_code(*values: object) -> list[str]:
    """Return the texts that stand for what functions and objects do, sorted.

    Parameters
    ----------
    *values : object
        Functions of the user count by their code without comments and layout, by their
        defaults, closures and the globals that they use; objects by their attributes and,
        where their class is the user's, its methods; what a library has by its name.
        Counters and caches are left out, and secrets in texts.
    """
    found: set[str] = set()
    seen: dict[int, object] = {}
    waiting: deque[tuple[str, Any]] = deque(("", value) for value in values)
    while waiting and len(seen) < _MOST:
        name, item = waiting.popleft()
        if item is None or isinstance(item, (bool, int, float, complex, str, bytes)):
            found.add(_plain(name, item))
        elif id(item) not in seen and not _STATE.search(name):
            seen[id(item)] = item
            text, below = _inside(name, item)
            found.add(text)
            waiting.extend(below)
    return sorted(found)


def _plain(name: str, item: Any) -> str:
    if _STATE.search(name):
        return ""
    return f"{lasting(name)}={HIDDEN if looks_secret(name, item) else lasting(repr(item))}"


def _inside(name: str, item: Any) -> tuple[str, list[tuple[str, Any]]]:  # noqa: PLR0911
    if isinstance(item, ModuleType):
        return item.__name__, []
    if is_generator(item):
        return f"{name}: a random generator", []
    if is_array(item) or is_image(item) or is_table(item):
        return f"{lasting(name)}: {_digest(item)}", []
    if isinstance(item, (set, frozenset)):
        item = sorted(item, key=repr)
    if isinstance(item, (Mapping, list, tuple)) and len(item) > _LARGE:
        return f"{LARGE} {lasting(name)}: {_whole(item)}", []
    if isinstance(item, Mapping):
        return name, [(f"{name}.{key}", each) for key, each in item.items()]
    if isinstance(item, (list, tuple)):
        return name, [(f"{name}.{at}", each) for at, each in enumerate(item)]
    if isinstance(item, MethodType):
        return name, [(name, item.__self__), (name, item.__func__)]
    if isinstance(item, functools.partial):
        return name, [(name, item.func), ("args", item.args), ("keywords", item.keywords)]
    if isinstance(item, FunctionType):
        return _of_function(item)
    if isinstance(item, BuiltinMethodType):
        return item.__qualname__, [(name, item.__self__)]
    if isinstance(item, type):
        return item.__qualname__, _methods(item)
    kind = type(item)
    slots = [(name, getattr(item, name, None)) for base in kind.__mro__ for name in slots_of(base)]
    return kind.__qualname__, [*slots, *getattr(item, "__dict__", {}).items(), *_methods(kind)]


def _whole(item: Any) -> str:
    """Return what stands for a large list or dict: its content where that is plain."""
    parts = [*item, *item.values()] if isinstance(item, Mapping) else item
    plain = all(each is None or isinstance(each, (bool, int, float, str, bytes)) for each in parts)
    text = repr(item) if plain else str(len(item))
    return hashlib.sha256(utf8(text)).hexdigest()


def _digest(item: Any) -> str:
    try:
        return hash_value(item)[0]
    except UsageProblem:
        return type(item).__qualname__


def _methods(kind: type) -> list[tuple[str, Any]]:
    """Return what the user's classes of an object define, as they are used."""
    return [
        (name, getattr(each, "__func__", None) or getattr(each, "fget", None) or each)
        for base in kind.__mro__
        if not is_library(base)
        for name, each in vars(base).items()
        if not name.startswith("__") or isinstance(each, FunctionType)
    ]


def _of_function(item: FunctionType) -> tuple[str, list[tuple[str, Any]]]:
    if is_foreign(item.__code__.co_filename):
        return f"{item.__module__}.{item.__qualname__}", []
    cells = zip(item.__code__.co_freevars, item.__closure__ or (), strict=False)
    held: list[tuple[str, Any]] = [(name, _content(cell)) for name, cell in cells]
    held += [("defaults", item.__defaults__), ("defaults", item.__kwdefaults__)]
    names = sorted(set(globals_of(item.__code__)) & item.__globals__.keys())
    held += [(name, item.__globals__[name]) for name in names]
    return lasting(text_of(item)), held


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a function that is still being made
        return None


def text_of(item: FunctionType) -> str:
    """Return a function's code without comments, layout and what stands beside it in its lines."""
    code = item.__code__
    try:
        tree = tree_of("".join(linecache.getlines(code.co_filename, item.__globals__)))
        nodes = [node for node in _functions(tree) if _first_line(node) == code.co_firstlineno]
        alike = [node for node in nodes if len(nodes) == 1 or _is_of(node, code)]
        return ast.unparse(alike[0])
    except (SyntaxError, ValueError, IndexError, RecursionError):
        return source_of(item)


def _functions(tree: ast.AST) -> Iterator[_Node]:
    for node in ast.walk(tree):
        if isinstance(node, _Node):
            yield node


def _first_line(node: _Node) -> int:
    above = [] if isinstance(node, ast.Lambda) else [each.lineno for each in node.decorator_list]
    return min([node.lineno, *above])


def _is_of(node: _Node, code: CodeType) -> bool:
    """Say whether a function of several in one line is the one that was compiled to this."""
    if getattr(node, "name", "<lambda>") != code.co_name:
        return False
    plain = copy.deepcopy(node)  # its defaults are the code of who makes it
    plain.args.defaults, plain.args.kw_defaults = [], [None] * len(plain.args.kwonlyargs)
    if not isinstance(plain, ast.Lambda):
        plain.decorator_list = []
    around = tree_of(f"def _({', '.join(code.co_freevars)}): pass")  # who has what it reads
    outer = around.body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [ast.Expr(plain) if isinstance(plain, ast.Lambda) else plain]
    future = code.co_flags & __future__.annotations.compiler_flag
    made = compile(ast.fix_missing_locations(around), "", "exec", future, dont_inherit=True)
    inner = next(_codes_in(next(_codes_in(made))))
    return _content_of(inner) == _content_of(code)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    return (each for each in code.co_consts if isinstance(each, CodeType))


def _content_of(code: CodeType) -> tuple[object, ...]:
    """Return all that a function does, with the functions and comprehensions in it."""
    plain = [each for each in code.co_consts if not isinstance(each, CodeType)]
    plain = [each for each in plain if not (isinstance(each, str) and "<locals>" in each)]
    inner = [_content_of(each) for each in _codes_in(code)]
    names = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
    return (code.co_code, *map(repr, plain), *names, *inner)
