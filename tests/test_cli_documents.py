"""``--json`` in a shell: one document, typed, whatever goes wrong and whoever prints."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics.cli import main
from tests.conftest import closed_uri
from tests.documents import check

HOSTILE = 'a"\\\n\x1b[31m</script>\u202e \ud800{"format": 9}'


@pytest.fixture
def ids(store: str, script: None) -> list[str]:
    client, made = mlflow.MlflowClient(store), []
    for name, loss in (("a", 0.5), ("b", math.nan)):
        run = client.create_run("0", run_name=name).info.run_id
        client.log_param(run, "lr", HOSTILE.encode("utf-8", "replace").decode())
        client.log_metric(run, "loss", loss)
        client.set_terminated(run)
        made.append(str(run))
    return made


def said(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    try:
        code = main([*line, "--json"])
    except SystemExit as error:
        code = int(error.code or 0)
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        (["runs"], "cvtrack runs"),
        (["runs", "--by", "lr"], "cvtrack runs"),
        (["show", "b"], "cvtrack show"),
        (["compare", "a", "b"], "cvtrack compare"),
    ],
)
def test_what_is_read_is_as_the_page_says(
    ids: list[str], capsys: pytest.CaptureFixture[str], line: list[str], heading: str
) -> None:
    code, found = said(capsys, *line)
    assert code == 0
    check(found, heading)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (["runs", "nonsense =="], "UsageProblem"),
        (["runs", "--by", "q"], "UsageProblem"),
        (["runs", "--no-such-option"], "UsageProblem"),
        (["show", "no-such-run"], "StoreUnavailable"),
        (["show", "a", "--store", "{away}"], "StoreUnavailable"),
        (["compare", "a"], "UsageProblem"),
        (["compare", "a", "a"], "UsageProblem"),
        (["gate"], "UsageProblem"),
        (["gate", "nobody", "--require", "a >= 1"], "UsageProblem"),
        (["gate", "nobody", "--margin", "many"], "UsageProblem"),
        (["sweep"], "UsageProblem"),
        (["sweep", "no-such-file.py"], "CvtrackError"),
    ],
)
def test_what_goes_wrong_is_a_document_too(
    ids: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    line: list[str],
    kind: str,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, found = said(capsys, *(word.format(away=closed_uri()) for word in line))
    assert code == 2
    check(found, "Errors")
    assert found["error"]["kind"] == kind
    assert (found["command"], found["exit_code"]) == (line[0], 2)


def test_credentials_are_in_no_error(
    ids: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = closed_uri().replace("//", "//me:s3cretword@")
    code, found = said(capsys, "runs", "--store", away)
    assert code == 2
    assert "s3cretword" not in json.dumps(found)


def test_a_sweep_is_one_document_whatever_its_cells_print(store: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.py").write_text(
        "# %%\nimport os, sys\nprint('noise')\nos.system('echo noise')\nos.write(1, b'noise')\n"
        "# %%\n# %mlexperiment tuned\n"
        "# %%\n# %%mlsweep s --trials 3 --metric val/loss --seed 1\n"
        "from cvtrack_magics import log\n"
        "x = trial.suggest_float('x', 0, 1)\nprint(x)\nlog({'val/loss': x})\n"
        "if trial.number == 1: raise ValueError('bad')\n"
        "# %%\n# %%mlsweep two --trials 2 --metric val/loss --metric val/ms "
        "--direction minimize --direction minimize --seed 1\n"
        "x = trial.suggest_float('x', 0, 1)\nlog({'val/loss': x, 'val/ms': 1 - x})\n"
    )
    command = [sys.executable, "-m", "cvtrack_magics", "sweep", "sweep.py", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "noise" in done.stderr
    found = json.loads(done.stdout)
    check(found, "cvtrack sweep")
    sweep, two = found["sweeps"]
    assert two["metrics"] == {"val/loss": "minimize", "val/ms": "minimize"}
    assert sorted(two["front"]) == [0, 1]
    assert all(one["value"] == one["values"][0] for one in two["trials"])
    trials = sweep["trials"]
    assert sorted(one["state"] for one in trials) == ["failed", "finished", "finished"]
    good = [one for one in trials if one["state"] == "finished"]
    assert sweep["best"] == min(good, key=lambda one: one["value"])
    client = mlflow.MlflowClient(store)
    (there,) = [e.experiment_id for e in client.search_experiments() if e.name == "tuned"]
    runs = {run.info.run_id for run in client.search_runs([there])}
    ours = {sweep["run_id"], *(one["run_id"] for one in trials)}
    assert runs - {two["run_id"], *(one["run_id"] for one in two["trials"])} == ours
