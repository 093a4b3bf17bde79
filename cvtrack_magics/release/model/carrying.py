"""A function of the notebook as text, with everything that it uses.

Names that the text leaves open are looked up where the function would look them up: modules
become import lines, plain constants literals, and functions of the notebook their own source.
Nothing is pickled; what has no such form is refused.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import symtable
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import redact
from cvtrack_magics.syntax import tree_of

_LONGEST = 100_000  # characters of one constant
_HINT = "Write it as a constant, an import or a function of the notebook."


@dataclass(frozen=True)
class Carried:
    """A function that can be defined anywhere.

    Attributes
    ----------
    name : str
        The function's name in ``text``.
    text : str
        A Python module: import lines, constants, functions.
    packages : tuple of str
        Top-level modules that it imports, without the standard library.
    """

    name: str
    text: str
    packages: tuple[str, ...]


@dataclass
class _Found:
    """What has been collected so far, each by the name that the text uses."""

    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)


def carry(function: Any) -> Carried:
    """Return a function as text.

    Raises
    ------
    UsageProblem
        In one line, what cannot be carried: a lambda, a class or an object, a function
        without source, or one that uses a tensor or an object of the notebook.
    """
    if not isinstance(function, FunctionType):
        kind = type(function).__name__
        raise UsageProblem(f"A {kind} cannot be carried into the model.", "Give a function.")
    found = _Found()
    _add(function, function.__name__, found)
    parts = ["from __future__ import annotations", *sorted(set(found.imports.values()))]
    parts += [f"{name} = {text}" for name, text in found.constants.items()]
    parts += ["\n\n" + text for text in found.functions.values()]
    return Carried(inspect.unwrap(function).__name__, "\n".join(parts) + "\n", _sorted(found))


def _sorted(found: _Found) -> tuple[str, ...]:
    return tuple(sorted(found.packages - set(sys.stdlib_module_names)))


def _add(function: Callable[..., Any], name: str, found: _Found) -> None:
    """Add a function's source, and before it what it uses."""
    function = inspect.unwrap(function)
    found.values[name] = function
    own = function.__name__
    source, tree = _source(function)
    for module in _imported(tree):
        found.packages.add(module)
    spaces = _spaces(function)
    # a decorator or default is run when the function is defined: what it needs goes first
    for open_name in _open_names(tree):
        if open_name == own:
            continue
        for space in spaces:
            if open_name in space:
                _resolve(open_name, space[open_name], own, found)
                break
        else:
            _from_builtins(open_name, own)
    text = source if own == name else f"{source}\n\n{name} = {own}"
    if own in found.functions and found.functions[own] != text:
        raise UsageProblem(f"Two functions that are used have the name {own}.", "Rename one.")
    found.functions[own if own == name else name] = text


def _spaces(function: Any) -> list[dict[str, Any]]:
    """Return where a function looks names up: its closure, then its module."""
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return [cells, function.__globals__]


def _from_builtins(name: str, user: str) -> None:
    """Accept a name of Python's own; IPython puts some beside them."""
    value = getattr(builtins, name, None)
    own = getattr(value, "__module__", "builtins") == "builtins" and name != "__IPYTHON__"
    if not hasattr(builtins, name) or not own:
        raise UsageProblem(f"{user} uses {name}, which is not defined.")


def _source(function: Any) -> tuple[str, ast.Module]:
    name = function.__name__
    if name == "<lambda>":
        raise UsageProblem("A lambda cannot be carried into the model.", "Write it with def.")
    try:
        source = textwrap.dedent(inspect.getsource(function)).strip()
        tree = tree_of(source)
    except (OSError, TypeError) as error:
        raise UsageProblem(f"The source of {name} is not known.", "Define it in a cell.") from error
    except (SyntaxError, ValueError) as error:
        raise UsageProblem(f"The source of {name} cannot be read as plain Python.") from error
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        raise UsageProblem(f"{name} is not a plain function.", "Write it with def.")
    return source, tree


class _WithoutTypes(ast.NodeTransformer):
    """Drops annotations: they are not evaluated, so their names need not exist."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        value = node.value or ast.Constant(None)
        return ast.copy_location(ast.Assign([node.target], value), node)


def _open_names(tree: ast.Module) -> list[str]:
    """Return the names that a function's text leaves open, in alphabetical order."""
    bare = ast.fix_missing_locations(_WithoutTypes().visit(tree_of(ast.unparse(tree))))
    table = symtable.symtable(ast.unparse(bare), "function", "exec")
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    names |= {
        symbol.get_name()
        for inner in _tables(table)
        for symbol in inner.get_symbols()
        if symbol.is_global() and symbol.is_referenced()
    }
    return sorted(names)


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _tables(child)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _resolve(name: str, value: Any, user: str, found: _Found) -> None:
    """Add what a name stands for."""
    if name in found.values:
        if found.values[name] is not value and not _is_function(value):
            raise UsageProblem(f"{name} means two things in what {user} uses.", "Rename one.")
        return
    if isinstance(value, ModuleType):
        _add_import(name, f"import {value.__name__}", value.__name__, found, local=value)
        if name != value.__name__:
            found.imports[name] += f" as {name}"
    elif _is_installed(value):
        module = value.__module__
        said = value.__name__ if value.__name__ == name else f"{value.__name__} as {name}"
        _add_import(name, f"from {module} import {said}", module, found)
    elif _is_function(value):
        _add(value, name, found)
        return
    else:
        found.constants[name] = _literal(name, value, user)
    found.values[name] = value


def _add_import(
    name: str, line: str, module: str, found: _Found, local: ModuleType | None = None
) -> None:
    if local is not None and not _lies_installed(local):
        raise UsageProblem(
            f"{name} is a module of your own, which the model does not carry.",
            "Import the functions from it by name.",
        )
    found.imports[name] = line
    found.packages.add(module.partition(".")[0])


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)


def _is_installed(value: Any) -> bool:
    """Whether a class or function can be imported by its name wherever its package is."""
    if not isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return False
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or not _lies_installed(module):
        return False
    return getattr(module, value.__name__, None) is value


def _lies_installed(module: ModuleType) -> bool:
    """Whether a module belongs to Python or to an installed package."""
    if module.__name__ == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__.partition(".")[0] in sys.stdlib_module_names or hasattr(
            module, "__path__"
        )
    places = (sysconfig.get_path(p) for p in ("stdlib", "platstdlib", "purelib", "platlib"))
    return any(Path(file).is_relative_to(place) for place in places if place)


def _literal(name: str, value: Any, user: str) -> str:
    """Return a constant as Python text, or refuse it."""
    text = repr(value)
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
        return f"__import__('torch').{text.removeprefix('torch.')}"
    try:
        same = bool(ast.literal_eval(text) == value)
    except Exception:
        same = False
    if not same:
        said = f"{user} uses {name}, a {type(value).__name__}, which cannot be carried"
        raise UsageProblem(f"{said} into the model.", _HINT)
    if len(text) > _LONGEST:
        raise UsageProblem(f"{user} uses {name}, which is {len(text):,} characters long.")
    if redact(text) != text:
        raise UsageProblem(f"{user} uses {name}, which seems to hold a password or a token.")
    return text
