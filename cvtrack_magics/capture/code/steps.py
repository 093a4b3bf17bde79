"""The statements of a cell: what each gives a name, and what it certainly changes in place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cvtrack_magics.capture.code.cell_magics import without_magics
from cvtrack_magics.capture.code.cell_names import CellNames, add_statement, root_of
from cvtrack_magics.syntax import tree_of

_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAYBE = (ast.If, ast.While, ast.Try, ast.Match, ast.IfExp)
_COMPOUND = (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, *_MAYBE)
_ADDING = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult),
    *(ast.LShift, ast.RShift, ast.BitXor),
)
"""Operators that give something else when they are applied a second time."""
_TAKES = {"pop", "popleft", "popitem"}
_ADDS = {"append", "extend", "insert", "appendleft", "extendleft", "remove", "reverse"}
"""Methods that change the object each time they are called; what gives a value back may not."""
_SETS = {"update", "add", "clear", "sort", "discard", "setdefault", "fill", "fill_"}
"""Methods that change the object, and leave it so when they are called again."""
_PLACES = {"to", "cuda", "cpu", "float", "half", "double", "eval", "train"}
"""Methods of which only the last counts: a network is where it was sent last."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a cell.

    Attributes
    ----------
    text : str
        What it is, whatever its layout, comments and docstrings.
    reads : frozenset of str
        Whose value from before it takes as it runs.
    binds : frozenset of str
        That it gives a new value, whatever they had.
    perhaps : frozenset of str
        The same on a branch that may not be taken.
    adds, may_add : frozenset of str
        That are something else each time it runs: ``x += 1``, ``x.append(1)``; on a branch.
    sets : tuple of (str, str)
        Names that it changes so that a second time changes nothing, and which part of them.
    later : mapping of str to frozenset of str
        For a function or class, what it reads when it is called.
    imports, makes_class : bool
        Whether it binds modules, a class.
    """

    text: str
    reads: frozenset[str]
    binds: frozenset[str]
    perhaps: frozenset[str]
    adds: frozenset[str]
    may_add: frozenset[str]
    sets: tuple[tuple[str, str], ...]
    later: Mapping[str, frozenset[str]]
    imports: bool = False
    makes_class: bool = False

    @property
    def changes(self) -> frozenset[str]:
        """The names that it makes something else from what they were."""
        return self.adds | self.may_add | {name for name, _ in self.sets}

    @property
    def touches(self) -> frozenset[str]:
        """All names that may be something else after it."""
        return self.binds | self.perhaps | self.changes


@dataclass
class _Changes:
    """What a statement changes, as far as that is certain from its text."""

    adds: set[str] = field(default_factory=set)
    may_add: set[str] = field(default_factory=set)
    sets: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, *, branch: bool) -> None:
        (self.may_add if branch else self.adds).add(name)


@lru_cache(maxsize=4096)
def steps_of(source: str) -> tuple[Step, ...] | None:
    """Return the statements of a cell, or None where it is no Python.

    Parameters
    ----------
    source : str
        As it was typed, magics included; a cell of another language has no statements.
    """
    try:
        tree = tree_of(without_magics(source, certain=True).text)
        return tuple(_step(statement) for statement in tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _step(statement: ast.stmt) -> Step:
    for node in ast.walk(statement):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    found = CellNames()
    add_statement(statement, found, found.defines, branch=False)
    changes = _Changes()
    _collect(statement, changes, branch=False)
    binds, perhaps = set(found.defines), set(found.may_define)
    if isinstance(statement, _DOCUMENTED):  # what it declares global is bound when it is called
        binds = {statement.name}
    reads = set(found.reads)
    for name in (binds | perhaps) & reads:
        if _is_made_anew(statement, name):
            reads.discard(name)
            continue
        branch = name in perhaps and not isinstance(statement, (ast.For, ast.AsyncFor))
        binds.discard(name)
        perhaps.discard(name)
        if name not in changes.adds | changes.may_add:
            _add_own(statement, name, changes, branch=branch)
    return Step(
        text=ast.dump(statement),
        reads=frozenset(reads),
        binds=frozenset(binds),
        perhaps=frozenset(perhaps),
        adds=frozenset(changes.adds - binds),
        may_add=frozenset(changes.may_add - binds),
        sets=tuple((name, slot) for name, slot in changes.sets if name not in binds),
        later={name: frozenset(some) for name, some in found.later_reads.items()},
        imports=isinstance(statement, (ast.Import, ast.ImportFrom)),
        makes_class=isinstance(statement, ast.ClassDef),
    )


def _collect(node: ast.AST, found: _Changes, *, branch: bool) -> None:
    """Add what a node changes; what is in a function happens when that is called."""
    if isinstance(node, _DEFS):
        return
    if isinstance(node, ast.AugAssign):
        _collect_augmented(node, found, branch=branch)
        _collect(node.value, found, branch=branch)
        return
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        found.sets += ((root, ast.unparse(node)) for root in root_of(node))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        _collect_thrown(node.value, found, branch=branch)
    if isinstance(node, ast.Call):
        _collect_call(node, found, branch=branch)
    for inner in ast.iter_child_nodes(node):
        _collect(inner, found, branch=branch or isinstance(node, _MAYBE))


def _collect_augmented(node: ast.AugAssign, found: _Changes, *, branch: bool) -> None:
    for root in root_of(node.target):
        if isinstance(node.op, _ADDING):
            found.add(root, branch=branch)
        else:
            found.sets.append((root, ast.unparse(node)))


def _collect_thrown(node: ast.Call, found: _Changes, *, branch: bool) -> None:
    """Add what a call changes whose value nobody takes: what would it be for otherwise."""
    if isinstance(node.func, ast.Attribute):
        for root in root_of(node.func):
            if node.func.attr in _ADDS:
                found.add(root, branch=branch)
            elif node.func.attr in _SETS:
                found.sets.append((root, ast.unparse(node)))


def _collect_call(node: ast.Call, found: _Changes, *, branch: bool) -> None:
    if isinstance(node.func, ast.Name) and node.func.id == "next" and node.args:
        for root in root_of(node.args[0]):
            found.add(root, branch=branch)
    if not isinstance(node.func, ast.Attribute):
        return
    in_place = any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in node.keywords
    )
    for root in root_of(node.func):
        if node.func.attr in _TAKES and len(node.args) < 2:  # a default is for the second time
            found.add(root, branch=branch)
        elif in_place:
            found.sets.append((root, ast.unparse(node)))


def _is_made_anew(statement: ast.stmt, name: str) -> bool:
    """Say whether a block may give a name a value that does not come from its earlier one.

    It may then be its own from an earlier round that is read: ``best = x if first else max(…)``.
    """
    return isinstance(statement, _COMPOUND) and any(
        not _reads(value, name) for value in _values(statement, name)
    )


def _add_own(statement: ast.stmt, name: str, found: _Changes, *, branch: bool) -> None:
    """Note a name that is made from its earlier value: ``x = x / 2`` each time another one."""
    values = list(_values(statement, name))
    if any(_is_sum(value, name) for value in values):
        found.add(name, branch=branch)
    else:
        placed = any(_is_placed(value, name) for value in values)
        found.sets.append((name, "place" if placed else ast.dump(statement)))


def _values(statement: ast.stmt, name: str) -> Iterator[ast.AST]:
    """Yield what a name is assigned in a statement."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_stores(target, name) for target in targets):
                yield node.value
        elif isinstance(node, (ast.For, ast.AsyncFor)) and _stores(node.target, name):
            yield node.iter
        elif isinstance(node, ast.withitem) and _stores(node.optional_vars, name):
            yield node.context_expr


def _stores(target: ast.AST | None, name: str) -> bool:
    return target is not None and any(
        isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store)
        for one in ast.walk(target)
    )


def _reads(value: ast.AST, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(value))


def _is_placed(value: ast.AST, name: str) -> bool:
    """Say whether a value is ``name.to(device)``, or of its kind."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in _PLACES
        and isinstance(value.func.value, ast.Name)
        and value.func.value.id == name
    )


def _is_sum(value: ast.AST, name: str) -> bool:
    """Say whether a value is a sum or product with a name, and not what a function makes of it."""
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, _ADDING)
        and any(isinstance(one, ast.Name) and one.id == name for one in (value.left, value.right))
    )
