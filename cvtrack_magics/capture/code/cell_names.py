"""Which names a cell reads, defines and changes, as far as its source tells."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cvtrack_magics.capture.code.cell_magics import without_magics
from cvtrack_magics.syntax import tree_of

_HIDING = {"exec", "globals", "locals", "get_ipython", "setattr", "eval"}
_PURE = {
    *("print", "len", "type", "repr", "str", "int", "float", "bool", "sum", "min", "max", "sorted"),
    *("isinstance", "list", "dict", "tuple", "set", "range", "enumerate", "zip", "display", "abs"),
    *("id", "hash", "round", "any", "all", "map", "filter", "reversed", "getattr", "hasattr"),
    *("callable", "issubclass", "frozenset", "bytes", "help", "dir", "vars", "log", "track"),
}
_LEAVES = {
    *("copy", "clone", "mean", "sum", "std", "var", "min", "max", "argmax", "argmin", "any", "all"),
    *("astype", "items", "keys", "values", "get", "index", "count", "format", "join", "split"),
    *("strip", "startswith", "endswith", "lower", "upper", "replace", "numpy", "detach", "item"),
    *("tolist", "reshape", "ravel", "flatten", "dot", "round", "cumsum", "nonzero", "describe"),
    *("head", "tail", "parameters", "named_parameters", "state_dict", "size", "dim", "exists"),
    *("read_text", "read_bytes", "glob", "rglob", "iterdir", "with_suffix", "is_file", "is_dir"),
}
"""Methods that leave the object as it is."""
_SETS = re.compile(r"seed|^set_|^use_|register|filter|update|enable|disable|config", re.IGNORECASE)
_INTO = re.compile(r"_$|shuffle|fill|copyto|^put|^place|heap|insort")
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)
_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass
class CellNames:
    """The names of a cell's top level.

    Attributes
    ----------
    reads : set of str
        Whose value from before the cell it takes as it runs.
    defines : set of str
        That have a new value after it, whatever they had.
    may_define : set of str
        That may have one: defined on a branch.
    changes : set of str
        Whose object it may change in place: ``x.append(1)``, ``x[0] = 1``, ``train(x)``.
    constants, others : set of str
        What it gives a number or a text, which nothing changes in place; and what something else.
    modules : set of str
        That it imports modules as.
    later_reads, later_changes : dict of str to set of str
        For a function or class, what it reads and changes when it is called.
    mentions : set of str
        Words in the lines of magics, which may be names and may be options' values.
    always : bool
        Whether it does what no name shows: it loads an extension, seeds, changes folder.
    opaque : bool
        Whether it may define names that its source does not show: a star, ``exec``, ``%run``.
    """

    reads: set[str] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)
    may_define: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    later_reads: dict[str, set[str]] = field(default_factory=dict)
    later_changes: dict[str, set[str]] = field(default_factory=dict)
    mentions: set[str] = field(default_factory=set)
    always: bool = False
    opaque: bool = False

    @property
    def touches(self) -> set[str]:
        """All that may be another thing after the cell."""
        return self.defines | self.may_define | self.changes


def names_of(source: str, modules: Iterable[str] = ()) -> CellNames:
    """Return the names of a cell; nothing of it is executed.

    Parameters
    ----------
    source : str
        As it was typed, magics included. Names in the line of a magic are read. A cell that is no
        Python is taken for one with effects.
    modules : iterable of str
        What other cells have imported modules as.
    """
    found = CellNames(modules=set(modules))
    text = text_of(source, found)
    try:
        tree = tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found.always = found.opaque = True
        return found
    found.opaque |= any(isinstance(n, ast.Name) and n.id in _HIDING for n in ast.walk(tree))
    for statement in tree.body:
        add_statement(statement, found, found.defines, branch=False)
    return found


def text_of(source: str, found: CellNames) -> str:
    """Return a cell as Python alone; what its magics do is noted in ``found``."""
    plain = without_magics(source)
    found.mentions |= plain.mentions
    found.reads |= plain.reads
    found.always |= plain.always
    found.opaque |= plain.opaque
    return plain.text


def add_statement(statement: ast.stmt, found: CellNames, known: set[str], *, branch: bool) -> None:
    """Add a statement's names; ``known`` are those that certainly have a value of the cell."""
    if isinstance(statement, (*_BRANCHES, ast.With, ast.AsyncWith)):
        _add_blocks(statement, found, known, branch=branch)
        return
    reads, later, assigned = _symbols(statement)
    if isinstance(statement, ast.AugAssign):
        reads |= {statement.target.id} if isinstance(statement.target, ast.Name) else set()
    _add_imports(statement, found)
    found.reads |= reads - known
    found.changes |= set(_changed(statement, found.modules))
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inside = set(_changed_inside(statement, found.modules)) & later
        found.later_reads.setdefault(statement.name, set()).update(later)
        found.later_changes.setdefault(statement.name, set()).update(inside)
    else:
        for name in assigned if later else ():  # a lambda, mostly
            found.later_reads.setdefault(name, set()).update(later)
    (found.may_define if branch else found.defines).update(assigned)
    (found.constants if _is_constant(statement) else found.others).update(assigned)
    known |= assigned


def _is_constant(statement: ast.stmt) -> bool:
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return False
    value = statement.value
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return isinstance(value, ast.Constant) and not isinstance(statement, ast.AugAssign)


