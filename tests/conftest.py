"""Every test gets its own folder, tracking store and state; leaks fail the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import setuptools  # noqa: F401 (its distutils must be there before the standard library's)

from tests.kernels import Kernel

hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # how fast the machine is at the moment is no property of the code
hypothesis.settings.load_profile("tests")
# The tests run beside each other, on all cores: more threads of one would wait for the others'.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# What pytest makes of the modules is kept for the processes that come later, whatever is set.
_writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, False
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Write the code of modules that tests import, or do not, as it is set."""
    sys.dont_write_bytecode = _writes_none


def _close_databases(folder: Path) -> None:
    """Give back the files of a test's stores, which MLflow keeps open: one more each test."""
    from cvtrack_magics.store.forked import _STORES

    for name in _STORES:
        store = getattr(sys.modules.get(name), "SqlAlchemyStore", None)
        engines = getattr(store, "_engine_map", {})
        for uri in [uri for uri in list(engines) if str(folder) in uri]:
            engines.pop(uri).dispose()


@pytest.fixture(autouse=True)
def own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a temporary folder, with a temporary state folder and no store set."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("CVTRACK_WATCH", "0")  # the watcher's own tests switch it on
    monkeypatch.setenv("CVTRACK_SENDER", "thread")  # so do those of the sending process
    monkeypatch.setenv("CVTRACK_CLOSE_TIMEOUT", "30")  # a busy machine is no slow store
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.delenv("CVTRACK_RUN", raising=False)  # an earlier test's process is not above
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None:
        left = mlflow.active_run()
        while mlflow.active_run() is not None:
            mlflow.end_run()
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        os.environ.pop("MLFLOW_REGISTRY_URI", None)
        import mlflow.tracking.fluent as fluent

        fluent._active_experiment_id = None
        for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
            os.environ.pop(name, None)
        _close_databases(tmp_path)
        assert left is None, f"the test left run {left.info.run_id} open"


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty tracking database; making one takes MLflow a second, copying it nothing."""
    import mlflow

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path: Path, store_template: Path) -> str:
    """A tracking store that exists already; the store of this test's environment."""
    shutil.copyfile(store_template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def script() -> Iterator[None]:
    """A plain script's session, ended with the test."""
    from cvtrack_magics.run import current

    current.use(None)
    yield
    session = current.peek()
    if session is not None:
        session.stop()
    current.use(None)


@pytest.fixture
def kernel(store: str, tmp_path: Path) -> Iterator[Kernel]:
    """A real Python kernel with the extension loaded."""
    with Kernel(tmp_path, warm=True) as running:
        running.run("%load_ext cvtrack_magics").check()
        yield running


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def closed_uri() -> str:
    """Return the address of a server that is not there."""
    return f"http://127.0.0.1:{free_port()}"


class Server:
    """A real ``mlflow server`` on sqlite."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.log = (folder / "server.log").open("w")
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
            *("--artifacts-destination", str(folder / "server-artifacts")),
        ]
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "server.log").read_text()) from None
                time.sleep(0.2)

    def signal(self, number: int) -> None:
        """Send a signal to the server and its workers."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Kill the server and its workers."""
        import signal

        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.wait(10)
        self.log.close()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server of this test's own."""
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


class Shell:
    """A real InteractiveShell in this process, with what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        InteractiveShell.clear_instance()
        self.ip = InteractiveShell.instance(colors="nocolor")
        self._capsys = capsys

    def run(self, code: str, cell_id: str = "") -> str:
        """Run a cell and return what a person sees in the terminal."""
        self._capsys.readouterr()
        named = {"cell_id": cell_id} if cell_id else {}
        self.result = self.ip.run_cell(code, store_history=True, **named)
        printed = self._capsys.readouterr()
        return printed.out + printed.err

    @property
    def session(self) -> object:
        """The extension's session."""
        from cvtrack_magics.run.current import get_session

        return get_session()


@pytest.fixture
def shell(store: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """An InteractiveShell with the extension loaded."""
    from IPython.core.interactiveshell import InteractiveShell

    running = Shell(capsys)
    running.run("%load_ext cvtrack_magics")
    yield running
    running.run("%unload_ext cvtrack_magics")
    running.ip.history_manager.end_session()
    InteractiveShell.clear_instance()
