"""``cvtrack runs`` and ``cvtrack show``: what the store has, for scripts."""

from __future__ import annotations

import json
import math

import mlflow
import pytest

from cvtrack_magics.cli import main

pytestmark = pytest.mark.usefixtures("script")


def made(store: str) -> list[str]:
    client, ids = mlflow.MlflowClient(store), []
    for name, loss in (("a", 0.5), ("b", math.nan)):
        run = client.create_run("0", run_name=name).info.run_id
        client.log_param(run, "lr", "0.1")
        client.log_metric(run, "loss", loss)
        client.set_terminated(run)
        ids.append(str(run))
    return ids


def test_runs_as_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    ids = made(store)
    assert main(["runs", "--json", "--store", store]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["run_id"] for run in found["runs"]] == ids[::-1]
    assert [run["metrics"]["loss"] for run in found["runs"]] == ["nan", 0.5]
    assert found["runs"][0]["params"] == {"lr": "0.1"}
    assert main(["runs", "metrics.loss < 1", "--json", "--by", "lr"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["value"], group["runs"]) == ("0.1", 1)
    assert group["metrics"]["loss"] == {"mean": 0.5, "half_width": "nan", "runs": 1}


def test_a_run_as_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    ids = made(store)
    assert main(["show", "a", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["run_id"], found["status"], found["metrics"]) == (
        ids[0],
        "FINISHED",
        {"loss": 0.5},
    )
    assert main(["show"]) == 0
    assert "✓ FINISHED b" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", [["runs", "nonsense =="], ["show", "no-such-run"], ["runs", "--by", "q"]]
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    store: str, capsys: pytest.CaptureFixture[str], line: list[str]
) -> None:
    made(store)
    assert main([*line, "--store", store]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"cvtrack {line[0]}: ")
    assert "Traceback" not in said
