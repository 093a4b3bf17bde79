"""Every public call of MLflow's that has to do with a run has its line in the table."""

from __future__ import annotations

import inspect

import mlflow
import pytest

from cvtrack_magics.store.call_table import CLIENT, FLUENT
from cvtrack_magics.store.calls import Calls

HERE = "cvtrack_magics/store/call_table.py"


def _names_a_run(method: object) -> bool:
    return any("run" in name for name in inspect.signature(method).parameters)  # type: ignore[arg-type]


def test_every_method_of_the_client_that_names_a_run_is_in_the_table() -> None:
    public = {
        name: method
        for name, method in vars(mlflow.MlflowClient).items()
        if not name.startswith("_") and inspect.isfunction(method)
    }
    missing = sorted(name for name in public if _names_a_run(public[name]) and name not in CLIENT)
    assert not missing, f"say in {HERE} (_CLIENT) what becomes of {missing}"


def test_every_function_of_mlflow_for_the_active_run_is_in_the_table() -> None:
    found = {
        name
        for name in mlflow.__all__
        if inspect.isfunction(getattr(mlflow, name, None))
        and getattr(mlflow, name).__module__ == "mlflow.tracking.fluent"
    }
    missing = sorted(found - set(FLUENT))
    assert not missing, f"say in {HERE} (_FLUENT) what becomes of {missing}"


@pytest.mark.parametrize("name", sorted(CLIENT))
def test_what_the_table_says_is_done(name: str) -> None:
    ours = callable(getattr(Calls, name, None))
    assert ours == (CLIENT[name] in ("JOURNAL", "READ", "LIFE")), name
