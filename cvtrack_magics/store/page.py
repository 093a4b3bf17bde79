"""MLflow's own page of a store that has no server: one is started on this machine's loopback."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.programs import Program
from cvtrack_magics.redact import redact
from cvtrack_magics.store import page_process
from cvtrack_magics.variables import variables

PATIENCE = 90.0  # seconds; a cold disk has a gigabyte of packages to read
_LAST_WORDS = 600  # characters of its log that are shown where it does not start
# not by -m: that would import a notebook's own mlflow.py
_START = "import sys; sys.path = [p for p in sys.path if p]; from mlflow.cli import cli; cli()"


@dataclass(frozen=True, slots=True)
class Served:
    """A page that is served; ``address`` ends without a slash, ``prefix`` is its path."""

    port: int
    prefix: str
    process: subprocess.Popen[bytes]
    log: Path
    owner: int

    @property
    def address(self) -> str:
        """Where it is on this machine."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"


_served: dict[str, Served] = {}


def serve(uri: str, registry: str, base: str, *, elsewhere: bool) -> Served:
    """Start MLflow's server of a store, or return the one that runs.

    Parameters
    ----------
    uri, registry : str
        Of the runs and of the registered models; with credentials, which no command line shows.
    base : str
        The path that Jupyter's proxy passes on what is behind it, such as ``/user/ada/``; empty
        where the page is opened on this machine.
    elsewhere : bool
        Whether browsers come by another host's name, which is not known here.

    Raises
    ------
    StoreUnavailable
        It does not start.
    """
    known = _served.get(uri)
    if known is not None and known.owner == os.getpid() and known.process.poll() is None:
        return known
    port = _free_port()
    prefix = f"{base.rstrip('/')}/proxy/absolute/{port}" if base else ""
    log = Path(tempfile.mkdtemp(prefix="cvtrack-page-"), "mlflow.log")
    with log.open("wb") as file:
        process = Program(
            _command(port, prefix),
            cwd=log.parent,  # the server imports from where it stands: a notebook has files there
            env=_environment(uri, registry, elsewhere=elsewhere),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt of the kernel is none of it
        )
    found = _served[uri] = Served(port, prefix, process, log, os.getpid())
    atexit.unregister(stop)
    atexit.register(stop)
    _wait(found)
    return found


def stop() -> int:
    """End the pages that this process serves; return how many there were."""
    own = [one for one in _served.values() if one.owner == os.getpid()]
    _served.clear()
    running = [one for one in own if one.process.poll() is None]
    for one in own:
        if one.process.stdin is not None:
            with suppress(OSError):
                one.process.stdin.close()
    for one in running:
        with suppress(subprocess.TimeoutExpired):
            one.process.wait(3 * page_process.GRACE)
    for one in own:
        with suppress(OSError):
            one.log.unlink()
            one.log.parent.rmdir()
    return len(running)


def _command(port: int, prefix: str) -> list[str]:
    server = [sys.executable, "-c", _START, "server", "--host", "127.0.0.1", "--port", str(port)]
    server += ["--workers", "1", *(["--static-prefix", prefix] if prefix else [])]
    return [sys.executable, "-I", "-S", str(Path(page_process.__file__)), *server]


def _environment(uri: str, registry: str, *, elsewhere: bool) -> dict[str, str]:
    own = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": registry or uri}
    own["PYTHONSAFEPATH"] = "1"
    if elsewhere:
        # Jupyter's proxy asks who it is, and this port cannot be reached past it
        own |= {"MLFLOW_SERVER_ALLOWED_HOSTS": "*", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*"}
    left_out = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    return {**{k: v for k, v in variables().items() if k not in left_out}, **own}


def _wait(page: Served) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(page):
        if page.process.poll() is not None or time.monotonic() > deadline:
            words = page.log.read_bytes().decode("utf-8", "replace").strip()
            stop()
            raise StoreUnavailable(
                f"MLflow's server does not start: {redact(words)[-_LAST_WORDS:]}"
            )
        time.sleep(0.1)


def _answers(page: Served) -> bool:
    here = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with here.open(f"{page.address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
