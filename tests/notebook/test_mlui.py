"""``%mlui``: MLflow's own page, for as long as the kernel runs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import psutil
import pytest

from cvtrack_magics import StoreUnavailable, mlui
from cvtrack_magics.delivery import processes
from cvtrack_magics.store import page
from tests.conftest import Shell
from tests.store_views import runs_of

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    page.stop()


@pytest.fixture
def ready(shell: Shell) -> Shell:
    shell.run("%mlexperiment digits")
    shell.run("%%mlrun first\nlog({'loss': 0.5})")
    return shell


def read(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_of(said: str) -> int:
    return int(re.findall(r"http://127\.0\.0\.1:(\d+)/", said)[0])


def test_the_page_of_a_local_store(ready: Shell, store: str) -> None:
    Path("mlflow.py").write_text("raise RuntimeError('a file of the notebook')")
    said = ready.run("%mlui first")
    run = runs_of(store)["first"].info
    base, _, where = re.findall(r"http://\S+", said)[0].partition("/#/")
    path, _, query = where.partition("?")
    assert path == f"experiments/{run.experiment_id}/runs/{run.run_id}"
    assert query == "workflowType=machine_learning"  # or MLflow 3 shows an evaluation of agents
    assert "<title>MLflow</title>" in read(f"{base}/")
    found = json.loads(read(f"{base}/ajax-api/2.0/mlflow/runs/get?run_id={run.run_id}"))
    assert found["run"]["info"]["run_name"] == "first"
    assert "log({'loss'" in read(f"{base}/get-artifact?run_id={run.run_id}&path=code/cell.py")
    port = port_of(said)
    assert f"127.0.0.1:{port}/#/experiments/{run.experiment_id}/runs?" in ready.run("%mlui")
    mine = [one for one in processes.beside() if one.kind == "serves MLflow's page"]
    assert len([one for one in mine if one.kernel == os.getpid()]) == 1
    # no command line shows where the store is, which may have a password in it
    (wrapper,) = [one.pid for one in mine if one.kernel == os.getpid()]
    lines = [psutil.Process(wrapper), *psutil.Process(wrapper).children(recursive=True)]
    assert len(lines) > 1
    assert not [one for one in lines if any("sqlite" in part for part in one.cmdline())]
    assert "1 page ended." in ready.run("%mlui --stop")
    assert not is_open(port)
    assert not [one for one in lines if one.is_running() and one.status() != "zombie"]
    assert "0 pages ended." in ready.run("%mlui --stop")


def test_it_ends_with_a_kernel_that_is_killed(tmp_path: Path) -> None:
    code = "import time, cvtrack_magics as c\nprint(c.mlui(), flush=True)\ntime.sleep(300)"
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert kernel.stdout is not None
    port = port_of(kernel.stdout.readline())
    assert is_open(port)
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    deadline = time.monotonic() + 60
    while is_open(port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_open(port)
    kernel.stdout.close()


def test_behind_jupyters_proxy_all_is_below_its_path(ready: Shell, store: str) -> None:
    served = page.serve(store, "", "/user/ada/", elsewhere=True)
    assert served.prefix == f"/user/ada/proxy/absolute/{served.port}"
    html = read(f"{served.address}/", Host="hub.example.org", Origin="https://hub.example.org")
    files = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', html)
    assert files
    here = f"http://127.0.0.1:{served.port}"
    for file in files:
        address = file if file.startswith("/") else f"{served.prefix}/{file}"
        assert address.startswith(served.prefix)
        assert read(here + address)
    found = read(
        f"{served.address}/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=digits"
    )
    assert json.loads(found)["experiment"]["name"] == "digits"


def test_a_hub_without_a_proxy_says_what_to_install(
    ready: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setitem(sys.modules, "jupyter_server_proxy", None)
    said = ready.run("%mlui")
    assert "pip install jupyter-server-proxy" in said
    assert is_open(port_of(said))


def test_a_server_is_not_started_twice(ready: Shell, store: str) -> None:
    served = page.serve(store, "", "", elsewhere=False)
    assert page.serve(store, "", "", elsewhere=False) is served
    mlflow.set_tracking_uri(served.address)
    ready.run("%mlexperiment digits")
    assert mlui().link.startswith(f"{served.address}/#/experiments/")
    assert "ends with" not in repr(mlui())


def test_what_cannot_be_served_is_one_line(ready: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailable, match="MLflow's server does not start"):
        page.serve("sqlite:////dev/null/mlflow.db", "", "", elsewhere=False)
    with pytest.raises(StoreUnavailable, match="no-such-run"):
        mlui("no-such-run")
