"""A store that MLflow can use is not called broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store.probe import probe

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
