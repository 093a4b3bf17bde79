"""The model registry of a real store."""

from __future__ import annotations

import sqlite3
import threading
import time
import warnings
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics.errors import CvtrackError, StoreUnavailable, UsageProblem
from cvtrack_magics.store.registry import Registry, Version
from tests.conftest import Server, closed_uri
from tests.faults.proxy import Fault, Proxy


@pytest.fixture
def registry(store: str) -> Registry:
    """A registry with model ``m``, versions 1 … 3."""
    fill(store)
    return Registry(store, patience=5)


def fill(uri: str, name: str = "m", versions: int = 3) -> None:
    """Register a model."""
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, "s3://nowhere/model", await_creation_for=0)


def test_a_version_has_what_the_registry_knows(registry: Registry) -> None:
    registry.set_alias("m", "champion", "2")
    registry.set_tag("m", "colour", "blue", "2")
    registry.set_stage("m", "2", "Staging")
    registry.set_description("m", "2", "second try")
    version = registry.version("m", "2")
    assert version == Version(
        name="m",
        version="2",
        run_id="",
        stage="Staging",
        aliases=("champion",),
        tags={"colour": "blue"},
        description="second try",
        created=version.created,
        source="s3://nowhere/model",
    )
    assert abs(version.created / 1000 - time.time()) < 600
    assert registry.versions("m")[1] == version
    assert registry.by_alias("m", "champion") == version
    assert registry.by_alias("m", "nobody") is None
    assert registry.by_stage("m", "Staging") == [version]
    assert registry.by_stage("m", "Production") == []
    assert [v.version for v in registry.versions("m")] == ["1", "2", "3"]


def test_aliases_and_tags_come_and_go_twice(registry: Registry) -> None:
    for _ in range(2):
        registry.set_alias("m", "champion", "1")
        registry.set_tag("m", "k", "v")
        registry.set_tag("m", "k", "w", "1")
        assert (registry.aliases("m"), registry.tags("m")) == ({"champion": "1"}, {"k": "v"})
        assert registry.version("m", "1").tags == {"k": "w"}
    for _ in range(2):
        registry.delete_alias("m", "champion")
        registry.delete_tag("m", "k")
        registry.delete_tag("m", "k", "1")
        assert (registry.aliases("m"), registry.tags("m")) == ({}, {})
        assert registry.version("m", "1").tags == {}


def test_a_stage_moves_no_other_version_and_nobody_is_warned(registry: Registry) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.set_stage("m", "1", "Production")
        registry.set_stage("m", "2", "Production")
    assert [v.stage for v in registry.versions("m")] == ["Production", "Production", "None"]


def test_all_pages_of_versions_are_read(registry: Registry, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.executemany(
            "INSERT INTO model_versions (name, version, current_stage, status) "
            "VALUES ('m', ?, 'None', 'READY')",
            [(n,) for n in range(4, 2206)],
        )
        connection.commit()
    assert [v.version for v in registry.versions("m")] == [str(n) for n in range(1, 2206)]


@pytest.mark.parametrize("name", ["it's", "<img src=x onerror=alert(1)>", "a`b%_", "ü ж 雪", ".x"])
def test_odd_names_are_only_names(store: str, name: str) -> None:
    fill(store, name, versions=1)
    fill(store, "other", versions=1)
    registry = Registry(store)
    assert [v.name for v in registry.versions(name)] == [name]
    registry.set_alias(name, "champion", "1")
    assert registry.aliases(name) == {"champion": "1"}
    assert registry.aliases("other") == {}


@pytest.mark.parametrize(
    "name", ["../m", "a/b", "a:b", "a\\b", '" OR name != "', "", "..", " ", "a\nb", "x" * 300]
)
def test_what_cannot_be_a_name_is_one_line(registry: Registry, name: str) -> None:
    assert registry.versions(name) == []
    with pytest.raises(UsageProblem) as caught:
        registry.aliases(name)
    assert len(caught.value._render_traceback_()) == 1
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageProblem):
        registry.set_alias(name, "champion", "1")


def test_what_is_not_there_is_one_line(registry: Registry) -> None:
    assert registry.versions("nobody") == []
    with pytest.raises(UsageProblem, match="find the registered model 'nobody'"):
        registry.aliases("nobody")
    with pytest.raises(UsageProblem, match="find version 9 of 'm'"):
        registry.version("m", "9")
    for version in ("", "x", "1 OR 1", "-1", "9" * 30):
        with pytest.raises(UsageProblem, match="Versions are numbers"):
            registry.version("m", version)
    with pytest.raises(UsageProblem):
        registry.set_alias("m", "champion", "9")


def test_what_the_registry_refuses_is_said_at_once(registry: Registry) -> None:
    said = r"refused to let 'latest' stand for version 1 of 'm'"
    with pytest.raises(CvtrackError, match=said) as caught:
        registry.set_alias("m", "latest", "1")
    assert not isinstance(caught.value, StoreUnavailable)  # that comes after much trying
    with pytest.raises(CvtrackError, match="refused to move version 1"):
        registry.set_stage("m", "1", "Throne")


def test_a_locked_database_is_waited_for(registry: Registry, tmp_path: Path) -> None:
    registry.tags("m")
    lock = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(1.0, lock.rollback)
    timer.start()
    registry.set_alias("m", "champion", "1")
    timer.join()
    lock.close()
    assert registry.aliases("m") == {"champion": "1"}


def test_a_server_that_is_not_there_is_given_up() -> None:
    registry = Registry(closed_uri(), patience=0.5)
    with pytest.raises(StoreUnavailable, match="could not find the registered model 'm'"):
        registry.aliases("m")


@pytest.mark.server
def test_a_server_that_recovers_is_waited_for(server: Server) -> None:
    fill(server.uri)
    proxy = Proxy(server.port)
    registry = Registry(proxy.uri, patience=20)
    try:
        for n, kind in enumerate(("500", "503", "429", "cut", "torn", "half")):
            proxy.set(Fault(kind))
            timer = threading.Timer(0.6, proxy.set, [None])
            timer.start()
            registry.set_alias("m", f"a{n}", "1")
            timer.join()
            assert proxy.hits[kind] > 0
            assert registry.aliases("m")[f"a{n}"] == "1"
        proxy.set(Fault("503"))
        with pytest.raises(StoreUnavailable, match="could not tag 'm'"):
            Registry(proxy.uri, patience=0.5).set_tag("m", "k", "v")
    finally:
        proxy.close()
    assert Registry(server.uri).tags("m") == {}
    assert Registry(server.uri).version("m", "1").aliases == tuple(f"a{n}" for n in range(6))
