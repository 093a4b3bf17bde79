"""What a run says of what the store does not have yet is a sentence, whatever the store said."""

from __future__ import annotations

import mlflow
import pytest

from cvtrack_magics import log, mlrun

pytestmark = pytest.mark.usefixtures("script")


@pytest.mark.parametrize("points", [0, 1, 2])
def test_a_run_deleted_under_way_says_what_waits_and_what_sends_it(store: str, points: int) -> None:
    with mlrun("gone", output=False) as run:
        mlflow.MlflowClient(store).delete_run(run.run_id)
        for step in range(points):
            log(loss=0.5, step=step)
    (line,) = [one for one in run.summary.notices if "%mlsync sends them" in one]
    waits = {
        0: "The end of run 'gone' waits on disk; ",
        1: "1 point and the end of run 'gone' wait on disk; ",
        2: "2 points and the end of run 'gone' wait on disk; ",
    }
    assert f"{waits[points]}%mlsync sends them when that is mended." in line
