"""Real servers that a test may kill, stop, restart and look into."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

NEEDED = ("initdb", "pg_ctl")
QUIET = {
    # without the job runner a server is two processes instead of ten
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OPENBLAS_NUM_THREADS": "1",
}


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs; None when it is not installed."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if all((folder / name).exists() for name in NEEDED):
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A PostgreSQL of our own; as root it runs as an unprivileged user, as it demands.

    With a ``password`` nobody is let in without it, and what was said to be written is written.
    A folder that has a database already goes on with it.
    """

    def __init__(self, folder: Path | None = None, password: str = "") -> None:
        programs = postgres_binaries()
        if programs is None:
            raise FileNotFoundError("PostgreSQL is not installed")
        self._ctl = programs / "pg_ctl"
        self.port = free_port()
        who = f"tests:{password}" if password else "tests"
        self.uri = f"postgresql+psycopg2://{who}@127.0.0.1:{self.port}/postgres"
        self.folder = folder or Path(tempfile.mkdtemp(prefix="cvtrack-pg-"))
        self.folder.mkdir(exist_ok=True)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._data = self.folder / "data"
        self._unsafe = "" if password else "-c fsync=off -c full_page_writes=off "
        if not self._data.exists():
            self._make(programs / "initdb", password)
        self.start()

    def _make(self, initdb: Path, password: str) -> None:
        command: list[object] = [initdb, "-D", self._data, "-U", "tests"]
        options = ("-E", "UTF8", "--no-locale", "--no-sync")
        if not password:
            self._run(*command, "-A", "trust", *options)
            return
        said = self.folder / "password"
        said.touch(0o600)
        said.write_text(password)
        if self._as:
            os.chown(said, self._as["user"], self._as["group"])
        try:
            self._run(*command, "-A", "scram-sha-256", f"--pwfile={said}", *options)
        finally:
            said.unlink()

    def _run(self, *command: object) -> None:
        ran = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **self._as,
        )
        if ran.returncode:
            raise RuntimeError(ran.stderr)

    def start(self) -> None:
        """Start and wait until it answers."""
        options = (
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 "
            f"{self._unsafe}-c max_connections=60"
        )
        log = self.folder / "log"
        self._run(self._ctl, "start", "-w", "-t", 60, "-D", self._data, "-l", log, "-o", options)

    def kill(self) -> None:
        """Stop it as a crash would: no goodbye to its clients, recovery at the next start."""
        self._run(self._ctl, "stop", "-m", "immediate", "-w", "-D", self._data)

    def stop(self) -> None:
        """Stop it and keep all it has."""
        self._run(self._ctl, "stop", "-m", "fast", "-w", "-D", self._data)

    def close(self) -> None:
        """Stop it and remove all it had."""
        with suppress(RuntimeError):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class MlflowServer:
    """A real ``mlflow server`` with one worker, on a database that outlives it."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder
        self.backend = backend
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.artifacts = folder / "artifacts"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, *, wait: bool = True) -> None:
        """Start it on the port and the database it always had."""
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--backend-store-uri", self.backend),
            *("--artifacts-destination", str(self.artifacts)),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**environment, **QUIET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_up()

    def wait_up(self, timeout: float = 120) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except OSError:
                died = self._process is not None and self._process.poll() is not None
                if died or time.monotonic() > deadline:
                    text = (self.folder / "server.log").read_text(errors="replace")
                    raise RuntimeError(text[-4000:]) from None
                time.sleep(0.2)

    def signal(self, number: int) -> None:
        """Send a signal to the server and its worker."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """``kill -9`` the server and its worker."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(20)

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """Ask the REST interface, past every proxy."""
        request = urllib.request.Request(
            f"{self.uri}/api/2.0/mlflow/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))

    @contextmanager
    def database(self) -> Iterator[Any]:
        """Open the server's database beside the server."""
        if self.backend.startswith("sqlite:///"):
            path = self.backend.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=60)) as connection:
                yield connection
        else:
            import psycopg2

            with closing(psycopg2.connect(self.backend.replace("+psycopg2", ""))) as connection:
                yield connection

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read with SQL; ``%s`` stands for a value."""
        with self.database() as connection:
            if isinstance(connection, sqlite3.Connection):
                query = query.replace("%s", "?")
            with closing(connection.cursor()) as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())
