"""A store that MLflow can use is not called broken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cvtrack_magics import log, mlrun
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.run import current
from cvtrack_magics.store.probe import probe
from tests.store_views import points, runs_of

NAMES = ["m.db", "with blank.db", "a#b.db", "50%.db", "é.db", "a&mode=ro.db"]


@pytest.mark.parametrize("slashes", ["sqlite:///", "sqlite:////", "sqlite://///"])
@pytest.mark.parametrize("name", NAMES)
def test_a_sqlite_file_by_any_name(
    tmp_path: Path, store_template: Path, slashes: str, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(store_template.read_bytes())
    uri = f"{slashes}{file}"
    MlflowClient(uri).search_experiments()
    probe(uri, 1.0)


def test_a_file_that_is_no_database_is_called_broken(tmp_path: Path) -> None:
    file = tmp_path / "a#b.db"
    file.write_text("no database at all, but long enough to be looked at " * 20)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        probe(f"sqlite:///{file}", 1.0)


LOCKS = {"EXCLUSIVE": True, "IMMEDIATE": False, "DEFERRED": False}


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_that_keeps_everybody_out_is_told_from_a_writer(store: str, kind: str) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as other:
        other.execute(f"BEGIN {kind}")
        if LOCKS[kind]:
            with pytest.raises(StoreUnavailable, match=r"holds the tracking database .* locked"):
                probe(store, 0.2)
        else:
            probe(store, 0.2)
        other.rollback()
    probe(store, 0.2)


def test_a_run_beside_a_lock_is_opened_on_disk_and_arrives(store: str, script: None) -> None:
    current.get_session().tracking.connect_timeout = 0.2
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with mlrun("beside", output=False):
            log({"loss": 1.0}, step=0)
            other.rollback()
    run = runs_of(store)["beside"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "loss") == [(0, 1.0)]
