"""A champion that was lost is no champion that never was."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
)

from cvtrack_magics import mlcheck, mlgate
from cvtrack_magics.commands.gate_rival import is_lost
from tests.run.releasing.conftest import Version

BETTER: dict[str, Any] = {"champion": "test/top1_acc", "margin": 0.005}


def artifacts_of(run_id: str) -> Path:
    uri = mlflow.MlflowClient().get_run(run_id).info.artifact_uri
    return Path(uri.removeprefix("file://"))


def unlabelled(client: Any, run_id: str) -> None:
    """Take away what a promotion leaves today: what an older version left is the records."""
    for key in client.get_registered_model("shapes").tags:
        client.delete_registered_model_tag("shapes", key)
    for key in client.get_run(run_id).data.tags:
        if key.startswith("cvtrack.promoted"):
            client.delete_tag(run_id, key)


def gone_version(client: Any, run_id: str) -> None:
    client.delete_model_version("shapes", "1")


def gone_version_of_old(client: Any, run_id: str) -> None:
    """As an older version left it, of which no other version has a record, and the run is kept."""
    for key in client.get_registered_model("shapes").tags:
        client.delete_registered_model_tag("shapes", key)
    client.delete_model_version("shapes", "1")


def only_previous(client: Any, run_id: str) -> None:
    client.set_registered_model_alias("shapes", "previous", "1")
    archived(client, run_id)


def gone_model(client: Any, run_id: str) -> None:
    client.delete_registered_model("shapes")
    client.create_registered_model("shapes")


def gone_alias(client: Any, run_id: str) -> None:
    client.delete_registered_model_alias("shapes", "champion")


def gone_alias_of_old(client: Any, run_id: str) -> None:
    unlabelled(client, run_id)
    gone_alias(client, run_id)


def archived(client: Any, run_id: str) -> None:
    client.transition_model_version_stage("shapes", "1", "Archived")
    unlabelled(client, run_id)
    for key in client.get_model_version("shapes", "1").tags:
        client.delete_model_version_tag("shapes", "1", key)
    gone_alias(client, run_id)


def deleted_run(client: Any, run_id: str) -> None:
    client.delete_run(run_id)


def deleted_experiment(client: Any, run_id: str) -> None:
    client.delete_experiment(client.get_run(run_id).info.experiment_id)


def purged_run(client: Any, run_id: str) -> None:
    from mlflow.tracking._tracking_service.utils import _get_store

    client.delete_run(run_id)
    _get_store()._hard_delete_run(run_id)


def gone_artifacts(client: Any, run_id: str) -> None:
    shutil.rmtree(artifacts_of(run_id))


def gone_evaluation(client: Any, run_id: str) -> None:
    shutil.rmtree(artifacts_of(run_id) / "evaluation")


def gone_table(client: Any, run_id: str) -> None:
    (artifacts_of(run_id) / "evaluation" / "test" / "samples.json").unlink()


def empty_evaluation(client: Any, run_id: str) -> None:
    for path in (artifacts_of(run_id) / "evaluation" / "test").glob("*.json"):
        path.write_bytes(b"")


def elsewhere_run(client: Any, run_id: str) -> None:
    client.create_model_version("shapes", "s3://nowhere/model", "f" * 32, await_creation_for=0)
    client.set_registered_model_alias("shapes", "champion", "3")


def by_hand(client: Any, run_id: str) -> None:
    client.create_model_version("shapes", "s3://nowhere/model", run_id, await_creation_for=0)
    client.set_registered_model_alias("shapes", "champion", "3")


def no_run(client: Any, run_id: str) -> None:
    client.create_model_version("shapes", "s3://nowhere/model", await_creation_for=0)
    client.set_registered_model_alias("shapes", "champion", "3")


def dangling(client: Any, run_id: str) -> None:
    """An alias that stands for nothing, as a change of the database leaves it."""
    with closing(sqlite3.connect(mlflow.get_tracking_uri().removeprefix("sqlite:///"))) as base:
        client.delete_model_version("shapes", "1")
        base.execute(
            "INSERT INTO registered_model_aliases (alias, version, name) "
            "VALUES ('champion', 1, 'shapes')"
        )
        base.commit()


CASES: list[tuple[Callable[[Any, str], None], str]] = [
    (gone_version, "version 1 was made champion on .* and was deleted since; --without-champion"),
    (gone_version_of_old, "was made shapes/1, the champion, which was deleted since"),
    (gone_model, "was made shapes/1, the champion, which was deleted since"),
    (gone_alias, "version 1 was made champion on .* and its alias champion was taken away since"),
    (gone_alias_of_old, "version 1 was made champion on .* and its alias champion was taken away"),
    (dangling, "the alias champion stands for version 1, which is not there any more"),
    (archived, "version 1 is in the stage Archived, and whether one was the champion is not known"),
    (only_previous, "version 1 is the champion before the last, and the last is not there"),
    (gone_artifacts, "no evaluation of the champion, version 1, that measured test/top1_acc"),
    (gone_evaluation, "no evaluation of the champion, version 1, that measured test/top1_acc"),
    (empty_evaluation, "no evaluation of the champion, version 1, that measured test/top1_acc"),
    (purged_run, "the champion, version 1, cannot be read from its run"),
    (elsewhere_run, "the champion, version 3, cannot be read from its run ffffffff"),
    (no_run, "the registry does not say which run version 3 was made of"),
]


def judged(make: Version, harm: Callable[[Any, str], None], **options: Any) -> Any:
    """Promote a version, harm it, and judge a better one."""
    run_id = make("first", 30)
    mlgate("shapes", require=["test/top1_acc >= 0.85"], promote=True, **BETTER)
    mlflow.set_experiment("another")
    if harm is not gone_model:
        make("better", 2)
    harm(mlflow.MlflowClient(), run_id)
    if harm is gone_model:
        make("better", 2)
    return mlgate("shapes", run="better", soft=True, **BETTER, **options).result


@pytest.mark.parametrize(("harm", "said"), CASES)
def test_a_champion_that_was_lost_is_said_and_done_without_only_when_asked(
    make: Version, harm: Callable[[Any, str], None], said: str
) -> None:
    refused = judged(make, harm)
    assert not refused.passed
    assert re.search(said, refused.rows[-1].why), refused.rows[-1].why
    assert refused.rows[-1].why.endswith("; --without-champion judges without it")
    without = mlgate("shapes", run="better", soft=True, without_champion=True, **BETTER).result
    assert without.passed
    assert without.rows[-1].why.startswith("judged without a champion: ")
    assert re.search(said.partition(";")[0], without.rows[-1].why)
    assert without.comparison is None


def test_whoever_goes_on_without_it_has_a_champion_again(make: Version, store: str) -> None:
    judged(make, gone_version)
    found = mlgate("shapes", run="better", promote=True, without_champion=True, **BETTER)
    assert "Version 2 is the champion." in repr(found)
    make("third", 30)
    assert not mlgate("shapes", soft=True, without_champion=True, **BETTER).result.passed


@pytest.mark.parametrize("harm", [deleted_run, deleted_experiment])
def test_what_is_deleted_and_can_still_be_read_is_compared(
    make: Version, harm: Callable[[Any, str], None]
) -> None:
    found = judged(make, harm)
    assert found.passed
    assert found.comparison.champion.startswith("shapes version 1")


@pytest.mark.parametrize("without", [False, True])
def test_a_champion_whose_table_is_gone_is_never_passed_by(make: Version, without: bool) -> None:
    found = judged(make, gone_table, without_champion=without)
    assert not found.passed
    assert "has no table" in found.rows[-1].why


def test_an_alias_that_was_moved_by_hand_is_compared_with_and_said(make: Version) -> None:
    found = judged(make, by_hand)
    assert found.comparison.champion.startswith("shapes version 3")
    assert "and version 3 was made champion by hand since" in found.rows[-1].why


def test_a_champion_in_the_archive_is_compared_with_and_said(make: Version) -> None:
    found = judged(
        make, lambda client, _: client.transition_model_version_stage("shapes", "1", "Archived")
    )
    assert found.comparison.champion.startswith("shapes version 1")
    assert "the champion, version 1, is in the stage Archived" in found.rows[-1].why


def test_a_model_that_never_had_one_passes(make: Version) -> None:
    make("first", 30)
    assert mlgate("shapes", soft=True, **BETTER).result.rows[-1].why == "no champion yet"


@pytest.mark.parametrize(
    ("deleted", "said"),
    [((), ""), (("1",), "version 1 was deleted"), (("1", "2"), "versions 1, 2 were deleted")],
)
def test_of_versions_that_left_nothing_it_is_said_that_they_were(
    make: Version, deleted: tuple[str, ...], said: str
) -> None:
    """As a release that left no note on the model and the run promoted it, or did not."""
    client = mlflow.MlflowClient()
    first = make("first", 30)
    mlgate("shapes", require=["test/top1_acc >= 0.85"], promote=bool(deleted), **BETTER)
    unlabelled(client, first)
    for number in ("2", "3"):
        client.create_model_version("shapes", "s3://nowhere/model", await_creation_for=0)
        assert client.get_model_version("shapes", number)
    for number in deleted:
        client.delete_model_version("shapes", number)
    make("better", 2)
    row = mlgate("shapes", run="better", soft=True, **BETTER).result.rows[-1]
    assert row.passed
    assert row.why.startswith("no champion yet")
    assert said in row.why
    assert ("is not known" in row.why) == bool(deleted)


def test_the_checklist_says_it_too(make: Version) -> None:
    judged(make, gone_version)
    item = next(item for item in mlcheck("shapes").result.items if item.key == "champion")
    assert item.passed is False
    assert "was deleted since" in item.found


def answer(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("an answer", response=response)


def aws(status: int) -> Exception:
    error = Exception("An error occurred (AccessDenied) when calling the GetObject operation")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": status}}  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (PermissionError(13, "Permission denied"), True),
        (FileNotFoundError(2, "No such file"), True),
        (MlflowException("gone", RESOURCE_DOES_NOT_EXIST), True),
        (MlflowException("no", PERMISSION_DENIED), True),
        (answer(403), True),
        (answer(404), True),
        (aws(403), True),
        (aws(503), False),
        (answer(500), False),
        (answer(429), False),
        (ConnectionResetError(104, "reset"), False),
        (TimeoutError("slow"), False),
        (MlflowException("busy", INTERNAL_ERROR), False),
    ],
)
def test_what_may_pass_is_no_loss(error: Exception, lost: bool) -> None:
    assert is_lost(error) is lost
