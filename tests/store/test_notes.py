"""What MLflow's page reads of runs and experiments; what a person wrote there stands."""

from __future__ import annotations

from typing import Any

import mlflow
import pytest

from cvtrack_magics.records import Call
from cvtrack_magics.run.described import primary_metric
from cvtrack_magics.store import notes
from cvtrack_magics.store.deferred import DESCRIBE, PRIMARY_METRIC, perform
from cvtrack_magics.store.registry import Registry
from tests.conftest import Shell
from tests.store_views import runs_of


@pytest.fixture
def client(store: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=store)


def describe(client: mlflow.MlflowClient, run_id: str, text: str) -> str:
    perform(client, run_id, Call(DESCRIBE, {"text": text}))
    return str(client.get_run(run_id).data.tags[notes.NOTE])


def test_a_description_is_renewed_until_a_person_changes_it(client: mlflow.MlflowClient) -> None:
    run_id = client.create_run("0").info.run_id
    assert describe(client, run_id, "first") == "first"
    assert describe(client, run_id, "second") == "second"
    client.set_tag(run_id, notes.NOTE, "mine")
    assert describe(client, run_id, "third") == "mine"
    client.set_tag(run_id, notes.NOTE, " ")
    assert describe(client, run_id, "fourth") == "fourth"


def test_a_description_that_was_there_first_stands(client: mlflow.MlflowClient) -> None:
    run_id = client.create_run("0", tags={notes.NOTE: "mine"}).info.run_id
    assert describe(client, run_id, "ours") == "mine"


@pytest.mark.parametrize(
    ("there", "is_ours"),
    [
        (
            "**Finished** · best `acc` 0.97 at step 3\n\n- kept: code\n- again: `%mlreplay ID`\n",
            1,
        ),
        ("**Failed**: ValueError: no\n\n- code: `0123456789ab`, with uncommitted changes\n", 1),
        ("**Finished**\n\n- dataset: digits", 1),
        ("**Finished** · `loss` 0.1", 1),
        ("**Finished**\n\n- dataset: digits\n\nThe lamp was broken.", 0),
        ("The lamp was broken.\n\n- dataset: digits", 0),
        ("**Finished** and good", 0),
        ("**Finished**\n\n- again: `%mlreplay 0123`", 0),
    ],
)
def test_what_an_older_release_wrote_is_no_persons(
    client: mlflow.MlflowClient, there: str, is_ours: bool
) -> None:
    run_id = client.create_run("0").info.run_id
    there = there.replace("ID", run_id)
    client.set_tag(run_id, notes.NOTE, there)
    assert describe(client, run_id, "new") == ("new" if is_ours else there)


@pytest.mark.parametrize("dies", ["before", "between"])
def test_cut_off_it_is_written_later(client: mlflow.MlflowClient, dies: str) -> None:
    class Dying:
        left = 0 if dies == "before" else 1

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def set_tag(self, *arguments: str) -> None:
            if not self.left:
                raise ConnectionError
            self.left -= 1
            client.set_tag(*arguments)

    run_id = client.create_run("0").info.run_id
    describe(client, run_id, "first")
    with pytest.raises(ConnectionError):
        perform(Dying(), run_id, Call(DESCRIBE, {"text": "second"}))
    assert describe(client, run_id, "second") == "second"


def test_a_versions_description_is_a_persons_once_one_wrote_it(
    client: mlflow.MlflowClient, store: str
) -> None:
    run = client.create_run("0")
    client.create_registered_model("m")
    client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id)
    registry = Registry(store)
    assert registry.describe("m", "1", "first")
    assert registry.describe("m", "1", "second")
    client.update_model_version("m", "1", "mine")
    assert not registry.describe("m", "1", "third")
    assert client.get_model_version("m", "1").description == "mine"


def primary(client: mlflow.MlflowClient) -> tuple[str | None, str | None]:
    tags = client.get_experiment("0").tags
    return tags.get(notes.PRIMARY), tags.get(notes.PRIMARY_DIRECTION)


def test_the_first_run_names_the_metric_and_a_person_changes_it(
    client: mlflow.MlflowClient,
) -> None:
    run_id = client.create_run("0").info.run_id
    for name, more in (("val/mAP50", True), ("val/loss", False)):
        perform(client, run_id, Call(PRIMARY_METRIC, {"name": name, "more": more}))
        assert primary(client) == ("val/mAP50", "True")
    client.set_experiment_tag("0", notes.PRIMARY, "mine")
    perform(client, run_id, Call(PRIMARY_METRIC, {"name": "val/mAP50", "more": True}))
    assert primary(client) == ("mine", "True")


def test_who_may_not_write_experiments_may_write_runs(client: mlflow.MlflowClient) -> None:
    class Denied:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def set_experiment_tag(self, *_: str) -> None:
            error = mlflow.exceptions.MlflowException("no")
            error.error_code = "PERMISSION_DENIED"
            raise error

    run_id = client.create_run("0").info.run_id
    perform(Denied(), run_id, Call(PRIMARY_METRIC, {"name": "a", "more": True}))
    assert primary(client) == (None, None)


CHOSEN = [
    (("train/loss", "val/loss", "val/mAP50"), "val/mAP50"),
    (("train/acc", "val/loss"), "val/loss"),
    (("mAP50", "mAP50/ci_low", "val/acc"), "mAP50"),
    (("lr", "epoch", "resources/wall_time_s", "system/cpu", "total"), ""),
    (("train/loss", "lr"), "train/loss"),
    (("test/acc", "loss"), "test/acc"),
    ((), ""),
]


@pytest.mark.parametrize(("names", "chosen"), CHOSEN)
def test_which_metric_a_run_is_about(names: tuple[str, ...], chosen: str) -> None:
    assert primary_metric(names) == chosen


def test_a_run_is_described_and_its_children_are_not(shell: Shell, store: str) -> None:
    said = shell.run("%mlexperiment --metric odd")
    assert "--metric odd:max" in said
    shell.run("%mlexperiment shapes --metric odd:min")
    body = "    with cv.mlrun('c', nested=True):\n        cv.log({'val/mAP50': 1.0})"
    shell.run(
        f"%%mlrun a\nimport cvtrack_magics as cv\ncv.log({{'val/mAP50': 0.5}})\nif True:\n{body}"
    )
    shell.run("%%mlrun b\nraise ValueError('[x](http://evil) <b>')")
    runs = runs_of(store)
    said = runs["a"].data.tags[notes.NOTE]
    assert said.startswith("**Finished** · `val/mAP50` 0.5\n")
    assert f"%mlreplay {runs['a'].info.run_id}" in said
    assert notes.NOTE not in runs["c"].data.tags
    failed = runs["b"].data.tags[notes.NOTE]
    assert failed.startswith("**Failed**: ")
    assert "<b>" not in failed
    assert "[x](" not in failed
    client = mlflow.MlflowClient(tracking_uri=store)
    tags = client.get_experiment(runs["a"].info.experiment_id).tags
    assert (tags[notes.PRIMARY], tags[notes.PRIMARY_DIRECTION]) == ("odd", "False")
