"""Trainings that a program may start: those files alone that a person named, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.commands.mcp_text import Inert, compact
from cvtrack_magics.commands.mcp_tools import Refused
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.programs import Program
from cvtrack_magics.run.current import get_session

MOST = 4
"""Trainings under way at a time."""
TAIL = 4_000  # bytes of what was printed
_LINES = 20


@dataclass(frozen=True, slots=True)
class _Job:
    file: str
    process: subprocess.Popen[bytes]
    output: Path


class Jobs:
    """Trainings that were started, by their handles; they go on when the server ends.

    Parameters
    ----------
    allowed : sequence of str
        The files that may be run.

    Raises
    ------
    UsageProblem
        One of them is not there.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._files = {name: Path(name).resolve() for name in allowed}
        for name, path in self._files.items():
            if not path.is_file():
                raise UsageProblem(f"--allow-run {name}: there is no such file.")
        self._jobs: dict[str, _Job] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="cvtrack-mcp-"))

    def start_run(self, file: str, parameters: dict[str, str | float | bool] | None = None) -> str:
        """Start a notebook or script whose cells are runs; return a handle for poll_run.

        Parameters
        ----------
        file : str
            One of those that may be started, as it was named.
        parameters : dict, optional
            Values of names, set behind the cell that is tagged "parameters".
        """
        if file not in self._files:
            raise Refused(f"This file may not be started; these may: {', '.join(self._files)}.")
        if sum(job.process.poll() is None for job in self._jobs.values()) >= MOST:
            raise Refused(f"{MOST} trainings are under way; poll_run says when one has ended.")
        words = [word for pair in _pairs(parameters or {}) for word in ("-p", pair)]
        handle = uuid.uuid4().hex[:12]
        output = self._folder / handle
        with output.open("wb") as out:
            process = Program(
                [sys.executable, "-m", "cvtrack_magics", "exec", str(self._files[file]), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._jobs[handle] = _Job(file, process, output)
        return compact({"handle": handle, "file": file, "state": "running"})

    def poll_run(self, handle: str) -> str:
        """Say whether a training that was started is running, how it ended, and what it printed.

        Parameters
        ----------
        handle : str
            What start_run gave.
        """
        job = self._jobs.get(handle)
        if job is None:
            raise Refused("There is no such handle; start_run gives one.")
        code = job.process.poll()
        inert = Inert(get_session().masking())
        state = "running" if code is None else "finished" if code == 0 else "failed"
        lines = _tail(job.output).splitlines()[-_LINES:]
        facts: dict[str, Any] = {"handle": handle, "file": job.file, "state": state}
        return compact({**facts, "exit_code": code, "printed": [inert.text(x) for x in lines]})


def _pairs(parameters: Mapping[str, object]) -> list[str]:
    for name in parameters:
        if not name.isidentifier():
            raise Refused("The name of a parameter is a name of Python.")
    return [f"{name}={value}" for name, value in parameters.items()]


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        return file.read().decode("utf-8", "replace")
