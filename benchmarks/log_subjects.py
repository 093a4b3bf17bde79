"""The trackers that are measured: how each is opened, logs a step, is closed and read.

Each logs as its manual says, with its defaults, offline. Imports stand where they are
used, because their memory and time belong to the tracker.
"""

# ruff: noqa: ARG002 (they share one signature)
from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.log_files import read_events, read_wandb
from benchmarks.log_points import KEYS, Points, values

Log = Callable[[int], object]
BATCH_STEPS = 250  # MLflow takes at most 1,000 metrics in one call


class Nothing:
    """The loop alone, with the values made: what every row contains."""

    label = "nothing"
    module = ""

    def open(self, home: Path) -> Log:
        """Open a run and return the function that logs one step."""
        return _nothing

    def close(self) -> None:
        """End the run; what waits is written."""

    def read(self, home: Path, since_ms: int) -> Points:
        """Read what is stored, in any process."""
        return {}

    def count(self, home: Path, since_ms: int) -> int:
        """Count what is stored, as cheaply as can be."""
        return len(self.read(home, since_ms))


class OnMlflow(Nothing):
    """What ends in an MLflow store; read from its database, the server's too."""

    module = "mlflow"
    _WHERE = (
        f"key IN {KEYS} AND run_uuid IN (SELECT run_uuid FROM runs WHERE start_time >= {{since}})"
    )

    def _ask(self, what: str, since_ms: int) -> list[Any]:
        where = self._WHERE.format(since=int(since_ms))
        # A killed writer's journal is rolled back by the first reader, who must write for it.
        uri = f"file:{os.environ['BENCH_DATABASE']}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
            return database.execute(f"SELECT {what} FROM metrics WHERE {where}").fetchall()

    def read(self, home: Path, since_ms: int) -> Points:
        """Read the points of the runs that began after a time."""
        rows = self._ask("key, step, value", since_ms)
        points = {(key, step): value for key, step, value in rows}
        assert len(points) == len(rows), "points are there twice"
        return points

    def count(self, home: Path, since_ms: int) -> int:
        """Count them in the database."""
        return int(self._ask("count(*)", since_ms)[0][0])


class Ours(OnMlflow):
    """The package, as a script uses it."""

    label = "cvtrack_magics"

    def open(self, home: Path) -> Log:
        """Open a run without the captures that are measured elsewhere."""
        from cvtrack_magics import log, mlrun

        # what surrounds a process is gathered once; the bar is for the runs after its first
        with mlrun("warm-up", code=False, output=False, figures=False):
            pass
        self._run = mlrun("bench", code=False, output=False, figures=False)
        return lambda step: log(values(step), step=step)

    def close(self) -> None:
        """End the run."""
        self._run.end()


class OursThread(Ours):
    """The package where no process beside the kernel may be."""

    label = "cvtrack_magics, sender = 'thread'"

    def open(self, home: Path) -> Log:
        """Open a run that a thread of this process sends."""
        os.environ["CVTRACK_SENDER"] = "thread"
        return super().open(home)


class Mlflow(OnMlflow):
    """``mlflow.log_metrics``, one call a step."""

    label = "MLflow"
    synchronous = True

    def open(self, home: Path) -> Log:
        """Start a run."""
        import mlflow

        mlflow.start_run()
        waits = self.synchronous
        return lambda step: mlflow.log_metrics(values(step), step=step, synchronous=waits)

    def close(self) -> None:
        """Wait for what is queued and end the run."""
        import mlflow

        if not self.synchronous:
            mlflow.flush_async_logging()
        mlflow.end_run()


class MlflowAsync(Mlflow):
    """``mlflow.log_metrics(synchronous=False)``."""

    label = "MLflow, async"
    synchronous = False


class MlflowBatch(OnMlflow):
    """``MlflowClient.log_batch`` with 1,000 points a call, as a careful user writes it."""

    label = "MLflow, log_batch(1000)"

    def open(self, home: Path) -> Log:
        """Start a run and an empty batch."""
        import time

        from mlflow import MlflowClient
        from mlflow.entities import Metric

        self._client = MlflowClient()
        self._run_id = self._client.create_run("0").info.run_id
        self._batch: list[Metric] = []

        def log(step: int) -> None:
            now = time.time_ns() // 1_000_000
            self._batch += [Metric(k, v, now, step) for k, v in values(step).items()]
            if len(self._batch) >= BATCH_STEPS * len(KEYS):
                self._send()

        return log

    def _send(self) -> None:
        self._client.log_batch(self._run_id, metrics=self._batch)
        self._batch.clear()

    def close(self) -> None:
        """Send the rest and end the run."""
        if self._batch:
            self._send()
        self._client.set_terminated(self._run_id)


class Wandb(Nothing):
    """W&B, offline."""

    label = "W&B, offline"
    module = "wandb"

    def open(self, home: Path) -> Log:
        """Start a run."""
        import wandb

        self._run = wandb.init(project="bench", name="bench", mode="offline", dir=str(home))
        run = self._run
        return lambda step: run.log(values(step), step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()

    def read(self, home: Path, since_ms: int) -> Points:
        """Read the records kept for a later ``wandb sync``."""
        return read_wandb(home)


class TensorBoard(Nothing):
    """torch's SummaryWriter."""

    label = "TensorBoard"
    module = "tensorboard"

    def open(self, home: Path) -> Log:
        """Open an event file."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = writer = SummaryWriter(str(home / "events"))

        def log(step: int) -> None:
            for key, value in values(step).items():
                writer.add_scalar(key, value, step)

        return log

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()

    def read(self, home: Path, since_ms: int) -> Points:
        """Read the event file."""
        return read_events(home)


class Trackio(Nothing):
    """trackio, local."""

    label = "trackio"
    module = "trackio"

    def open(self, home: Path) -> Log:
        """Start a run."""
        import trackio

        trackio.init(project="bench", name="bench")
        return lambda step: trackio.log(values(step), step=step)

    def close(self) -> None:
        """End the run."""
        import trackio

        trackio.finish()

    def read(self, home: Path, since_ms: int) -> Points:
        """Read its database; trackio keeps one row a step."""
        import json

        path = home / "trackio" / "bench.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)) as database:
            if not database.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'metrics'"
            ).fetchall():
                return {}  # it is just being made
            rows = database.execute("SELECT step, metrics FROM metrics").fetchall()
        return {(k, step): v for step, row in rows for k, v in json.loads(row).items() if k in KEYS}


def _nothing(step: int) -> None:
    values(step)


SUBJECTS: dict[str, type[Nothing]] = {
    "nothing": Nothing,
    "ours": Ours,
    "ours-thread": OursThread,
    "mlflow": Mlflow,
    "mlflow-async": MlflowAsync,
    "mlflow-batch": MlflowBatch,
    "wandb": Wandb,
    "tensorboard": TensorBoard,
    "trackio": Trackio,
}
