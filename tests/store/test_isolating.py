"""What a store never takes is set aside, and the rest goes on; its own trouble is waited for."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics.records import Artifact, Call, Param, Refused, Tag
from cvtrack_magics.store.client import quietly
from cvtrack_magics.store.isolating import TRIES, Doubts, RunNotThere
from cvtrack_magics.store.writer import FilesHeld, end_run, write, write_points
from tests.store_views import artifact_names, points

Point = tuple[str, float, int, int]


class _NoSleep:
    """The time module, in which MLflow waits for nothing before it tries once more."""

    sleep = staticmethod(lambda seconds: None)

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.tracking import sqlalchemy_store

    monkeypatch.setattr(sqlalchemy_store, "time", _NoSleep())


@pytest.fixture
def client(store: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(store)


@pytest.fixture
def run(client: mlflow.MlflowClient) -> mlflow.entities.Run:
    return client.create_run("0")


@contextmanager
def database(store: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(store.removeprefix("sqlite:///"))
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def refuse(store: str, table: str, condition: str) -> None:
    """Let the database refuse some rows, as a check of its owner's would."""
    with database(store) as connection:
        connection.execute(
            f"create trigger no_{table} before insert on {table} when {condition} "
            "begin select raise(abort, 'not these'); end"
        )


def some(count: int = 40) -> list[Point]:
    return [("loss" if i % 2 else "acc", float(i), 1000 + i, i) for i in range(count)]


@pytest.mark.parametrize(
    ("condition", "bad"),
    [
        ("new.key = 'loss' and new.step = 7", {7}),
        ("new.step in (0, 39)", {0, 39}),
        ("new.step % 10 = 3", {3, 13, 23, 33}),
        ("new.key = 'acc'", set(range(0, 40, 2))),
        ("new.value > 36.5", {37, 38, 39}),
        ("new.step between 10 and 12", {10, 11, 12}),
        ("new.step = 0", {0}),
        ("new.step = 39", {39}),
        ("new.timestamp < 1002", {0, 1}),
        ("new.key = 'loss' and new.step > 20", set(range(21, 40, 2))),
    ],
)
def test_points_that_are_refused_are_found_and_the_others_arrive(
    store: str,
    client: mlflow.MlflowClient,
    run: mlflow.entities.Run,
    condition: str,
    bad: set[int],
) -> None:
    refuse(store, "metrics", condition)
    with quietly():
        refused = write_points(client, run.info.run_id, some())
        end_run(client, run.info.run_id, "FINISHED", 5)
    assert {item.what["step"] for item in refused if isinstance(item, Refused)} == bad
    assert "not these" in refused[0].text
    there = points(store, run, "loss") + points(store, run, "acc")
    assert {step for step, _ in there} == set(range(40)) - bad
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_params_tags_and_calls_are_refused_one_by_one(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run
) -> None:
    refuse(store, "params", "new.value = 'p7'")
    records = [
        *(Param(f"p{i}", f"p{i}") for i in range(20)),
        *(Tag(f"t{i}", f"t{i}") for i in range(9)),
    ]
    with quietly():
        notices = write(client, run.info.run_id, [*records, Call("delete_tag", {"key": "t5"})])
        refuse(store, "tags", "new.value = 'late'")
        doubts, late = Doubts(), [Tag("x", "late"), Tag("y", "1")]
        for _ in range(TRIES - 1):
            with pytest.raises(mlflow.MlflowException):  # it may be the store's own trouble
                write(client, run.info.run_id, late, (), doubts)
        notices += write(client, run.info.run_id, late, (), doubts)
    kinds = [
        (item.what["kind"], item.what["name"]) for item in notices if isinstance(item, Refused)
    ]
    assert sorted(kinds) == [("param", "p7"), ("tag", "x")]
    data = client.get_run(run.info.run_id).data
    assert set(data.params) == {f"p{i}" for i in range(20)} - {"p7"}
    assert {f"t{i}" for i in range(9)} - {"t5"} == {k for k in data.tags if k[0] == "t"}


