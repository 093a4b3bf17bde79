"""Small trainings that are killed at a step and go on: each in a process of its own.

``python -m tests.run.checkpoint.training`` runs those of each line that it reads: JSON, with a list
of dicts with ``folder``, ``shape``, ``resume`` and the step to be killed at. The interpreter is
warm: each training is a fork of it, which has opened nothing yet.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
PRELOADED = (
    "mlflow.store.tracking.sqlalchemy_store",
    "torch.utils.data",
    "torchdata.stateful_dataloader",
    "cvtrack_magics.commands.mlrun",
)


@dataclass(frozen=True)
class Job:
    """One process: what is trained, whether it goes on, and where it ends.

    ``kill`` is the step in which ``sent`` comes, after its points were logged; with ``kept`` not
    before a checkpoint is on disk, which another thread writes.
    """

    folder: str
    shape: str
    resume: bool = False
    kill: int = -1
    sent: str = "SIGKILL"
    options: str = "{}"
    kept: bool = False


def run(jobs: list[Job]) -> list[dict[str, Any]]:
    """Run jobs one after the other; return what each one said: exit code and output."""
    wanted = {"jobs": [asdict(job) for job in jobs], "environment": dict(os.environ)}
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        print(json.dumps(wanted), file=parent.stdin, flush=True)
        line = parent.stdout.readline()
        found: list[dict[str, Any]] = json.loads(line)
    except BaseException:  # the next one must not be told what these jobs said
        parent.kill()
        _parent.cache_clear()
        raise
    return found


@functools.cache
def _parent() -> subprocess.Popen[str]:
    """Start the interpreter whose forks the trainings are; it ends with this process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "CVTRACK_"))}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        env={**environment, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    """Run the jobs of each line until there are no more lines."""
    _warm()
    for line in sys.stdin:
        wanted = json.loads(line)
        said = [_in_a_fork(Job(**job), wanted["environment"]) for job in wanted["jobs"]]
        print(json.dumps(said), flush=True)


def _warm() -> None:
    """Import what a training imports, once for all forks; most of it comes with an optimizer."""
    import torch

    torch.set_num_threads(1)
    torch.optim.AdamW(torch.nn.Linear(2, 2).parameters()).step()
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else each fork copies all memory when it looks for garbage


def _in_a_fork(job: Job, environment: dict[str, str]) -> dict[str, Any]:
    out = Path(job.folder) / "out.txt"
    pid = os.fork()
    if not pid:
        os.environ.clear()
        os.environ.update(environment)
        with _at(job.folder), out.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            code = 1
            try:
                train(job)
                code = 0
            finally:
                sys.stdout.flush()
                if code:
                    import traceback

                    traceback.print_exc()
                os._exit(code)
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "out": out.read_text()}


@contextmanager
def _at(folder: str) -> Iterator[None]:
    os.chdir(folder)
    os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path(folder) / 'mlflow.db'}"
    yield


def train(job: Job) -> None:
    """Train, and be killed where the job says."""
    import torch

    from cvtrack_magics import mlrun
    from cvtrack_magics.run.current import get_session

    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    training = Training(job)
    options = json.loads(job.options)
    params = {"lr": options.get("lr", 0.01)}
    with mlrun("t", resume=job.resume, params=params, code=False, output=False) as run:
        getattr(training, f"run_{job.shape}")()
        for line in run._scope.notices:
            print("notice:", line)
    get_session().stop()


class Data:
    """Fifty pictures' worth of numbers, each loaded with noise of all three generators."""

    def __len__(self) -> int:
        return 50

    def __getitem__(self, at: int) -> Any:
        import torch

        own = torch.Generator().manual_seed(at)
        noise = 0.1 * torch.randn(8) + 0.01 * np.random.rand() + 0.01 * random.random()
        x = torch.randn(8, generator=own) + noise
        return x, x.sum()


