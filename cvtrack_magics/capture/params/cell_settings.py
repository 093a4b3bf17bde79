"""Hyper-parameters that stand in the names a cell uses: plain values, and training objects.

A name counts when the code of the cell uses it, or that of a function which it uses. A value is
a setting when it is written once, as a literal; what is counted up or computed is none.
"""

from __future__ import annotations

import ast
import functools
import symtable
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.capture.params import implicit
from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.capture.params.values import is_scalar
from cvtrack_magics.records import Notice, Param, Record
from cvtrack_magics.syntax import tree_of

MOST_OBJECTS = 20
LONGEST_TEXT = 100  # characters of a text that is a setting
MOST_VALUES = 16  # of a list that is a setting
SHOWN = 6  # names in the line that says what was read


@dataclass
class _Code:
    """The names of one cell."""

    loads: set[str] = field(default_factory=set)
    """Those that it uses, but for those that only functions use."""
    uses: dict[str, set[str]] = field(default_factory=dict)
    """The names of the notebook that each of its functions and classes uses."""
    stores: Counter[str] = field(default_factory=Counter)
    literals: dict[str, Any] = field(default_factory=dict)
    """What is written as a literal at the top, by name; values that are no settings are not."""


def settings_of(source: str, names: Mapping[str, Any], earlier: Sequence[str] = ()) -> list[Record]:
    """Return the settings in the names that a cell uses.

    Parameters
    ----------
    source : str
        The cell; its magics are passed over.
    names : mapping of str to object
        The notebook's names once the cell has run.
    earlier : sequence of str
        The cells that were run before, in order: what gave the names their values.

    Returns
    -------
    list of Record
        What ``%mlparams`` would record of them. Where there are several objects of one kind,
        such as two loaders, their keys begin with their names.
    """
    body = _names_in(source)
    if body is None:
        return []
    cells = [found for found in map(_names_in, earlier) if found is not None]
    used, holders = _depends_on(body, cells)
    records: list[Record] = []
    for name, value in _objects(used, names):
        records += describe_params(value, prefix=name)
    for name in sorted(used):
        holder = body if body.stores[name] else holders.get(name)
        if holder is None or holder.stores[name] != 1 or name not in holder.literals:
            continue
        value = holder.literals[name]
        if name in names and _same(names[name], value):
            records += describe_params({name: value})
    return list({_key(record): record for record in reversed(records)}.values())[::-1]


def said_of(records: Sequence[Record]) -> list[Notice]:
    """Say which settings were read."""
    keys = [record.key for record in records if isinstance(record, Param)]
    if not keys:
        return []
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return [
        Notice(
            f"Params read from the cell's names: {', '.join(keys[:SHOWN])}{more}. "
            "--no-auto leaves them out."
        )
    ]


def _key(record: Record) -> tuple[str, str]:
    return type(record).__name__, str(getattr(record, "key", getattr(record, "path", record)))


def _objects(used: set[str], names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the training objects, each with the prefix of its keys."""
    kinds: dict[str, dict[int, tuple[str, Any]]] = {}
    for name in sorted(used):
        value = names.get(name)
        kind = implicit.kind_of_settings(value)
        if kind and sum(map(len, kinds.values())) < MOST_OBJECTS:
            kinds.setdefault(kind, {}).setdefault(id(value), (name, value))
    for of_kind in kinds.values():
        for name, value in of_kind.values():
            yield name if len(of_kind) > 1 else "", value


def _depends_on(body: _Code, cells: Sequence[_Code]) -> tuple[set[str], dict[str, _Code]]:
    """Return the names that a cell uses, and the last cell that gave each its value.

    What it uses are the names in its code, and in that of the functions and classes it uses.
    """
    holders = {name: cell for cell in cells for name in cell.stores}
    used, ahead = set[str](), {*body.loads, *body.stores}
    while ahead:
        name = ahead.pop()
        used.add(name)
        holder = body if body.stores[name] else holders.get(name)
        if holder is not None:
            ahead |= holder.uses.get(name, set()) - used
    return used, holders


@functools.lru_cache(maxsize=1024)
def _names_in(source: str) -> _Code | None:
    """Read the names of a cell; None where it is no Python."""
    lines = source.splitlines()
    if lines and lines[0].startswith("%%") and not lines[0].startswith("%%mlrun"):
        return None
    plain = "\n".join("" if one.lstrip().startswith(("%", "!")) else one for one in lines)
    try:
        tree, table = tree_of(plain), symtable.symtable(plain, "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    code = _Code()
    stored = _Stored()
    stored.visit(tree)
    code.stores = stored.names
    _read_table(table, code)
    for statement in tree.body:
        code.literals.update(_literals(statement))
    return code


class _Stored(ast.NodeVisitor):
    """Counts how often the top of a cell gives each name a value."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.names[node.id] += 1

    def _named(self, node: Any) -> None:
        self.names[node.name] += 1

    def _own(self, node: Any) -> None:
        del node  # its names are its own

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _named
    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = _own
    visit_GeneratorExp = _own


_OF_THE_CODE_AROUND = ("lambda", "listcomp", "setcomp", "dictcomp", "genexpr")


def _read_table(table: symtable.SymbolTable, code: _Code) -> None:
    code.loads |= {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    for child in table.get_children():
        used = _globals_of(child)
        if child.get_name() in _OF_THE_CODE_AROUND:
            code.loads |= used
        else:
            code.uses.setdefault(child.get_name(), set()).update(used)
        for name in _set_from(child):  # by "global name" in a function
            code.stores[name] += 2


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    """Return the notebook's names that a function or class uses, and what is in it."""
    here = {
        one.get_name() for one in table.get_symbols() if one.is_global() and one.is_referenced()
    }
    return here.union(*map(_globals_of, table.get_children()))


def _set_from(table: symtable.SymbolTable) -> set[str]:
    here = {
        one.get_name()
        for one in table.get_symbols()
        if one.is_declared_global() and one.is_assigned()
    }
    return here.union(*map(_set_from, table.get_children()))


def _literals(statement: ast.stmt) -> Iterator[tuple[str, Any]]:
    """Yield what one statement gives the value of a literal that is a setting."""
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    else:
        return
    for target in targets:
        pairs = [(target, value)]
        if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
            pairs = list(zip(target.elts, value.elts, strict=False))
        for one, part in pairs:
            if isinstance(one, ast.Name) and not one.id.startswith("_"):
                try:
                    found = _value(part)
                except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                    continue
                if _is_setting(found):
                    yield one.id, found


def _value(node: ast.expr) -> Any:
    """Return the value of a literal, of ``dict(a=1)`` and of ``2 ** 8``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        if node.args or any(word.arg is None for word in node.keywords):
            raise ValueError("not a plain value")
        return {str(word.arg): _value(word.value) for word in node.keywords}
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)):
        left, right = _value(node.left), _value(node.right)
        if not all(type(one) in (int, float) and abs(one) < 1e6 for one in (left, right)):
            raise ValueError("not a plain value")
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Pow):
            if abs(right) > 64:
                raise ValueError("not a plain value")
            return left**right
        if right == 0:
            raise ValueError("not a plain value")
        return left / right
    return ast.literal_eval(node)


def _is_setting(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= MOST_VALUES and all(_is_setting(one) for one in value)
    if isinstance(value, dict):
        plain = all(isinstance(key, str) and _is_setting(one) for key, one in value.items())
        return bool(value) and plain
    return value is not None and is_scalar(value)


def _same(now: Any, written: Any) -> bool:
    """Whether a name still has the value that it was given."""
    try:
        return type(now) is type(written) and bool(now == written)
    except Exception:
        return False
