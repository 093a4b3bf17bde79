"""Bad input is answered by one line that says what to type instead, and harms nothing."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import mlflow
import pytest

from tests.conftest import Server, Shell, free_port
from tests.store_views import runs_of

BAD_LINES = {
    "%%mlrun a --nestd\n1": "Did you mean '--nested'",
    "%%mlrun\n1": "name",
    "%%mlrun a nested\n1": "Did you mean '--nested'",
    "%%mlrun a --tag novalue\n1": "not of the form name=value",
    "%%mlrun a --tag k=\n1": "not of the form name=value",
    "%%mlrun a --params missing_cfg\n1": "no 'missing_cfg' in this notebook",
    "%%mlrun a --params 3+\n1": "not a Python expression",
    "%%mlrun a --seed x\n1": "--seed",
    "%%mlrun a --seed -5\n1": "out of range",
    "%%mlrun a --nested\n1": "no open run",
    "%%mlrun 'a\n1": "opened and not closed",
    "%mlrun a --verify": "whole cell",
    "%mlend": "No run is open",
    "%mltags nonsense": "not of the form name=value",
    "%mlparams confg": "Did you mean 'config'",
    "%mlparams": "required",
    "%mlparams 1/0": "ZeroDivisionError",
    "%mlparams 42": "has no name",
    "%mlconfig no_such.yaml": "no_such.yaml",
    "%mlconfig broken.yaml": "line 3",
    "%mldata /no/such/folder": "/no/such/folder",
    "%mldata --name x": "required",
    "%mlseed": "required",
    "%mlseed many": "invalid int value",
    "%mlautolog sometimes": "invalid choice",
    "%mlhelp mlrum": "Did you mean 'mlrun'",
}


@pytest.mark.parametrize("line", list(BAD_LINES))
def test_one_line_says_what_is_wrong(line: str, shell: Shell, store: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: 1\nb: [1, 2\n")
    shell.run("config = {'lr': 1}; untouched = 'yes'")
    said = shell.run(line)
    assert BAD_LINES[line] in said
    assert not shell.result.success
    assert "Traceback" not in said
    assert len([row for row in said.splitlines() if row.strip()]) == 1, said
    assert shell.ip.user_ns["untouched"] == "yes"
    assert runs_of(store) == {}
    assert shell.session.current is None


@pytest.mark.parametrize("magic", ["mlrun", "mltags", "mlparams", "mldata", "mlseed", "mlend"])
def test_help_reads_like_a_manual_page(magic: str, shell: Shell) -> None:
    shell.run(f"%mlhelp {magic}")
    said = shell.run(f"%mlhelp {magic}")
    assert "usage:" in said
    assert "Example:" in said
    assert "usage:" in (shell.ip.find_line_magic(magic).__doc__ or "")


def closed_port() -> str:
    return f"http://user:secret@127.0.0.1:{free_port()}"


def corrupt(folder: Path) -> str:
    (folder / "bad.db").write_bytes(b"this is not a database at all" * 50)
    return f"sqlite:///{folder / 'bad.db'}"


def nowhere(folder: Path) -> str:
    return f"sqlite:///{folder / 'no' / 'such' / 'folder' / 'x.db'}"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (lambda folder: closed_port(), "No MLflow server answers"),
        (corrupt, "not a database"),
        (nowhere, "does not exist"),
        (lambda folder: f"postgresql://u:secret@127.0.0.1:{free_port()}/x", "No database answers"),
    ],
    ids=["dead-server", "corrupt-sqlite", "missing-folder", "dead-postgresql"],
)
def test_the_body_runs_when_the_store_cannot_be_used(
    uri: object, expected: str, shell: Shell, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(uri(tmp_path))
    started = time.monotonic()
    said = shell.run("%%mlrun a\nfrom cvtrack_magics import log\nlog(x=1)\nbody_ran = True")
    assert time.monotonic() - started < 20
    assert shell.result.success
    assert shell.ip.user_ns["body_ran"] is True
    assert said.count(expected) == 1
    assert "secret" not in said
    assert mlflow.active_run() is None


def test_an_unwritable_database_is_named(shell: Shell, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # root may write anywhere; a read-only directory entry is the nearest thing to it
        target = tmp_path / "folder.db"
        target.mkdir()
    else:
        target = tmp_path / "mlflow.db"
        target.chmod(0o400)
    mlflow.set_tracking_uri(f"sqlite:///{target}")
    said = shell.run("%%mlrun a\nbody_ran = True")
    assert shell.ip.user_ns["body_ran"] is True
    assert "kept on disk" in said


def test_a_server_that_accepts_and_never_answers(shell: Shell) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        mlflow.set_tracking_uri(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        said = shell.run("%%mlrun a\nbody_ran = True")
        assert time.monotonic() - started < 20
    assert shell.ip.user_ns["body_ran"] is True
    assert "kept on disk" in said


@pytest.mark.server
def test_a_run_on_a_real_server(shell: Shell, server: Server) -> None:
    mlflow.set_tracking_uri(server.uri)
    said = shell.run(
        "%%mlrun remote --tag team=x\nfrom cvtrack_magics import log\n"
        "for i in range(2500): log(loss=i)"
    )
    assert shell.result.success, said
    run = runs_of(server.uri)["remote"]
    assert run.info.status == "FINISHED"
    assert f"{server.uri}/#/experiments/0/runs/{run.info.run_id}" in said
    client = mlflow.MlflowClient(server.uri)
    history = client.get_metric_history(run.info.run_id, "loss")
    assert sorted(m.value for m in history) == list(range(2500))
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"code", "environment"} <= names, said


@pytest.mark.server
def test_a_server_killed_in_the_loop_does_not_stop_the_cell(shell: Shell, server: Server) -> None:
    mlflow.set_tracking_uri(server.uri)
    shell.run("%config CvTrack.close_timeout = 2")
    shell.ip.user_ns["kill"] = server.stop
    started = time.monotonic()
    said = shell.run(
        "%%mlrun remote\nimport time\nfrom cvtrack_magics import log\nlog(a=1)\ntime.sleep(1)\n"
        "kill()\nfor i in range(1000): log(a=i)\nafter = 'reached'"
    )
    assert shell.result.success
    assert shell.ip.user_ns["after"] == "reached"
    assert time.monotonic() - started < 25
    assert said.count("sent when the store answers") == 1, said
