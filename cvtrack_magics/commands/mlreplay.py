"""``mlreplay()``: a recorded run as a notebook and a script, run again and compared."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvtrack_magics import programs
from cvtrack_magics.artifacts.paths import REQUIREMENTS
from cvtrack_magics.commands.candidate_loader import candidate_from
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.mlcompare import BEFORE, comparison_of, wanted_file
from cvtrack_magics.commands.replay_environment import environment_in, left_out, own_variables
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.comparison.result import Compared
from cvtrack_magics.comparison.sentences import first_difference
from cvtrack_magics.display.comparison_view import Comparison
from cvtrack_magics.display.text import html_text, plain
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.names import file_part
from cvtrack_magics.release.facts import Candidate, DataFact
from cvtrack_magics.replay import files
from cvtrack_magics.replay.plan import Plan, changed_data, plan_of
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import find
from cvtrack_magics.run.unsent import send_what_ended
from cvtrack_magics.store.many_runs import read_runs
from cvtrack_magics.store.own_store import make_store, newest_run
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.variables import variables

_CAUSES = ("packages", "data", "hardware", "config", "code", "seeds", "params")
"""In this order they are named as what makes a run another one."""
_SAID = 2_000  # characters of what the cells said last, where they failed


@dataclass(frozen=True)
class Replay:
    """A run that can be run again, or was; shows itself.

    Attributes
    ----------
    name : str
        The run.
    folder : Path
        Where notebook, script, requirements, modules and config files were written.
    cells, rest : int
        How many cells of the session it needs besides its own, and how many it does not.
    problems : tuple of str
        Why it cannot be run again.
    outcome : str
        What came of running it; empty where it was not run.
    equal : bool or None
        Whether all metrics were equal to the last bit; None where it was not run.
    comparison : Comparison or None
        The two runs side by side, where they are not equal.
    """

    name: str
    folder: Path
    cells: int
    rest: int
    problems: tuple[str, ...] = ()
    outcome: str = ""
    equal: bool | None = None
    comparison: Comparison | None = None

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.name}: {self.cells} cell{'s' if self.cells != 1 else ''} of its session and "
            f"its own; {self.rest} it does not need"
        )
        yield f"{self.folder / files.NOTEBOOK} and {files.SCRIPT}, {files.REQUIREMENTS}"
        yield from (f"replayable: no, {problem}" for problem in self.problems)
        if self.outcome:
            yield self.outcome

    def __repr__(self) -> str:
        lines = [plain(line) for line in self._lines()]
        more = [repr(self.comparison)] if self.comparison is not None else []
        return "\n".join([lines[0], *(f"  {line}" for line in lines[1:]), *more])

    def _repr_html_(self) -> str:
        first, *rest = map(html_text, self._lines())
        sign = {True: "✓ ", False: "✗ ", None: ""}[self.equal]
        lines = "".join(f"<div>{line}</div>" for line in rest)
        more = self.comparison._repr_html_() if self.comparison is not None else ""
        return f'<div class="cvtrack-replay"><div><b>{sign}{first}</b></div>{lines}{more}</div>'

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


@command(run=Arg("RUN", joined, many="+"), folder=Arg("FOLDER"))
def mlreplay(
    run: str, *, check: bool = False, env: bool = False, folder: str | Path = ""
) -> Replay:
    """Write a recorded run as a notebook and a script, to run it again and compare the metrics.

    All is taken from the store: the cells of the session that the run depends on and its own
    (the rest stands below a line), own modules, config files, requirements.

    Parameters
    ----------
    run : str
        Its name or id, or ``MODEL@ALIAS``.
    check : bool
        Run it in a process of its own, in this folder and this environment, with a store of its
        own, and compare every metric to the last bit. Data that lies in files is compared with
        its recorded digest first.
    env : bool
        The same in a fresh environment of the recorded packages, which uv makes where it is
        there, else venv and pip; it is kept in the folder for the next time.
    folder : str or path, optional
        Where to write; ``replay/NAME-ID`` otherwise.

    Returns
    -------
    Replay
        Shows itself.

    Raises
    ------
    UsageProblem
        The folder has files of somebody else; with ``check``: it cannot be run again; with
        ``env``: its packages were not recorded.
    CvtrackError
        With ``env``: its packages cannot be installed.
    StoreUnavailable
        There is no such run, or the store does not answer.

    Examples
    --------
    ::

        %mlreplay baseline --check
    """
    session = get_session()
    send_what_ended(session, BEFORE)
    uri = absolute(session.tracking.uri)
    (stored,) = read_runs(uri, [find(run).run_id], _wanted)
    recorded = candidate_from(stored, session.tracking.place)
    plan = plan_of(recorded)
    where = Path(folder or Path("replay", f"{file_part(plan.name)}-{plan.run_id[:8]}"))
    _write(plan, where.expanduser())
    made = Replay(plan.name, where, len(plan.before), len(plan.rest), plan.problems)
    if not (check or env):
        return made
    if plan.problems:
        raise UsageProblem(f"Run {plan.name!r} cannot be run again: {'; '.join(plan.problems)}.")
    return _checked(made, plan, recorded, uri, env=env)


def _wanted(path: str, size: int) -> bool:
    return path == REQUIREMENTS or wanted_file(path, size)


def _write(plan: Plan, folder: Path) -> None:
    """Write the files.

    Raises
    ------
    UsageProblem
        The folder has others already.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / files.NOTEBOOK).is_file():
        raise UsageProblem(f"{folder} has other files.", "Name an empty folder.")
    written = {
        files.NOTEBOOK: files.notebook_of(plan),
        files.SCRIPT: files.script_of(plan),
        files.REQUIREMENTS: plan.requirements,
        **{path: text for path, text in plan.files.items() if _is_below(path)},
    }
    for path, text in written.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="replace")