STATES = {
    "a table is away": "alter table metrics rename to elsewhere",
    "all rows are refused by a state": (
        "create trigger state before insert on metrics begin "
        "select raise(abort, 'FOREIGN') from nowhere; end"
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_the_databases_own_trouble_is_waited_for(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run, state: str
) -> None:
    with database(store) as connection:
        connection.execute(STATES[state])
    doubts = Doubts()
    for _ in range(TRIES + 2):
        with quietly(), pytest.raises(Exception):  # noqa: B017, PT011 (whatever the store raises)
            write_points(client, run.info.run_id, some(), doubts)
    with database(store) as connection:
        connection.execute(
            "alter table elsewhere rename to metrics"
            if "elsewhere" in STATES[state]
            else "drop trigger state"
        )
    assert write_points(client, run.info.run_id, some(), doubts) == []
    assert len(points(store, run, "loss")) == 20


def test_a_file_that_is_no_database_any_more_refuses_nothing(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run
) -> None:
    path = Path(store.removeprefix("sqlite:///"))
    whole = path.read_bytes()
    with sqlite3.connect(path) as connection:
        pages = connection.execute("select rootpage from sqlite_master where name='metrics'")
        page, size = pages.fetchone()[0], connection.execute("pragma page_size").fetchone()[0]
    connection.close()
    damaged = bytearray(whole)
    damaged[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(damaged)
    with quietly(), pytest.raises(Exception, match=r"malformed|corrupt"):
        write_points(client, run.info.run_id, some())


def test_what_the_store_stumbles_over_is_set_aside_when_it_alone_fails_again_and_again(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run
) -> None:
    write_points(client, run.info.run_id, [("loss", 1.0, 1, 1)])
    with database(store) as connection:  # what an older client left: a step in bytes
        connection.execute("update latest_metrics set step = x'0100000000000000'")
    doubts = Doubts()
    for _ in range(TRIES - 1):
        with quietly(), pytest.raises(Exception):  # noqa: B017, PT011
            write_points(client, run.info.run_id, some(8), doubts)
    assert len(points(store, run, "acc")) == 4
    with quietly():
        refused = write_points(client, run.info.run_id, some(8), doubts)
    assert {item.what["name"] for item in refused if isinstance(item, Refused)} == {"loss"}


@pytest.mark.parametrize("how", ["deleted", "gone"])
def test_a_run_that_is_away_is_no_refusal(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run, how: str
) -> None:
    run_id = run.info.run_id
    with database(store) as connection:
        if how == "deleted":
            connection.execute("update runs set lifecycle_stage = 'deleted'")
        else:
            connection.execute("update runs set run_uuid = 'x' || run_uuid")
    attempts = [
        lambda: write_points(client, run_id, some()),
        lambda: write(client, run_id, [Param("p", "1"), Tag("t", "2")]),
        lambda: write(client, run_id, [Call("delete_tag", {"key": "t"})]),
        lambda: end_run(client, run_id, "FINISHED", 5),
    ]
    for attempt in attempts:
        with quietly(), pytest.raises(RunNotThere, match=run_id) as seen:
            attempt()  # type: ignore[no-untyped-call]
        assert seen.value.answered
        assert "%mlsync" in str(seen.value)


def test_a_file_that_is_refused_is_named_and_the_others_are_uploaded(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run, tmp_path: Path
) -> None:
    folder = tmp_path / "waiting"
    (folder / "a").mkdir(parents=True)
    for name in ("a/1.txt", "a/2.txt", "3.txt"):
        (folder / name).write_text(name)
    client.log_text(run.info.run_id, "x", "seen.txt")

    class Fussy(mlflow.MlflowClient):
        def log_artifacts(self, *_: object) -> None:
            raise OSError(36, "File name too long")

        def log_artifact(self, run_id: str, path: str, at: str | None = None) -> None:
            if path.endswith("2.txt"):
                raise OSError(36, "File name too long")
            super().log_artifact(run_id, path, at)

    notices = write(Fussy(store), run.info.run_id, [], [folder])
    assert [item.what["name"] for item in notices if isinstance(item, Refused)] == ["a/2.txt"]
    assert artifact_names(store, run) == {"seen.txt", "a/1.txt", "3.txt"}


def test_a_store_that_takes_no_files_now_is_waited_for(
    store: str, client: mlflow.MlflowClient, run: mlflow.entities.Run
) -> None:
    place = Path(run.info.artifact_uri.removeprefix("file://"))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file where the folder should be")
    with pytest.raises(FilesHeld), quietly():
        write(client, run.info.run_id, [Param("p", "1"), Artifact("a.txt", "x")])
    assert client.get_run(run.info.run_id).data.params == {"p": "1"}
