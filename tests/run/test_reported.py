"""What libraries report of their own training is in the run, once, and given back at the end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import adapters
from tests.store_views import points, runs_of


@pytest.fixture(autouse=True)
def _given_back() -> Any:
    yield
    adapters.leave()


def fit(logger: Any, folder: Path, *, fails: bool = False) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    import torch
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    class Model(LightningModule):
        def __init__(self, lr: float = 0.25) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            self.log("train_loss", float(index))
            if fails and index:
                raise ValueError("too bad")
            return self.layer(batch[0]).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), self.hparams.lr)

    Trainer(
        max_epochs=2,
        logger=logger,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator="cpu",
        default_root_dir=folder,
    ).fit(Model(), DataLoader(TensorDataset(torch.ones(8, 4)), batch_size=4))


LOSS = [(0, 0.0), (1, 1.0), (2, 0.0), (3, 1.0)]


def test_lightning_with_its_own_logger_with_none_and_with_mlflows(
    store: str, tmp_path: Path
) -> None:
    from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger

    def mlflows() -> Any:
        return MLFlowLogger(tracking_uri=mlflow.get_tracking_uri())

    loggers = {
        "csv": lambda: CSVLogger(tmp_path / "csv"),
        "none": lambda: False,
        "board": lambda: TensorBoardLogger(tmp_path / "board"),
        "mlflow": mlflows,
    }
    for name, make in loggers.items():
        with mlrun(name):
            fit(make(), tmp_path)
    with mlrun("left", auto=False):
        fit(CSVLogger(tmp_path / "left"), tmp_path)
    with mlrun("two"):
        fit(mlflows(), tmp_path)
        fit(mlflows(), tmp_path)
    with pytest.raises(ValueError, match="too bad"), mlrun("fails"):
        fit(loggers["csv"](), tmp_path, fails=True)
    found = runs_of(store)
    assert points(store, found["fails"], "train_loss") == LOSS[:1]
    assert found["fails"].data.params["lr"] == "0.25"
    assert found["fails"].info.status == "FAILED"
    for name in loggers:
        assert points(store, found[name], "train_loss") == LOSS, name
        assert found[name].data.params["lr"] == "0.25", name
        assert not [key for key in found[name].data.metrics if key.startswith("tensorboard/")]
        assert found[name].info.status == "FINISHED"
    assert "train_loss" not in found["left"].data.metrics
    children = [
        run
        for run in found.values()
        if run.data.tags.get("mlflow.parentRunId") == found["two"].info.run_id
    ]
    assert len(children) == 1
    assert len(found) == len(loggers) + 4
    assert points(store, children[0], "train_loss") == LOSS
    assert points(store, found["two"], "train_loss") == LOSS


def test_the_postfix_of_a_bar_where_nothing_is_logged(store: str) -> None:
    from tqdm import tqdm

    for name in ("shown", "logs"):
        with mlrun(name):
            for _epoch in range(2):
                bar = tqdm(range(1000))
                for step in bar:
                    if step % 2 == 0:
                        bar.set_postfix(loss=step / 4, note="x")
                        if name == "logs":
                            log({"loss": step / 4})
    found = runs_of(store)
    steps, values = zip(*points(store, found["shown"], "tqdm/loss"), strict=True)
    assert list(steps) == [*range(0, 500, 5), 499, *range(500, 1000, 5), 999]
    assert values == tuple(step % 500 / 2 for step in steps)
    assert not [key for key in found["shown"].data.metrics if key.startswith("printed/")]
    assert not [key for key in found["logs"].data.metrics if key.startswith("tqdm/")]
