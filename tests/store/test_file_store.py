"""A store that is a folder: what is said of it, and what is done where MLflow refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store.file_store import advice, folder_of, moving
from cvtrack_magics.store.probe import probe
from tests.conftest import Shell

HERE = Path("/work space/mlruns")


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("/work space/mlruns", HERE),
        ("file:///work%20space/mlruns", HERE),
        ("sqlite:////a/mlflow.db", None),
        ("http://127.0.0.1:5000", None),
        ("postgresql+psycopg2://a/b", None),
    ],
)
def test_which_stores_are_folders(
    uri: str, folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert folder_of(uri) == folder
    command = (
        "mlflow migrate-filestore --source '/work space/mlruns' "
        "--target 'sqlite:////work space/mlflow.db'"
    )
    assert moving(uri) == (command if folder else "")
    assert bool(advice(uri)) == bool(folder)


def test_where_mlflow_refuses_it_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    folder = tmp_path / "mlruns"
    with pytest.raises(StoreUnavailable) as found:
        probe(str(folder), 1.0)
    assert "migrate" not in found.value.hint  # there is nothing to be moved
    (folder / "0").mkdir(parents=True)
    with pytest.raises(StoreUnavailable) as found:
        probe(str(folder), 1.0)
    assert f"mlflow migrate-filestore --source {folder} --target" in found.value.hint
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    probe(str(folder), 1.0)


def test_it_is_said_once(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "runs"))
    said = [shell.run(f"%%mlrun {name} --no-code\npass") for name in "ab"]
    assert ["migrate-filestore" in one for one in said] == [True, False]
