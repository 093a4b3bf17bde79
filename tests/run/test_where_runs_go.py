"""Where a run cannot go to its experiment the true reason is said, and the way on works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from cvtrack_magics import log, mlexperiment, mlrun, mlsync
from cvtrack_magics.run import current
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def test_an_experiment_of_another_store(store: str, tmp_path: Path) -> None:
    mlexperiment("one")
    mlexperiment("two")
    second = f"sqlite:///{tmp_path / 'second.db'}"
    mlflow.set_tracking_uri(second)
    with mlrun("moved", output=False) as run:
        log({"a": 1.0})
    said = " ".join(run.summary.notices)
    assert "when the store answers" not in said
    assert "experiment" in said.lower()
    assert "%mlexperiment NAME" in mlsync(timeout=20).items[0].why
    mlexperiment("fresh")
    assert not mlsync(timeout=30).waiting
    client = MlflowClient(second)
    fresh = client.get_experiment_by_name("fresh").experiment_id
    (found,) = client.search_runs([fresh])
    assert found.info.status == "FINISHED"
    assert points(second, found, "a") == [(0, 1.0)]


def _delete_run(client: MlflowClient, run_id: str) -> Callable[[], None]:
    client.delete_run(run_id)
    return lambda: client.restore_run(run_id)


def _delete_experiment(client: MlflowClient, run_id: str) -> Callable[[], None]:
    experiment = client.get_run(run_id).info.experiment_id
    client.delete_experiment(experiment)
    return lambda: client.restore_experiment(experiment)


@pytest.mark.parametrize("delete", [_delete_run, _delete_experiment])
def test_what_was_deleted_meanwhile_is_completed_when_it_is_back(
    store: str, delete: Callable[[MlflowClient, str], Callable[[], None]]
) -> None:
    mlexperiment("here")
    with mlrun("away", output=False) as run:
        log({"a": 1.0}, step=0)
        run_id = run.run_id
        restore = delete(MlflowClient(store), run_id)
        log({"a": 2.0}, step=1)
        mlflow.log_param("p", 1)
    said = " ".join(run.summary.notices)
    assert "deleted" in said
    assert "when the store answers" not in said
    assert "deleted" in mlsync(timeout=20).waiting[0].why
    restore()
    assert not mlsync(timeout=30).waiting
    found = MlflowClient(store).get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["p"] == "1"
    assert points(store, found, "a") == [(0, 1.0), (1, 2.0)]


def test_a_renamed_experiment_is_still_the_runs(store: str) -> None:
    mlexperiment("before")
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("before").experiment_id
    with mlrun("renamed", output=False):
        client.rename_experiment(experiment, "after")
        log({"a": 1.0})
    (found,) = client.search_runs([experiment])
    assert (found.info.run_name, found.info.status) == ("renamed", "FINISHED")
    assert current.get_session().sender.deliveries == []


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    """A store whose folder is not there yet."""
    folder = tmp_path / "later"
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    yield folder
    mlflow.set_tracking_uri(None)


def _in_store(folder: Path) -> dict[str, str]:
    """Return each run's experiment, by the run's name."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiments = {found.experiment_id: found.name for found in client.search_experiments()}
    runs = client.search_runs(list(experiments))
    return {run.info.run_name: experiments[run.info.experiment_id] for run in runs}


def _first_run() -> None:
    with mlrun("first", output=False) as run:
        log({"a": 1.0})
    assert not [line for line in run.summary.notices if "Undone" in line]


def _within_a_run() -> None:
    assert "'wanted'" in str(mlexperiment())


def _nothing() -> None:
    pass


@pytest.mark.parametrize("back", [_nothing, _first_run, _within_a_run])
@pytest.mark.parametrize("open_meanwhile", [False, True])
def test_an_experiment_that_was_chosen_while_the_store_was_away_is_that_of_all_runs_since(
    away: Path, back: Callable[[], None], open_meanwhile: bool
) -> None:
    assert "when the store answers" in str(mlexperiment("wanted"))
    with mlrun("early", output=False):
        log({"a": 1.0})
        if open_meanwhile:
            away.mkdir()
            if back is _within_a_run:
                back()
    away.mkdir(exist_ok=True)
    back()
    for name in ("second", "third"):
        with mlrun(name, output=False) as run:
            log({"a": 1.0})
        assert run.summary.experiment == "wanted"
        assert not [line for line in run.summary.notices if "Undone" in line]
    assert not mlsync(timeout=30).waiting
    names = {"early", "second", "third"} | ({"first"} if back is _first_run else set())
    assert _in_store(away) == dict.fromkeys(names, "wanted")


@pytest.mark.parametrize("known", [False, True])
def test_an_experiment_that_somebody_makes_at_the_same_moment_is_the_current_one(
    store: str, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    from mlflow.tracking._tracking_service.client import TrackingServiceClient

    create = TrackingServiceClient.create_experiment

    def made_twice(client: Any, name: str, *rest: Any, **more: Any) -> Any:
        create(client, name)
        return create(client, name, *rest, **more)

    if known:
        mlexperiment("before")
    monkeypatch.setattr(TrackingServiceClient, "create_experiment", made_twice)
    assert "'wanted'" in str(mlexperiment("wanted"))
    assert "'wanted'" in str(mlexperiment())
    with mlrun("there", output=False) as run:
        log({"a": 1.0})
    assert run.summary.experiment == "wanted"


def test_what_was_chosen_after_that_counts_more(away: Path) -> None:
    mlexperiment("wanted")
    away.mkdir()
    mlflow.set_experiment("chosen since")
    with mlrun("second", output=False):
        log({"a": 1.0})
    assert _in_store(away) == {"second": "chosen since"}


@pytest.mark.parametrize("back", [False, True], ids=["elsewhere", "back again"])
def test_a_run_that_was_left_open_in_another_store_leaves_none_active(
    store: str, tmp_path: Path, store_template: Path, back: bool
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(store_template.read_bytes())
    with mlrun("mine", output=False) as run:
        mlflow.set_tracking_uri(f"sqlite:///{other}")
        child = mlflow.start_run(run_name="child", nested=True).info.run_id
        if back:
            mlflow.set_tracking_uri(store)
    assert mlflow.active_run() is None
    assert "could not reset" not in " ".join(run.summary.notices).lower()
    (said,) = [line for line in run.summary.notices if "left open" in line]
    status = mlflow.MlflowClient(f"sqlite:///{other}").get_run(child).info.status
    assert (status == "FINISHED") == (not back)
    assert (child in said) == back  # who ends it then needs its id
    with mlflow.start_run(run_name="next"):
        mlflow.log_metric("a", 1.0)
    assert runs_of(store)["mine"].data.metrics.get("a") is None
    assert runs_of(store)["next"].data.metrics == {"a": 1.0}
