"""What runs differ in that is text: their code and their config files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cvtrack_magics.artifacts.paths import CELL, CODE, CONFIGS, MINIMAL, MODULES, NOTEBOOK, SESSION
from cvtrack_magics.capture.code.slicing import cells_of, needed_cells
from cvtrack_magics.comparison.causes import versions_of_code
from cvtrack_magics.comparison.result import Cause
from cvtrack_magics.release.facts import Candidate

_CODE_ENDS = (".py", ".ipy", ".ipynb")
_NOT_CODE = (NOTEBOOK, MINIMAL)
_LINE = re.compile(r"\A\s*%%mlrun\b[^\n]*(?:\n|\Z)")
MOST_LINES = 4_000
"""Lines of a file that are compared, and of a diff that is kept."""


def code_of(runs: Sequence[Candidate]) -> Cause:
    """Compare code as it was recorded, in one unified diff.

    It is that of the cell, of the cells of the session that it depends on, and of own modules.
    """
    sources = [_code(run) for run in runs]
    return Cause("code", versions_of_code(runs), unified(runs, sources), _unrecorded(runs, sources))


def as_replayed(recorded: Candidate, again: Candidate) -> Candidate:
    """Return a run without the modules that it did not need when it was run again.

    A session may have imported more than the cells that a run depends on.
    """
    texts = {
        path: text
        for path, text in recorded.texts.items()
        if path in again.texts or not path.startswith(f"{MODULES}/")
    }
    return replace(recorded, texts=texts)


def config_of(runs: Sequence[Candidate]) -> Cause:
    """Compare config files."""
    texts = [
        {path: text for path, text in run.texts.items() if path.startswith(f"{CONFIGS}/")}
        for run in runs
    ]
    return Cause("config", (), unified(runs, texts))


def _code(run: Candidate) -> dict[str, str]:
    found = {
        path: text
        for path, text in run.texts.items()
        if path.startswith(f"{CODE}/") and path.endswith(_CODE_ENDS) and path not in _NOT_CODE
    }
    if CELL in found:
        found[CELL] = without_its_line(found[CELL])
    if SESSION in found:
        found[SESSION] = needed_of(found[SESSION])
    # first what the run is made of
    order = sorted(found, key=lambda path: (path != CELL, path != SESSION, path))
    return {path: found[path] for path in order}


def without_its_line(cell: str) -> str:
    """Return a cell without its ``%%mlrun`` line: it names the run, and its options are params."""
    return _LINE.sub("", cell, count=1)


def needed_of(session: str) -> str:
    """Return the cells of a session's script that its last cell, the run's own, depends on."""
    *before, body = cells_of(session) or [""]
    return "\n\n".join(before[at] for at in needed_cells(before, body))


def _unrecorded(runs: Sequence[Candidate], sources: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    without = [run.run_name for run, one in zip(runs, sources, strict=True) if not one]
    if not without or len(without) == len(runs):
        return ()
    return (f"No code was recorded of {', '.join(without)}.",)


def unified(runs: Sequence[Candidate], files: Sequence[Mapping[str, str]]) -> str:
    """Return the unified diff from the first run's files to each other's, each change once."""
    paths = dict.fromkeys(path for one in files for path in one)
    parts, seen = list[str](), set[tuple[str, str | None]]()
    for run, one in zip(runs[1:], files[1:], strict=True):
        for path in paths:
            old, new = files[0].get(path), one.get(path)
            if old != new and (path, new) not in seen:
                seen.add((path, new))
                parts += _diff(path, old, new, (runs[0].run_name, run.run_name))
    if len(parts) > MOST_LINES:
        parts = [*parts[:MOST_LINES], f"… and {len(parts) - MOST_LINES:,} more lines"]
    return "\n".join(parts)


def _diff(path: str, old: str | None, new: str | None, names: tuple[str, str]) -> Iterator[str]:
    a, b = ((text or "").splitlines() for text in (old, new))
    first, second = (
        f"{path} (of {name})" if text is not None else "/dev/null"
        for name, text in zip(names, (old, new), strict=True)
    )
    if max(len(a), len(b)) > MOST_LINES:
        yield f"--- {first}"
        yield f"+++ {second}"
        yield f"… they differ; more than {MOST_LINES:,} lines are not compared"
        return
    yield from difflib.unified_diff(a, b, first, second, lineterm="", n=2)
