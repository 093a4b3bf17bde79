"""Files whose text a cell executes without importing them, read from the cell's own source."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.syntax import tree_of
from cvtrack_magics.text import is_class

_MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w., \t]+=[ \t]*[%!].*)$", re.MULTILINE)
_SOURCE = re.compile(r"[^\s*?\n]{1,300}\.i?pyw?")
_READERS = frozenset(("open", "open_code", "getlines", "read_code"))
_METHODS = frozenset(("read_text", "read_bytes"))
_FETCHES = frozenset(("urlopen", "text", "content", "b64decode", "decompress", "recv"))
_EXECUTE = frozenset(("exec", "eval", "run_cell", "run_code", "runcode", "runsource", "ex"))
_PLACES = {
    **dict.fromkeys(("run_path", "execfile", "safe_execfile", "safe_execfile_ipy"), 0),
    **dict.fromkeys(("spec_from_file_location", "load_source", "SourceFileLoader"), 1),
}
"""Functions that execute a file, and which of their arguments names it."""
_JOINED = frozenset(("join", "Path", "PurePath", "str", "fspath", "abspath", "expanduser", "open"))
_MOST, _DEEPEST = 50, 6
_STEPS = 2000  # expressions of a cell that are followed; names may be bound to one another


@dataclass
class Executed:
    """What a cell executes: files, texts by the names that hold them, and what is not known.

    ``mentioned`` are other names of source files: a function of the user's may execute them.
    """

    files: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def executed_in(source: str, names: Mapping[str, Any]) -> Executed:
    """Return what a cell executes, as far as its source and its names tell.

    Parameters
    ----------
    source : str
        The cell; magics in it are passed over.
    names : mapping
        The notebook's names: what a variable that is executed, or names a file, holds now.
    """
    try:
        tree = tree_of(_MAGIC.sub(r"\1pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Executed()
    cell = _Cell(tree, names)
    found = Executed()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            cell.look_at(node, found)
        elif isinstance(node, ast.Constant) and _SOURCE.fullmatch(str(node.value)):
            found.mentioned.append(str(node.value))  # whatever function it is given to
    return found


class _Cell:
    """The bindings of a cell, by which an expression is read without being evaluated."""

    def __init__(self, tree: ast.AST, names: Mapping[str, Any]) -> None:
        self._names = names
        self._bound: dict[str, list[ast.expr]] = {}
        self._looped: set[str] = set()
        self._left = _STEPS
        for node in ast.walk(tree):
            if isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name):
                self._looped.add(node.target.id)
            for target, value in _bindings(node):
                self._bound.setdefault(target, []).append(value)

    def look_at(self, call: ast.Call, found: Executed) -> None:
        """Take up what a call executes."""
        name = _name_of(call.func)
        place = _PLACES.get(name)
        if place is not None:
            given = {one.arg: one.value for one in call.keywords}
            path = call.args[place] if len(call.args) > place else given.get("path_name")
            path = path or given.get("location") or given.get("path")
            if path is not None:
                self._file(path, call, found)
        elif name in _EXECUTE and call.args:
            readers = list(self._readers(call.args[0], 0))
            for reader in readers:
                self._file(reader, call, found)
            if not readers and self._is_fetched(call.args[0], 0):
                found.unknown.append(ast.unparse(call)[:80])
            if name != "eval":
                self._held(call.args[0], found)

    def _file(self, path: ast.expr, call: ast.Call, found: Executed) -> None:
        paths = self.texts_of(path)
        found.files += paths
        if not paths:
            found.unknown.append(ast.unparse(call)[:80])

    def _held(self, node: ast.expr, found: Executed) -> None:
        """Take up the text, or the file of the code, that a name from an earlier cell holds."""
        if not isinstance(node, ast.Name) or node.id in self._bound:
            return
        held = self._names.get(node.id)
        if isinstance(held, (str, bytes)):
            found.texts[node.id] = (
                held if isinstance(held, str) else held.decode("utf-8", "replace")
            )
        elif isinstance(held, CodeType):
            found.files.append(held.co_filename)

    def _is_fetched(self, node: ast.AST, depth: int) -> bool:
        """Say whether a text comes from a server, or is packed."""
        self._left -= 1
        if self._left < 0:
            return False
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Attribute, ast.Call)) and _name_of(inner) in _FETCHES:
                return True
            bound = self._bound.get(inner.id, ()) if isinstance(inner, ast.Name) else ()
            if depth < _DEEPEST and any(self._is_fetched(one, depth + 1) for one in bound):
                return True
        return False

    def _readers(self, node: ast.AST, depth: int) -> Iterator[ast.expr]:
        """Yield what names the files that an expression reads, through the cell's own names."""
        self._left -= 1
        if self._left < 0:
            return
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and _name_of(inner.func) in _READERS and inner.args:
                yield inner.args[0]
            elif isinstance(inner, ast.Attribute) and inner.attr in (*_METHODS, "open"):
                yield inner.value
            elif isinstance(inner, ast.Name) and depth < _DEEPEST:
                for value in self._bound.get(inner.id, ())[:_MOST]:
                    yield from self._readers(value, depth + 1)

    def texts_of(self, node: ast.AST, depth: int = 0) -> list[str]:
        """Return the texts that an expression may stand for; none where that is not known."""
        found: list[str] = []
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return found
        if isinstance(node, ast.Constant):
            found = [node.value] if isinstance(node.value, str) else []
        elif isinstance(node, ast.Name):
            found = self._of_name(node.id, depth)
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            found = [text for one in node.elts[:_MOST] for text in self.texts_of(one, depth + 1)]
        elif isinstance(node, ast.JoinedStr):
            found = self._joined([getattr(one, "value", one) for one in node.values], "", depth)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
            sign = "/" if isinstance(node.op, ast.Div) else ""
            found = self._joined([node.left, node.right], sign, depth)
        elif isinstance(node, ast.Call):
            found = self._of_call(node, depth)
        return found

    def _of_name(self, name: str, depth: int) -> list[str]:
        values = self._bound.get(name, ())[:_MOST]
        found = [text for value in values for text in self.texts_of(value, depth + 1)]
        held = None if name in self._looped else self._names.get(name)
        if not found and isinstance(held, (str, os.PathLike)):
            found = [os.fsdecode(held)]
        return found

    def _joined(self, parts: list[Any], sign: str, depth: int) -> list[str]:
        made = [""]
        for at, part in enumerate(parts):
            texts = [part] if isinstance(part, str) else self.texts_of(part, depth + 1)
            glue = sign if at else ""
            made = [f"{before}{glue}{text}" for before in made for text in texts][:_MOST]
        return made

    def _of_call(self, call: ast.Call, depth: int) -> list[str]:
        name = _name_of(call.func)
        if name in _JOINED and call.args:
            args = call.args[:1] if name == "open" else call.args
            return self._joined(list(args), "/", depth)
        if name in ("sorted", "list", "reversed") and call.args:
            return self.texts_of(call.args[0], depth + 1)
        if name in ("glob", "rglob") and call.args:
            of_path = isinstance(call.func, ast.Attribute) and self.texts_of(call.func.value)
            folders = of_path or [""]
            deep = "**/" if name == "rglob" else ""
            patterns = self.texts_of(call.args[0], depth + 1)
            return [
                str(path)
                for folder in folders
                for pattern in patterns
                for path in _glob(folder, f"{deep}{pattern}")
            ]
        return []


def _glob(folder: str, pattern: str) -> list[Path]:
    try:
        return sorted(islice(Path(folder).glob(pattern), _MOST))
    except (ValueError, NotImplementedError, OSError):
        return []


def _name_of(func: ast.expr) -> str:
    func = func.func if isinstance(func, ast.Call) else func
    return func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield names with what they are bound to, or with what they go through."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name):
        yield node.target.id, node.iter
    elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
        yield node.optional_vars.id, node.context_expr


def files_of_functions(names: Mapping[str, Any]) -> list[str]:
    """Return the user's files that functions and classes among some names were compiled from."""
    found: dict[str, None] = {}
    for value in list(names.values()):
        held = list(vars(value).values()) if is_class(value) else [value]
        for one in held:
            if type(one) is FunctionType and _SOURCE.fullmatch(one.__code__.co_filename):
                found[one.__code__.co_filename] = None
    return [
        path for path in found if os.path.isfile(path) and not is_foreign(os.path.abspath(path))
    ]
