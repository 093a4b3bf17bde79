"""A tracking database and a real ``mlflow server`` for the measurements."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

MAKE = "import mlflow, sys; mlflow.MlflowClient(tracking_uri=sys.argv[1]).search_experiments()"


class Stores:
    """A database to copy, because making one takes MLflow a second, and one server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "server.db"
        self._template = folder / "template.db"
        subprocess.run(
            [sys.executable, "-c", MAKE, f"sqlite:///{self._template}"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        shutil.copyfile(self._template, self.database)
        self._server: subprocess.Popen[bytes] | None = None
        self.uri = ""

    def new_database(self, path: Path) -> None:
        """Make an empty tracking database."""
        shutil.copyfile(self._template, path)

    def start_server(self) -> None:
        """Start the server and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.uri = f"http://127.0.0.1:{port}"
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port),
            *("--workers", "1", "--backend-store-uri", f"sqlite:///{self.database}"),
            *("--artifacts-destination", str(self.folder / "artifacts")),
        ]
        self._server = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except OSError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("mlflow server did not start") from None
                time.sleep(0.2)

    def stop(self) -> None:
        """Kill the server and its workers."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