def _add_imports(statement: ast.stmt, found: CellNames) -> None:
    if isinstance(statement, ast.Import):
        found.modules |= {(one.asname or one.name).split(".")[0] for one in statement.names}
    if isinstance(statement, ast.ImportFrom):
        star = any(one.name == "*" for one in statement.names)
        found.always |= star
        found.opaque |= star
        # whether it is a module cannot be told; a class is seen by its capital
        found.modules |= {one.asname or one.name for one in statement.names if one.name.islower()}


def _add_blocks(statement: ast.stmt, found: CellNames, known: set[str], *, branch: bool) -> None:
    """Add a statement of blocks: what a block defines is known in it, and after it perhaps."""
    heads, blocks = list[ast.stmt](), list[list[ast.stmt]]()
    for name, value in ast.iter_fields(statement):
        if name in ("body", "orelse", "finalbody"):
            blocks.append(value)
        elif name in ("handlers", "cases"):
            heads += (_head(one) for one in value)
            blocks += (one.body for one in value)
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        for inner in (_head(statement), *statement.body):
            add_statement(inner, found, known, branch=branch)
        return
    within = set(known)
    for head in [_head(statement), *heads]:
        add_statement(head, found, within, branch=True)  # a loop may have no round
    for block in blocks:
        inside = set(within)
        for inner in block:
            add_statement(inner, found, inside, branch=True)


def _head(node: ast.AST) -> ast.stmt:
    """Return a statement that reads and assigns what the head of a block does."""
    targets: list[str] = []
    values: list[ast.expr] = []
    for name, value in ast.iter_fields(node):
        if name in ("body", "orelse", "finalbody", "handlers", "cases"):
            continue
        for part in value if isinstance(value, list) else [value]:
            for inner in ast.walk(part) if isinstance(part, ast.AST) else ():
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    targets.append(inner.id)
                bound = getattr(inner, "name", None)
                targets += [bound] if isinstance(bound, str) else []
            values += _loaded(part)
        targets += [value] if name == "name" and isinstance(value, str) else []
    read = ast.Tuple(values, ast.Load())
    if not targets:
        return ast.Expr(read)
    stores: list[ast.expr] = [ast.Name(one, ast.Store()) for one in dict.fromkeys(targets)]
    return ast.Assign([ast.Tuple(stores, ast.Store())], read, lineno=1)


def _loaded(part: object) -> list[ast.expr]:
    """Return the expressions of a part of a head whose values are taken."""
    if isinstance(part, ast.withitem):
        return [part.context_expr]
    if isinstance(part, ast.expr) and not isinstance(getattr(part, "ctx", None), ast.Store):
        return [part]
    if isinstance(part, ast.pattern):
        return [one for one in ast.walk(part) if isinstance(one, (ast.Name, ast.Attribute))]
    return []


def _symbols(statement: ast.stmt) -> tuple[set[str], set[str], set[str]]:
    """Return what a statement reads as it runs, what functions in it read, what it assigns."""
    try:
        top = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        names = {n.id: n for n in ast.walk(statement) if isinstance(n, ast.Name)}
        stored = {k for k, n in names.items() if isinstance(n.ctx, ast.Store)}
        return set(names) - stored, set(), stored
    reads = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    assigned = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    later: set[str] = set()
    for child in top.get_children():
        now, then, stores = _inner(child)
        reads |= now
        later |= then
        assigned |= stores
    return reads, later, assigned


def _inner(table: symtable.SymbolTable) -> tuple[set[str], set[str], set[str]]:
    """Return the globals that a scope reads as it is defined, and when it is called."""
    own = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    stored = {
        s.get_name() for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()
    }
    is_now = table.get_type() == "class" or table.get_name() in (
        *("listcomp", "setcomp", "dictcomp", "genexpr"),
    )
    now, later = (own, set[str]()) if is_now else (set[str](), own)
    for child in table.get_children():
        first, then, more = _inner(child)
        (now if is_now else later).update(first)
        later |= then
        stored |= more
    return now, later, stored


def _changed_inside(statement: ast.stmt, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(statement):
        yield from _changed_by(node, modules, thrown=False)
        if isinstance(node, ast.Global):
            yield from node.names


def _changed(statement: ast.stmt, modules: set[str]) -> Iterator[str]:
    thrown = isinstance(statement, ast.Expr)
    ahead: list[ast.AST] = [statement]
    while ahead:
        node = ahead.pop()
        if isinstance(node, _DEFS):
            continue  # what is in it happens when it is called
        if isinstance(node, ast.Expr):
            yield from _changed_by(node.value, modules, thrown=True)
            ahead += ast.iter_child_nodes(node.value)
            continue
        yield from _changed_by(node, modules, thrown=thrown)
        ahead += ast.iter_child_nodes(node)


def _changed_by(node: ast.AST, modules: set[str], *, thrown: bool) -> Iterator[str]:
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        yield from root_of(node)
    if isinstance(node, ast.Delete):
        yield from (one.id for one in node.targets if isinstance(one, ast.Name))
    if isinstance(node, ast.Call):
        yield from _changed_by_call(node, modules, thrown=thrown)


def _changed_by_call(node: ast.Call, modules: set[str], *, thrown: bool) -> Iterator[str]:
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    names = [one.id for one in given if isinstance(one, ast.Name)]
    if isinstance(node.func, ast.Name):
        if node.func.id not in _PURE and not node.func.id[:1].isupper():
            yield from names
        return
    for root in root_of(node.func):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if root not in modules and not root[:1].isupper():  # a class
            if called not in _LEAVES:
                yield root
                yield from names
        elif _INTO.search(called):
            yield from names
        if root in modules and thrown and _SETS.search(called):
            yield root


def root_of(node: ast.AST) -> Iterator[str]:
    """Yield the name that an attribute or an item is one of, or that the node is."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
