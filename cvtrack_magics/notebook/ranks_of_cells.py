"""``--ranks``: a cell that fresh processes execute in the notebook's place."""

from __future__ import annotations

import ast
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from cvtrack_magics.notebook.cells import without_first_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.ranks.cell import RanksOfCell
from cvtrack_magics.run.ranks.failure import interrupted, unread
from cvtrack_magics.run.ranks.plan import Plan, plan_of
from cvtrack_magics.run.seeding import seed_of

if TYPE_CHECKING:
    from cvtrack_magics.notebook.frames import Frame
    from cvtrack_magics.run.spec import RunSpec


def planned(shell: Any, count: int, spec: RunSpec, source: str) -> Plan:
    """Return what the ranks of a cell execute.

    Raises
    ------
    RankFailed
        The cell is no Python: no run is opened.
    UsageProblem
        The cell needs what the ranks cannot have.
    """
    lines = source.lstrip().splitlines(keepends=True)
    body = shell.transform_cell("".join(without_first_line(lines)))
    try:
        where = f"Cell In[{shell.execution_count}]"
        compile(body, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        raise unread(error) from None
    session = get_session()
    settings = {
        "seed": spec.seed if spec.seed is not None else seed_of(session.seeding.every_run),
        "deterministic": spec.deterministic,
        "name": session.masking().text(spec.name),
        "auto": spec.auto,
        "colors": str(shell.colors),
        "path": list(sys.path),
        "count": shell.execution_count,
        "config": _plain(session.config),
    }
    sources = session.host.sources()
    executed = [(one.source, one.ok) for one in session.host.executed()]
    failed = {source for source, ok in executed if not ok} - {one for one, ok in executed if ok}
    names = frozenset(shell.user_ns)
    return plan_of(count, sources, source, names, failed=failed, settings=settings)


def run(shell: Any, frame: Frame) -> None:
    """Let the ranks execute the cell whose run has been opened."""
    if frame.ranks is not None:
        try:
            RanksOfCell(frame.scope, frame.ranks, shell.user_ns, _begin_in(shell)).run()
        except KeyboardInterrupt:
            raise interrupted() from None


def _begin_in(shell: Any) -> str:
    """Return the folder that ranks begin in: %cd is executed again, os.chdir() is not."""
    been = [str(one) for one in shell.user_ns.get("_dh", ())]
    now = os.getcwd()
    return been[0] if been and been[-1] == now else now


def _plain(config: Any) -> dict[str, Any]:
    """Return the settings that JSON can hold."""
    found = {}
    for name in config.trait_names(config=True):
        value = getattr(config, name)
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            continue
        found[name] = value
    return found
