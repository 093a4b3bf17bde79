"""What it takes to run a recorded run again, and why it cannot be."""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.artifacts.paths import CELL, CONFIGS, MODULES, REQUIREMENTS, SCRIPTS, SESSION
from cvtrack_magics.capture.code.slicing import Slice, cells_of, slice_of
from cvtrack_magics.release.facts import Candidate

_OWN_CODE = (f"{MODULES}/", f"{SCRIPTS}/")
GIVEN = frozenset(
    {
        *dir(builtins),
        *("get_ipython", "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "display", "exit"),
        *("quit", "log", "track", "Predictions", "__name__", "__file__", "__doc__"),
    }
)
"""Names that are there without a cell that defines them."""
_RUN = re.compile(r"\A\s*%%mlrun\b(?P<line>[^\n]*)")
_LOADS = re.compile(r"^\s*%(?:re)?load_ext\s+cvtrack_magics\b", re.MULTILINE)
_ELSEWHERE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<what>%mlexperiment\b.*|(?:mlflow\.)?set_experiment\(.*"
    r"|(?:mlflow\.)?set_(?:tracking|registry)_uri\(.*)$",
    re.MULTILINE,
)
_IN_OTHERS = re.compile(r"\s--(?:nested|resume)\b|\s--baseline(?:\s+|=)\S+")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run to be run again.

    Attributes
    ----------
    run_id, name : str
        Which.
    before : tuple of str
        The cells that it depends on, in the order of execution.
    cell : str
        The run's own.
    rest : tuple of str
        The other cells of its session.
    files : mapping of str to str
        Own modules and scripts, and config files, by the path that they are found at.
    requirements : str
        What pip installs.
    problems : tuple of str
        Why it cannot be run again; empty where it can.
    """

    run_id: str
    name: str
    before: tuple[str, ...]
    cell: str
    rest: tuple[str, ...]
    files: Mapping[str, str]
    requirements: str
    problems: tuple[str, ...]


def plan_of(run: Candidate) -> Plan:
    """Return what it takes to run a run again, from what the store has of it."""
    cell = run.texts.get(CELL, "")
    *session, _ = cells_of(run.texts.get(SESSION, "")) or [""]
    found = slice_of(session, cell)
    needed = set(found.places)
    return Plan(
        run_id=run.run_id,
        name=run.run_name,
        before=tuple(_here(session[at]) for at in found.places),
        cell=_alone(cell),
        rest=tuple(source for at, source in enumerate(session) if at not in needed),
        files=dict(_files(run.texts)),
        requirements=run.texts.get(REQUIREMENTS, ""),
        problems=tuple(problems_of(cell, found)),
    )


def problems_of(cell: str, found: Slice) -> Iterator[str]:
    """Yield why a cell cannot be run again.

    Parameters
    ----------
    cell : str
        The run's own; empty where none was recorded.
    found : Slice
        Of the session before it.
    """
    if not cell.strip():
        yield "its code was not recorded"
        return
    if not _RUN.match(cell):
        yield "it was opened by %mlrun, over several cells; only a cell with %%mlrun is run again"
    line = (_RUN.match(cell) or {"line": ""})["line"]
    if "--resume" in line:
        yield "it went on with an earlier run (--resume)"
    missing = [name for name in found.missing if name not in GIVEN]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        yield f"no cell that was recorded defines {names}"


def why_not(cells: Sequence[str], cell: str, names: Collection[str]) -> str:
    """Say while a run is recorded why it will not run again: a name that no cell defines.

    Parameters
    ----------
    cells : sequence of str
        What was executed before the run's own cell.
    cell : str
        The run's own.
    names : collection of str
        The notebook's names: one that is not there did not come from anywhere else.
    """
    if not _RUN.match(cell) or not any(_LOADS.search(source) for source in cells):
        return ""  # what was executed before the extension was loaded may not be known
    known = frozenset(names)
    missing = [one for one in slice_of(cells, cell).missing if one in known and one not in GIVEN]
    listed = ", ".join(f"`{name}`" for name in missing)
    return f"no cell that was recorded defines {listed}" if missing else ""


def _here(source: str) -> str:
    """Return a cell that leaves experiment and store to who runs it again."""
    return _ELSEWHERE.sub(r"\g<indent>pass  # left out when run again: \g<what>", source)


def _alone(cell: str) -> str:
    head, end, body = cell.partition("\n")
    return f"{_IN_OTHERS.sub('', head)}{end}{_here(body)}"


def _files(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path, text in texts.items():
        start = next((start for start in _OWN_CODE if path.startswith(start)), "")
        if start:
            yield path.removeprefix(start), text
        elif path.startswith(f"{CONFIGS}/"):
            yield path, text


def changed_data(known: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield what is said of data that is not as it was: name, digest then, digest now."""
    for name, then, now in known:
        if not now:
            yield f"{name} is not there any more"
        elif now != then:
            yield f"{name} has changed: {now[:12]}, and it was {then[:12]}"