def _is_below(path: str) -> bool:
    """Whether a path of a store stays in the folder, and is none of our own files."""
    parts = Path(path).parts
    own = (files.NOTEBOOK, files.SCRIPT, files.REQUIREMENTS)
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts and path not in own


def _checked(made: Replay, plan: Plan, recorded: Candidate, uri: str, *, env: bool) -> Replay:
    folder = made.folder.expanduser().resolve()
    changed = tuple(changed_data([_now(data) for data in recorded.datasets if _is_file(data)]))
    if changed:
        return _ended(made, False, f"Not run: {'; '.join(changed)}.")
    python = _python(plan, recorded, folder) if env else Path(sys.executable)
    store, experiment = make_store(folder)
    since = int(time.time() * 1000)
    failed = _run(folder, store, experiment, python)
    if failed:
        return _ended(made, False, f"It fails when it is run again: {failed}")
    again = newest_run(store, experiment, plan.name, since)
    if not again:
        return _ended(made, False, "It was run again, and made no run of its name.")
    comparison = comparison_of([(uri, recorded.run_id), (store, again)], replayed=True)
    equal, said = _said(comparison.found)
    missing = list(left_out(plan.requirements)) if env else []
    said += f" Not installed, for pip cannot: {'; '.join(missing)}." if missing else ""
    return _ended(made, equal, said, None if equal else comparison)


def _ended(made: Replay, equal: bool, said: str, more: Comparison | None = None) -> Replay:
    return replace(made, outcome=said, equal=equal, comparison=more)


def _said(found: Compared) -> tuple[bool, str]:
    if not found.differs:
        return True, f"Run again: all {found.equal_metrics} metrics are equal to the last bit."
    causes = {cause.kind: cause for cause in found.causes}
    first = first_difference(found) or "their last values differ"
    kind = next((kind for kind in _CAUSES if kind in causes), "")
    if not kind:
        why = "nothing recorded differs, so it is not deterministic"
        why += "; no seed was recorded" if found.unseeded else ""
        return False, f"Run again, it is another: {first}; {why}."
    names = ", ".join(row.name for row in causes[kind].rows[:5]) or "text"
    return False, f"Run again, it is another: {first}; {kind} differ ({names})."


def _is_file(data: DataFact) -> bool:
    return bool(data.digest and data.source) and ("/" in data.source or "\\" in data.source)


def _now(data: DataFact) -> tuple[str, str, str]:
    """Return a data set's name, its digest when it was recorded, and now."""
    from cvtrack_magics.capture.data.datasets import describe_data
    from cvtrack_magics.records import Dataset

    path = Path(data.source.removeprefix("file://"))
    if not path.exists():
        return data.name, data.digest, ""
    try:
        records = describe_data(path, name=data.name, context=data.context)
    except CvtrackError:
        return data.name, data.digest, data.digest  # the run itself will say what it finds
    found = [record.digest for record in records if isinstance(record, Dataset)]
    return data.name, data.digest, found[0] if found else data.digest


def _python(plan: Plan, recorded: Candidate, folder: Path) -> Path:
    """Return the Python of an environment of the run's packages."""
    get_session().host.line(f"making an environment in {folder / '.venv'} …")
    try:
        version = recorded.params.get("python_version", "")
        return environment_in(folder, plan.requirements, version)
    finally:
        get_session().host.line("")


def _run(folder: Path, store: str, experiment: str, python: Path) -> str:
    """Run the notebook in a process of its own; return what it said last where it failed."""
    away = ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "CVTRACK_RUN", "JPY_SESSION_NAME")
    own = {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_EXPERIMENT_ID": experiment,
        "XDG_STATE_HOME": str(folder / "state"),
        "MPLBACKEND": "agg",
        # nobody stops it by hand, and it waits for the store itself
        "CVTRACK_WATCH": "0",
        "CVTRACK_SENDER": "thread",
    }
    environment = {key: value for key, value in variables().items() if key not in away}
    if python != Path(sys.executable):
        environment = own_variables(variables(), away)
    command = [str(python), "-m", "cvtrack_magics", "exec", str(folder / files.NOTEBOOK)]
    output = folder / "output.txt"
    with output.open("wb") as file:  # no pipe: a process that the cells leave behind would hold it
        ran = programs.run(
            command, env={**environment, **own}, stdout=file, stderr=subprocess.STDOUT
        )
    said = output.read_bytes().decode("utf-8", "replace").strip()
    return said[-_SAID:] if ran.returncode else ""
