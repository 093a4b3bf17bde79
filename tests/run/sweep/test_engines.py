"""What cannot be run elsewhere is one clear line, before any run is opened."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics import log, mlsweep
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.sweep.workers.cluster import probe
from cvtrack_magics.run.sweep.workers.messages import Link, Message
from cvtrack_magics.run.sweep.workers.packing import CellBody, packed, unpacked
from cvtrack_magics.run.sweep.workers.remote_trial import RemoteTrial
from cvtrack_magics.run.sweep.workers.serve import without_credentials
from tests.conftest import free_port
from tests.kernels import Kernel
from tests.store_views import runs_of


def square(trial: Any) -> None:
    log({"val/loss": (trial.suggest_float("x", -3, 3) - 1) ** 2})


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no job": ({"jobs": 0}, "--jobs 0 runs no trial. --jobs 4"),
    "less than none": ({"jobs": -2}, "--jobs -2 runs no trial"),
    "another engine": ({"engine": "rey"}, "There is no engine 'rey'. Did you mean 'ray'"),
    "an address alone": ({"address": "a:1"}, "--address is about a Ray cluster. Say --engine ray"),
    "GPUs alone": ({"trial_gpus": 1.0}, "--trial-gpus is about a Ray cluster"),
    "negative GPUs": ({"trial_gpus": -1.0, "engine": "ray"}, "--trial-gpus -1 is no share"),
    "no Ray": ({"engine": "ray"}, "needs Ray, which is not installed. pip install"),
}


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("name", BAD)
def test_bad_options_are_one_line_before_any_run(
    store: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    given, said = BAD[name]
    with pytest.raises(UsageProblem, match=said):
        mlsweep("s", square, metric="val/loss", **given)
    assert not runs_of(store)


@pytest.mark.parametrize("address", ["", "nothing", "host", "host:port", "host:99999", "http://"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(UsageProblem, match="is no address"):
        probe(address)


def test_an_address_that_does_not_answer_is_said() -> None:
    with pytest.raises(UsageProblem, match=r"No Ray cluster answers at 127\.0\.0\.1:"):
        probe(f"127.0.0.1:{free_port()}")


def test_an_address_that_answers_is_not_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe(f"127.0.0.1:{server.getsockname()[1]}")
        probe(f"ray://127.0.0.1:{server.getsockname()[1]}")


STAY: dict[str, Any] = {
    "a lock": threading.Lock(),
    "a generator": (n for n in range(3)),
    "a socket": socket.socket(),
    "a file": sys.__stdout__,
    "a thread": threading.Thread(),
    "in a list": [1, threading.Lock()],
}


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("name", STAY)
def test_an_object_that_cannot_be_sent_is_named(store: str, name: str) -> None:
    model = STAY[name]

    def body(trial: Any) -> None:
        log({"val/loss": len(str(model))})

    with pytest.raises(UsageProblem, match=r"'model' \(.+\), which the body reads, cannot be sent"):
        mlsweep("s", body, metric="val/loss", jobs=2)
    assert not runs_of(store)
    with pytest.raises(UsageProblem, match=r"'model' \(.+\), which the body reads, cannot be sent"):
        packed(cell("print(model)", model=model, other=1))
    assert packed(cell("print(other)", model=model, other=1))


def cell(code: str, **names: Any) -> CellBody:
    return CellBody(code, compile(code, "cell", "exec"), names)


def test_a_cell_brings_what_it_reads_and_nothing_else() -> None:
    code = "def inner():\n    return table[trial.number] + offset\nfound.append(inner())\n"
    names: dict[str, Any] = {"table": {3: 4}, "offset": 5, "found": [], "secret": "not for others"}
    data = packed(cell(code, **names))
    assert b"not for others" not in data
    there = unpacked(data)
    there(type("Trial", (), {"number": 3}))
    assert there._names["found"] == [9]  # type: ignore[attr-defined]
    assert names["found"] == []
    assert "trial" not in there._names  # type: ignore[attr-defined]


def test_a_module_of_this_folder_is_sent_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_alone.py").write_text("def width(n):\n    return 2 * n\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine_alone  # type: ignore[import-not-found]

    data = packed(cell("found.append(width(2))", width=mine_alone.width, found=[]))
    monkeypatch.delitem(sys.modules, "mine_alone")
    (tmp_path / "mine_alone.py").unlink()
    there = unpacked(data)
    there(None)
    assert there._names["found"] == [4]  # type: ignore[attr-defined]


def test_a_magic_in_the_cell_is_said() -> None:
    with pytest.raises(UsageProblem, match="a magic or a ! line"):
        packed(cell("get_ipython().run_line_magic('time', 'x')"))


def test_what_opens_a_store_is_in_no_workers_environment() -> None:
    names = ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_URI"]
    names += ["MLFLOW_REGISTRY_URI", "DATABRICKS_TOKEN", "MLFLOW_FLASK_SERVER_SECRET_KEY"]
    kept = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    assert without_credentials({**dict.fromkeys(names, "x"), **kept}) == kept


def test_what_a_trial_elsewhere_does_not_have_is_said() -> None:
    trial = RemoteTrial(Link(lambda _: None), 3, False, {})
    assert trial.number == 3
    with pytest.raises(AttributeError, match="suggest_float, suggest_int"):
        trial.study  # noqa: B018
    with pytest.raises(UsageProblem, match="A choice of 'model' is of type dict"):
        trial.suggest_categorical("model", [{}, "a"])


def test_an_error_of_the_study_is_raised_where_the_body_is() -> None:
    said: list[Message] = []
    link = Link(said.append)
    link.answered(Message("answer", {"error": ["ValueError", "low is above high"]}))
    with pytest.raises(ValueError, match="low is above high"):
        RemoteTrial(link, 0, False, {}).suggest_float("x", 3, 1)
    assert said[0].data["method"] == "suggest_float"


@pytest.mark.usefixtures("script")
def test_a_process_that_the_body_forked_runs_no_sweep(
    store: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def body(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        elif trial.number:
            raise ValueError("in the child")
        return x

    mlsweep("s", body, metric="val/loss", trials=2)
    assert set(runs_of(store)) == {"s", "s-0", "s-1"}
    assert {run.info.status for run in runs_of(store).values()} == {"FINISHED"}
    assert "Trial 1 forked a process that came back from its body" in capfd.readouterr().err


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(("damage", "said"), [(b"what\n", "is damaged"), (None, "cannot be used")])
def test_a_journal_that_is_broken_is_one_line(
    store: str, tmp_path: Path, damage: bytes | None, said: str
) -> None:
    mlsweep("s", square, metric="val/loss", trials=1)
    file = tmp_path / "cvtrack-sweeps" / "studies.log"
    if damage is None:
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(damage + file.read_bytes())
    with pytest.raises(UsageProblem, match=said):
        mlsweep("s", square, metric="val/loss", trials=2)
    assert set(runs_of(store)) == {"s", "s-0"}


CELL = """%%mlsweep s --trials 2 --metric val/acc --seed 1 --jobs 2
x = trial.suggest_float("x", 0, 1) * scale + offset_of(1)
log({"val/acc": x})
"""


def test_a_cell_is_run_in_other_processes(kernel: Kernel, store: str) -> None:
    kernel.run("import threading\nscale, guard = 2.0, threading.Lock()").check()
    kernel.run("def offset_of(n):\n    return n * scale").check()
    wrong = kernel.run(CELL + "guard.acquire()\n")
    assert "'guard' (lock), which the body reads, cannot be sent" in wrong.text
    assert not runs_of(store)
    ran = kernel.run(CELL).check()
    assert not ran.errors
    found = runs_of(store)
    assert {name: run.info.status for name, run in found.items()} == dict.fromkeys(
        ("s", "s-0", "s-1"), "FINISHED"
    )
    assert all(2 <= run.data.metrics["val/acc"] <= 4 for n, run in found.items() if n != "s")
    (left,) = kernel.run("'trial' in globals()").check().results
    assert left == "False"
