"""A program that calls ``cvtrack``'s ``main`` has its runs as if it had not."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.cli import main
from cvtrack_magics.run import current
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")

LINES: dict[str, list[str]] = {
    "sync": ["sync"],
    "sync of other state": ["sync", "--state", "other-state"],
    "runs": ["runs"],
    "of another store": ["runs", "--store", "sqlite:///other.db"],
    "of another experiment": ["runs", "--experiment", "another"],
    "gate": ["gate", "no-such-model"],
}


@pytest.mark.parametrize("moment", ["before", "inside", "between"])
@pytest.mark.parametrize("line", LINES)
def test_a_line_in_a_process_with_runs_ends_none_and_loses_none(
    line: str, moment: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del capsys  # what is printed is not looked at here
    names = ["first", "second"] if moment == "between" else ["second"]
    if moment == "before":
        main(LINES[line])
    for name in names:
        with mlrun(name, output=False, code=False):
            log({"loss": 0.0}, step=0)
            if moment == "inside":
                main(LINES[line])
            log({"loss": 1.0}, step=1)
        if name == "first":
            main(LINES[line])
    assert mlflow.get_tracking_uri() == store
    found = runs_of(store)
    assert set(found) == set(names)
    for run in found.values():
        assert run.info.status == "FINISHED"
        assert run.info.experiment_id == "0"
        assert points(store, run, "loss") == [(0, 0.0), (1, 1.0)]


def test_a_session_that_was_there_is_not_ended(store: str) -> None:
    session = current.get_session()
    main(["runs", "--store", store])
    assert current.peek() is session


RUN = "# %%\n%%mlrun inner\nfrom cvtrack_magics import log\nlog(b=1.0)\nprint('é in')\n"
ERROR = "# %%\nprint('é in')\n1 / 0\n"


@pytest.mark.parametrize(
    ("moment", "source", "code"), [("inside", RUN, 0), ("between", RUN, 0), ("inside", ERROR, 1)]
)
def test_cells_are_run_apart_from_a_process_that_has_runs(
    moment: str,
    source: str,
    code: int,
    store: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "cells.py"
    file.write_text(source, encoding="utf-8")
    session = current.get_session()
    with mlrun("outer", output=False, code=False):
        log({"loss": 0.0}, step=0)
        if moment == "inside":
            assert main(["exec", str(file)]) == code
        log({"loss": 1.0}, step=1)
        mlflow.log_metric("plain", 1.0)
    if moment == "between":
        assert main(["exec", str(file)]) == code
    assert "é in" in capsys.readouterr().out
    assert current.peek() is session
    with mlrun("next", output=False, code=False):
        log(loss=0.0)
    found = runs_of(store)
    assert set(found) == {"outer", "next"} | ({"inner"} if source == RUN else set())
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert points(store, found["outer"], "loss") == [(0, 0.0), (1, 1.0)]
