"""A SummaryWriter in a run: what it is given arrives in the store, and in its files as before."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import adapters
from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, points, runs_of


@pytest.fixture(autouse=True)
def _given_back() -> Any:
    yield
    adapters.leave()


def history(store: str, run: Any, key: str) -> list[tuple[int, float, int]]:
    found = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, key)
    return [(one.step, one.value, one.timestamp) for one in found]


def test_scalars_with_their_steps_and_times(store: str, tmp_path: Path) -> None:
    with mlrun("a"), SummaryWriter(tmp_path / "tb") as writer:
        for step in range(5):
            writer.add_scalar("val/loss", torch.tensor(1 / (step + 1)), step)
        writer.add_scalar("timed", 2.5, 7, walltime=1_700_000_000.25)
        writer.add_scalars("both", {"a": 1.0, "b": np.float32(2.0)}, 3)
        writer.add_scalar("no step", 4)
    run = runs_of(store)["a"]
    values = [float(np.float32(1 / (step + 1))) for step in range(5)]
    assert points(store, run, "tensorboard/val/loss") == list(enumerate(values))
    assert history(store, run, "tensorboard/timed") == [(7, 2.5, 1_700_000_000_250)]
    assert points(store, run, "tensorboard/both/a") == [(3, 1.0)]
    assert points(store, run, "tensorboard/both/b") == [(3, 2.0)]
    assert points(store, run, "tensorboard/no step") == [(0, 4.0)]


def test_the_writers_own_files_are_as_without_us(store: str, tmp_path: Path) -> None:
    def write(folder: Path) -> list[tuple[int, float]]:
        with SummaryWriter(folder) as writer:
            for step in range(4):
                writer.add_scalar("loss", step / 3, step)
        events = EventAccumulator(str(folder)).Reload()
        return [(one.step, one.value) for one in events.Scalars("loss")]

    before = write(tmp_path / "before")
    with mlrun("a"):
        assert write(tmp_path / "in") == before
    assert write(tmp_path / "after") == before
    assert len(points(store, runs_of(store)["a"], "tensorboard/loss")) == 4


def test_images_figures_histograms_texts_and_hparams(store: str, tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    image = torch.zeros(3, 9, 11)
    image[0] = 1.0
    with mlrun("a", figures=False), SummaryWriter(tmp_path / "tb") as writer:
        writer.add_image("samples/red", image, 2)
        writer.add_image("grey", np.full((9, 11), 128, np.uint8), 0, dataformats="HW")
        writer.add_images("batch", torch.rand(4, 3, 9, 11), 1)
        figure = plt.figure()
        plt.plot([1, 2])
        writer.add_figure("curve", figure, 1)
        writer.add_histogram("weights", torch.tensor([1.0, 2.0, 6.0]), 5)
        writer.add_text("note", "**bold** <script>", 0)
        writer.add_hparams({"lr": 0.1, "bs": 32}, {"hp/acc": 0.5})
    run = runs_of(store)["a"]
    names = artifact_names(store, run)
    assert {
        "tensorboard/samples/red/step-000002.png",
        "tensorboard/grey/step-000000.png",
        "tensorboard/batch/step-000001.png",
        "tensorboard/curve/step-000001.png",
        "tensorboard/note/step-000000.md",
    } <= names
    path = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id,
        artifact_path="tensorboard/samples/red/step-000002.png",
        tracking_uri=store,
    )
    with Image.open(io.BytesIO(Path(path).read_bytes())) as kept:
        assert kept.size == (11, 9)
        assert kept.convert("RGB").getpixel((5, 5)) == (255, 0, 0)
    assert artifact(store, run, "tensorboard/note/step-000000.md") == "**bold** <script>"
    assert points(store, run, "tensorboard/weights/min") == [(5, 1.0)]
    assert points(store, run, "tensorboard/weights/mean") == [(5, 3.0)]
    assert points(store, run, "tensorboard/weights/max") == [(5, 6.0)]
    assert run.data.params["lr"] == "0.1"
    assert run.data.params["bs"] == "32"
    assert run.data.metrics["tensorboard/hp/acc"] == 0.5


def test_it_can_be_left_out_and_is_left_where_no_run_is_open(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mlrun("a", auto=False), SummaryWriter(tmp_path / "tb") as writer:
        writer.add_scalar("loss", 1.0, 0)
    with mlrun("b"):
        log({"x": 1.0})
    with SummaryWriter(tmp_path / "tb") as writer:
        writer.add_scalar("loss", 1.0, 0)
    assert "no run open" not in capsys.readouterr().err
    for run in runs_of(store).values():
        assert not [key for key in run.data.metrics if key.startswith("tensorboard/")]


def test_an_error_is_the_writers_own_and_ours_is_a_line(store: str, tmp_path: Path) -> None:
    with mlrun("a"), SummaryWriter(tmp_path / "tb") as writer:
        with pytest.raises(Exception) as found:  # noqa: PT011
            writer.add_scalar("loss", object(), 0)
        assert "cvtrack" not in str(found.value)
        writer.add_scalar("loss", 0.5, 0)
        with pytest.raises(AttributeError):
            writer.add_text("note", 7, 0)  # type: ignore[arg-type]
    run = runs_of(store)["a"]
    assert points(store, run, "tensorboard/loss") == [(0, 0.5)]
    assert run.info.status == "FINISHED"


def test_what_mlflows_autologging_takes_up_is_not_taken_twice(store: str, tmp_path: Path) -> None:
    mlflow.pytorch.autolog(log_models=False, log_every_n_step=1)
    try:
        with mlrun("a"), SummaryWriter(tmp_path / "tb") as writer:
            writer.add_scalar("loss", 0.5, 0)
    finally:
        mlflow.pytorch.autolog(disable=True)
    run = runs_of(store)["a"]
    assert not [key for key in run.data.metrics if key.startswith("tensorboard/")]


def test_a_cell_that_imports_the_writer_itself(
    shell: Shell, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    shell.run(
        "%%mlrun a\nfrom torch.utils.tensorboard import SummaryWriter\n"
        f"w = SummaryWriter({str(tmp_path / 'tb')!r})\n"
        "for i in range(3): w.add_scalar('loss', i, i)\nw.close()"
    )
    assert points(store, runs_of(store)["a"], "tensorboard/loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_the_extension_gives_the_writer_back(shell: Shell, store: str) -> None:
    plain = SummaryWriter.add_scalar
    shell.run("%%mlrun a\npass")
    assert SummaryWriter.add_scalar is not plain
    shell.ip.extension_manager.unload_extension("cvtrack_magics")
    assert SummaryWriter.add_scalar is plain
