"""``cvtrack sweep``: several processes that run the trials of one sweep."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cvtrack_magics.commands.json_answer import document
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.programs import Program
from cvtrack_magics.redact import redact
from cvtrack_magics.run.current import get_session
from cvtrack_magics.variables import variables

UNREAD = 2  # the exit code of ``cvtrack exec`` where no cell was run


def run_reported(
    file: str, words: Sequence[str], jobs: int, gpus: Sequence[str]
) -> tuple[int, str]:
    """Run as :func:`run_beside` does; return the exit code, and what came of it as JSON.

    Raises
    ------
    UsageProblem
        No cell of the file ran a sweep.
    CvtrackError
        The file could not be read.
    """
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        notes = [Path(folder, str(number)) for number in range(jobs)]
        code = run_beside(file, words, jobs, gpus, notes)
        swept = dict.fromkeys(one for note in notes for one in _read_swept(note))
    if not swept and code == UNREAD:
        raise CvtrackError(f"{file} could not be run; standard error says why.")
    if not swept and not code:
        raise UsageProblem(f"No cell of {file} ran a sweep.", "%%mlsweep NAME makes one.")
    sweeps = [_sweep(*one) for one in swept]
    return code, document({"file": file, "exit_code": code, "sweeps": sweeps})


def note_swept(path: Path) -> None:
    """Write down which sweeps this process ran, for the one that began it."""
    path.write_text(json.dumps(list(get_session().swept)), encoding="utf-8")


def _read_swept(path: Path) -> list[tuple[str, str, str]]:
    """Return store, experiment and name; nothing of a process that did not come so far."""
    if not path.exists():
        return []
    return [(str(a), str(b), str(c)) for a, b, c in json.loads(path.read_text(encoding="utf-8"))]


def _sweep(store: str, experiment: str, name: str) -> dict[str, Any]:
    from cvtrack_magics.run.sweep.study import Study
    from cvtrack_magics.store.client import mlflow

    session = get_session()
    mlflow().set_tracking_uri(store)
    session.tracking.set_experiment(experiment)
    study = Study.of(session, name)
    best = study.best()
    return {
        "name": name,
        "run_id": study.parent_id,
        "experiment": experiment,
        "store": redact(store),
        "metric": study.spec.metric,
        "direction": study.spec.direction,
        "metrics": dict(zip(study.spec.metrics, study.spec.directions, strict=True)),
        "best": None if best is None else _trial(best),
        "front": [one.number for one in study.front()] if study.spec.more else [],
        "trials": [_trial(one) for one in study.all()],
    }


def _trial(trial: Any) -> Mapping[str, Any]:
    from cvtrack_magics.run.sweep.trials import RUN, SECONDS, WHY
    from cvtrack_magics.run.sweep.view import STATES

    about = trial.user_attrs
    values = list(trial.values) if trial.state.name == "COMPLETE" else []
    return {
        "trial": trial.number,
        "state": STATES[trial.state.name],
        "run_id": str(about.get(RUN, "")),
        "value": values[0] if values else None,
        "values": values,
        "params": dict(trial.params),
        "seconds": about.get(SECONDS),
        "why": str(about.get(WHY, "")),
    }


def run_beside(
    file: str,
    words: Sequence[str],
    jobs: int,
    gpus: Sequence[str],
    notes: Sequence[Path] = (),
) -> int:
    """Run a file's cells in several processes at once; return the highest exit code.

    Parameters
    ----------
    file : str
        A notebook or script with a ``%%mlsweep`` cell: each process joins its sweep.
    words : sequence of str
        Further words of ``cvtrack exec``.
    jobs : int
        How many processes there are; none is forked.
    gpus : sequence of str
        GPUs that they see in turn, each one of them.
    notes : sequence of Path
        Of each, the file in which it says what sweeps it ran.
    """
    command = [sys.executable, "-m", "cvtrack_magics", "exec", file, *words]
    more = [["--swept", str(note)] for note in notes] or [[]] * jobs
    running = [Program([*command, *some], env=_seeing(at, gpus)) for at, some in enumerate(more)]
    try:
        return max(_code(one.wait()) for one in running)
    except BaseException:  # an interrupt from the terminal has come to them, too
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.wait(30)
            if one.poll() is None:
                one.terminate()
        raise


def _seeing(number: int, gpus: Sequence[str]) -> dict[str, str]:
    shown = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
    return {**variables(), **shown}


def _code(code: int) -> int:
    return code if code >= 0 else 128 - code
