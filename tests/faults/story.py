"""What a story needs: a script to run, a server to harm, a sync, and a look at the store."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tests.faults.play import Arena
from tests.faults.processes import Process
from tests.faults.proxy import Proxy
from tests.faults.servers import MlflowServer

TIMEOUT = 90.0


class Story:
    """One experiment, one state folder, and a proxy in front of a server."""

    def __init__(self, arena: Arena, server: MlflowServer, folder: Path) -> None:
        import mlflow

        self.server = server
        self.folder = folder
        self.state = folder / "state" / "cvtrack_magics"
        self.proxy = Proxy(server.port, folder)
        self.client = mlflow.MlflowClient(tracking_uri=server.uri)
        self.experiment = f"story {time.time_ns()}"
        self.experiment_id = str(
            server.call("experiments/create", name=self.experiment)["experiment_id"]
        )
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "XDG_"))}
        self.environment = {
            **kept,
            "MLFLOW_TRACKING_URI": self.proxy.uri,
            "MLFLOW_EXPERIMENT_NAME": self.experiment,
            "XDG_STATE_HOME": str(self.state.parent),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        self._arena = arena
        self._processes: list[Process] = []

    def start(self, code: str) -> Process:
        """Start a script."""
        number = len(self._processes)
        path = self.folder / f"script{number}.py"
        path.write_text(code)
        return self._fork("script", path, name=path.stem)

    def run(self, code: str) -> Process:
        """Run a script to its end."""
        process = self.start(code)
        assert process.wait(TIMEOUT) is not None, process.said
        return process

    def start_sync(self) -> Process:
        """Start ``python -m cvtrack_magics sync``."""
        name = f"sync{len(self._processes)}"
        return self._fork("module", "sync", "--state", self.state, "--json", name=name)

    def sync(self) -> dict[str, Any]:
        """Run a sync; return what it said, with its exit code as ``code``."""
        return said(self.start_sync())

    def nothing_waits(self) -> bool:
        """Say whether one more sync finds nothing to send."""
        found = self.sync()
        return found["code"] == 0 and not found["sent"] and not found["waiting"]

    def _fork(self, what: str, *arguments: object, name: str) -> Process:
        process = self._arena.zygote.fork(
            what, *arguments, folder=self.folder, name=name, env=self.environment
        )
        self._processes.append(process)
        return process

    def wait_for(self, name: str, timeout: float = TIMEOUT) -> Path:
        """Wait for a file that a script leaves."""
        path = self.folder / name
        deadline = time.monotonic() + timeout
        while not path.exists():
            told = "\n".join(process.said for process in self._processes)
            assert time.monotonic() < deadline, f"{name} did not come\n{told}"
            time.sleep(0.02)
        return path

    def runs(self) -> list[Any]:
        """Return the experiment's runs, by name."""
        found = self.client.search_runs([self.experiment_id])
        return sorted(found, key=lambda run: str(run.info.run_name))

    def statuses(self) -> dict[str, str]:
        """Return the status of each run, which must be the only one of its name."""
        runs = self.runs()
        assert len({run.info.run_name for run in runs}) == len(runs), runs
        return {run.info.run_name: run.info.status for run in runs}

    def points(self, name: str, key: str) -> list[tuple[int, float]]:
        """Return (step, value) of a metric of the run of that name."""
        [run] = [run for run in self.runs() if run.info.run_name == name]
        return sorted((m.step, m.value) for m in self.history(run, key))

    def history(self, run: Any, key: str) -> list[Any]:
        """Return all points of a metric."""
        return list(self.client.get_metric_history(run.info.run_id, key))

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.close()
        self.proxy.close()


def said(process: Process) -> dict[str, Any]:
    """Wait for a sync's end; return what it said, with its exit code as ``code``."""
    code = process.wait(TIMEOUT)
    try:
        return {**json.loads(process.out.read_text()), "code": code}
    except ValueError:
        raise AssertionError(f"{code}: {process.said}") from None