class Training:
    """One network, and a loop of each shape."""

    def __init__(self, job: Job) -> None:
        import torch

        self.job = job
        self.options = {"every": 5, "keep": 3, "lr": 0.01, "scale": 1.0, **json.loads(job.options)}
        self.model = torch.nn.Sequential(
            torch.nn.Linear(8, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.options["lr"])
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.05, 60)

    def checkpoint(self, loader: Any = None, **others: Any) -> Any:
        """Make the checkpoint under test."""
        from cvtrack_magics import checkpoint

        found = checkpoint(
            model=self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            loader=loader,
            every=self.options["every"],
            keep=self.options["keep"],
            **others,
        )
        print("from", found.next_step)
        return found

    def step(self, x: Any, y: Any) -> float:
        """Do one step of the training; return its loss."""
        loss = ((self.model(x)[:, 0] - y) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return float(loss.detach())

    def comes(self, step: int) -> None:
        """Send the signal if it comes in this step."""
        if step == self.job.kill:
            until = time.monotonic() + 60
            while self.job.kept and not self._has_kept() and time.monotonic() < until:
                time.sleep(0.01)
            sys.stdout.flush()
            os.kill(os.getpid(), getattr(signal, self.job.sent))

    def _has_kept(self) -> bool:
        return any(Path(self.job.folder).rglob("checkpoints/*/*.pt"))

    def loader(self, **options: Any) -> Any:
        """Make a loader of seven batches."""
        import torch

        return torch.utils.data.DataLoader(Data(), batch_size=8, shuffle=True, **options)

    def run_epochs(self, loader: Any = None, **others: Any) -> None:
        """Go through passes with a validation behind each."""
        import torch

        from cvtrack_magics import log

        ckpt = self.checkpoint(loader or self.loader(), **others)
        for epoch in ckpt.epochs(4):
            for step, (x, y) in ckpt.steps():
                log({"train/loss": self.step(x, y) * self.options["scale"]})
                log({"lr": self.scheduler.get_last_lr()[0]}, step=step)
                log(x=torch.tensor(float(x.sum())))
                self.comes(step)
            with torch.no_grad():
                value = float(self.model(torch.ones(1, 8)))
            log({"val/loss": value + random.random() + np.random.rand()})
            log({"val/epoch": float(epoch)}, step=epoch)

    def run_generator(self) -> None:
        """Let the loader draw from a generator of its own."""
        import torch

        self.run_epochs(self.loader(generator=torch.Generator().manual_seed(1)))

    def run_workers(self) -> None:
        """Load in two processes."""
        self.run_epochs(self.loader(num_workers=2))

    def run_stateful(self) -> None:
        """Let torchdata's loader keep its place."""
        from torchdata.stateful_dataloader import StatefulDataLoader

        self.run_epochs(StatefulDataLoader(Data(), batch_size=8, shuffle=True))

    def run_track(self) -> None:
        """Log nothing in the steps, and by the loop around them."""
        from cvtrack_magics import log, track

        ckpt = self.checkpoint(self.loader())
        for epoch in track(ckpt.epochs(4), "epoch"):
            total = 0.0
            for step, (x, y) in ckpt.steps():
                total += self.step(x, y)
                ckpt.state["seen"] = ckpt.state.get("seen", 0) + len(x)
                self.comes(step)
            log({"val/loss": total * 0 + ckpt.state["seen"] + random.random()})
            log({"val/epoch": float(epoch)})

    def run_flat(self) -> None:
        """Go through one pass; the loader is given to it."""
        from cvtrack_magics import log

        ckpt = self.checkpoint()
        for step, (x, y) in ckpt.steps(self.loader()):
            log(loss=self.step(x, y))
            self.comes(step)

    def run_own(self) -> None:
        """Count the steps of a loop of its own, and draw from generators of its own."""
        import torch

        from cvtrack_magics import log, track

        draws = {"np": np.random.default_rng(1), "py": random.Random(2)}
        mine = torch.Generator().manual_seed(4)
        ckpt = self.checkpoint(np_draws=draws["np"], py_draws=draws["py"], mine=mine)
        for step in track(range(ckpt.next_step, 28), "step"):
            noise = draws["np"].random() + draws["py"].random()
            x = torch.randn(8, 8, generator=mine) + noise
            log({"loss": self.step(x, x.sum(1))})
            log({"noise": noise, "step": float(step)}, step=step)
            self.comes(step)
            ckpt.step()


def store_of(folder: str) -> str:
    """Return the store of a job's folder."""
    return f"sqlite:///{folder}/mlflow.db"


def points(folder: str) -> dict[str, list[tuple[int, float]]]:
    """Return all points of the one run, in order of step; of what it used, none."""
    import mlflow

    client = mlflow.MlflowClient(store_of(folder))
    (found,) = client.search_runs(["0"])
    return {
        name: sorted((p.step, p.value) for p in client.get_metric_history(found.info.run_id, name))
        for name in found.data.metrics
        if not name.startswith(("system/", "resources/", "total_"))
    }


def killed_and_resumed(job: Job) -> list[Job]:
    """Return the jobs of a training that is cut off and goes on."""
    return [job, replace(job, resume=True, kill=-1)]


if __name__ == "__main__":
    main()
