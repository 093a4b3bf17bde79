"""Several runs read side by side, with few requests and nothing of what they hold believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store import many_runs
from cvtrack_magics.store.many_runs import read_curves, read_runs, read_texts
from tests.conftest import Server, closed_uri


def made(uri: str, name: str, steps: int = 3) -> str:
    client = mlflow.MlflowClient(uri)
    run_id = str(client.create_run("0", run_name=name).info.run_id)
    client.log_param(run_id, "lr", "0.1")
    for step in range(steps):
        client.log_metric(run_id, "loss", 1 / (step + 1), step=step)
    client.log_text(run_id, f"fit('{name}')", "code/cell.py")
    client.log_text(run_id, "x = 1", "code/modules/deep/er/net.py")
    client.log_text(run_id, "weights", "checkpoints/best.txt")
    client.set_terminated(run_id)
    return run_id


def check(uri: str) -> None:
    ids = [made(uri, name) for name in "ab"]
    runs = read_runs(uri, ids, lambda path, size: path.endswith(".py") and size > 0)
    assert [run.name for run in runs] == ["a", "b"]
    assert [run.run_id for run in runs] == ids
    assert [run.experiment for run in runs] == ["Default", "Default"]
    for run in runs:
        assert set(run.files) == {"code/cell.py", "code/modules/deep/er/net.py"}
        assert run.texts == {
            "code/cell.py": f"fit('{run.name}')",
            "code/modules/deep/er/net.py": "x = 1",
        }
    curves = read_curves(uri, {ids[0]: ["loss"], ids[1]: []})
    assert [(point[3], point[1]) for point in curves[ids[0]]["loss"]] == [
        (0, 1.0),
        (1, 0.5),
        (2, 1 / 3),
    ]
    assert curves[ids[1]] == {}


def test_runs_of_a_database(store: str) -> None:
    check(store)


@pytest.mark.server
def test_runs_of_a_server(server: Server) -> None:
    check(server.uri)


def test_runs_and_curves_take_one_request_each(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [made(store, name) for name in "abc"]
    calls: list[str] = []
    original = many_runs.client_of

    def counted(uri: str) -> Any:
        client = original(uri)
        get_run = client.get_run

        def counting(run_id: str) -> Any:
            calls.append(run_id)
            return get_run(run_id)

        client.get_run = counting
        return client

    monkeypatch.setattr(many_runs, "client_of", counted)
    read_runs(store, ids, lambda path, size: True)
    assert sorted(calls) == sorted(ids)


HOSTILE = ["../../outside.py", "/etc/passwd", "code/../../x.py", "code\\..\\x.py", "code/none.py"]


def test_a_path_that_leaves_the_run_is_not_read(store: str, tmp_path: Path) -> None:
    run_id = made(store, "a")
    before = set(tmp_path.rglob("outside.py"))
    found = read_texts(store, [(run_id, path) for path in [*HOSTILE, "code/cell.py"]])
    assert found == {(run_id, "code/cell.py"): "fit('a')"}
    assert set(tmp_path.rglob("outside.py")) == before


def test_a_store_that_is_away_is_one_line(store: str) -> None:
    with pytest.raises(StoreUnavailable, match="MLflow could not read the runs"):
        read_runs(closed_uri(), ["a" * 32, "b" * 32], lambda path, size: True)
    with pytest.raises(StoreUnavailable, match="could not read the runs"):
        read_runs(store, ["a" * 32], lambda path, size: True)
