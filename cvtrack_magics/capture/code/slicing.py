"""The cells of a session that a later one depends on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.capture.code.cell_names import CellNames, names_of
from cvtrack_magics.syntax import tree_of

_HEAD = re.compile(r"^# %% \[\d+\]\n", re.MULTILINE)
_CALLED = "get_ipython().run_cell_magic("


@dataclass(frozen=True, slots=True)
class Slice:
    """The places of the cells that a body depends on, in order, and the names nobody defines."""

    places: tuple[int, ...]
    missing: tuple[str, ...]


def needed_cells(cells: Sequence[str], body: str) -> list[int]:
    """Return the places of the cells that a body depends on; see :func:`slice_of`."""
    return list(slice_of(cells, body).places)


def slice_of(cells: Sequence[str], body: str) -> Slice:
    """Return the cells that a body depends on, and what it reads that none of them defines.

    Parameters
    ----------
    cells : sequence of str
        What was executed before the body, in the order of execution.
    body : str
        A cell.

    Notes
    -----
    A backward slice over names. It rather takes a cell too many: one that may change an object
    that is needed is taken, and so is one that does what no name shows (it loads an extension,
    sets seeds, changes the folder). What only draws random numbers is not seen. Where a cell may
    define what its source does not show, no name is said to be missing.
    """
    modules = set[str]().union(*(names_of(source).modules for source in (*cells, body)))
    known = [names_of(source, modules) for source in cells]
    end = names_of(body, modules)
    reads, changes = _later(known)
    fixed = set[str]().union(*(one.constants for one in known))
    fixed -= set[str]().union(*(one.others for one in known))
    taken: list[int] = []
    later = set[str]().union(*end.later_reads.values()) - end.touches
    wanted = _closure(end.reads | later, reads)
    perhaps = set(end.mentions)
    for at in range(len(known) - 1, -1, -1):
        one = known[at]
        changed = one.changes.union(*(changes.get(name, set()) for name in one.reads))
        touched = one.defines | one.may_define | (changed - fixed)
        if not (one.always or touched & wanted):
            continue
        taken.append(at)
        wanted -= one.defines
        wanted |= _closure(one.reads, reads)
        perhaps |= one.mentions
    # a definition on a branch is one, and so is that of what a function reads later
    there = set[str]().union(*(known[at].defines | known[at].may_define for at in taken))
    hidden = end.opaque or any(one.opaque for one in known)
    missing = set() if hidden else wanted - there - perhaps - end.may_define
    return Slice(tuple(taken[::-1]), tuple(sorted(missing)))


def _later(cells: Iterable[CellNames]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return what the functions of all cells read and change when they are called.

    What is made by calling one (an instance of a class) may call it again.
    """
    reads: dict[str, set[str]] = {}
    changes: dict[str, set[str]] = {}
    for cell in cells:
        reads = _merged(reads, cell.later_reads)
        changes = _merged(changes, cell.later_changes)
        inherited = set[str]().union(*(reads.get(name, set()) for name in cell.reads))
        changing = set[str]().union(*(changes.get(name, set()) for name in cell.reads))
        if inherited or changing:
            made = cell.defines | cell.may_define
            reads = _merged(reads, dict.fromkeys(made, inherited))
            changes = _merged(changes, dict.fromkeys(made, changing))
    return reads, changes


def _merged(tables: Mapping[str, set[str]], more: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the sets of both by name."""
    found = {name: set(some) for name, some in tables.items()}
    for name, some in more.items():
        found.setdefault(name, set()).update(some)
    return found


def _closure(names: Iterable[str], later: dict[str, set[str]]) -> set[str]:
    found, ahead = set[str](), list(names)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += later.get(name, ())
    return found


def cells_of(script: str) -> list[str]:
    """Return the cells of a session that was written as a script, as they were typed.

    It undoes :func:`cvtrack_magics.capture.code.session.session_script`.
    """
    return [_typed(part.strip("\n")) for part in _HEAD.split(script)[1:]]


def _typed(source: str) -> str:
    if not source.startswith(_CALLED):
        return source
    try:
        (statement,) = tree_of(source).body
        name, line, body = map(ast.literal_eval, statement.value.args)
    except (SyntaxError, ValueError, AttributeError, TypeError):
        return source
    return f"{f'%%{name} {line}'.rstrip()}\n{body}".rstrip("\n")
