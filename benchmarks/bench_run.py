"""An empty ``%%mlrun`` cell beside the same records logged with MLflow in one batch."""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path

from benchmarks.rows import Row, in_turn


def rows(rounds: int = 15) -> list[Row]:
    """Time both on one sqlite store, after the first of each."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home / 'bench.db'}"
        os.environ["XDG_STATE_HOME"] = str(home / "state")
        before = Path.cwd()
        os.chdir(home)
        try:
            return [_empty_run(home, rounds)]
        finally:
            os.chdir(before)
            os.environ.pop("MLFLOW_TRACKING_URI")


def _empty_run(home: Path, rounds: int) -> Row:
    import mlflow
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "cvtrack_magics")

    names = count()

    def ours() -> None:
        with capture_output():
            shell.run_cell(f"%%mlrun empty-{next(names)}\npass", store_history=False)

    for _ in range(3):
        ours()
    run = mlflow.search_runs(output_format="list")[0]
    client = mlflow.MlflowClient()
    files = home / "same-files"
    client.download_artifacts(run.info.run_id, "", dst_path=str(_made(files)))
    params, tags, metrics = run.data.params, run.data.tags, run.data.metrics
    entities = mlflow.entities

    def peer() -> None:
        with mlflow.start_run(run_name="empty") as opened:
            run_id = opened.info.run_id
            client.log_batch(
                run_id,
                params=[entities.Param(k, v) for k, v in params.items()],
                tags=[entities.RunTag(k, v) for k, v in tags.items()],
                metrics=[entities.Metric(k, v, 0, 0) for k, v in metrics.items()],
            )
            client.log_artifacts(run_id, str(files))

    for _ in range(3):
        peer()
    mine, theirs = in_turn(ours, peer, rounds)
    return Row(
        "an empty %%mlrun, everything captured",
        mine,
        "the same records in one batch",
        theirs,
        "at most 1.5 times",
        mine <= 1.5 * theirs,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
