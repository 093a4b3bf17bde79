"""``%mlgrid``, ``%mleval``, ``%mlcam``, ``%mlaugment`` as typed in a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics.commands.table import commands
from tests.store_views import artifact_names, runs_of

SETUP = """
import numpy as np
from tests.vision.examples import example, photos
made = example("classification", 6)
photos6 = photos()
"""
LOADER = """
import torch
class Net(torch.nn.Module):
    def forward(self, images):
        return torch.eye(2)[[0] * len(images)]
net = Net()
images = torch.rand(6, 3, 16, 16)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(images, torch.tensor([0, 1] * 3)), batch_size=4
)
"""


def test_a_grid_and_an_evaluation_in_a_run(shell: Any, store: str, tmp_path: Any) -> None:
    shell.run(SETUP)
    said = shell.run(
        "%%mlrun look\n%mleval made --prefix test\n%mlgrid made --sort loss --save g.html"
    )
    assert "classification: 6 samples. Recorded in run 'look' at step 0." in said
    assert "6 samples of classification, kept in run 'look'." in said
    assert "Written to g.html" in said
    assert (tmp_path / "g.html").exists()
    run = runs_of(store)["look"]
    assert "test/top1_acc" in run.data.metrics
    names = artifact_names(store, run)
    assert {"visualisations/predictions.html", "evaluation/test/confusion_matrix.png"} <= names
    again = shell.run("%mlgrid --run look --step 0")
    assert "6 samples of classification, kept in run 'look'." in again
    both = shell.run("%mlgrid example('classification', 6, seed=3) --compare look")
    assert "6 samples of classification, 2 frames." in both


def test_a_tuple_with_its_task(shell: Any) -> None:
    shell.run(SETUP)
    said = shell.run("%mleval (photos6, [0, 1] * 3, np.eye(2)[[0, 1] * 3]) --task classification")
    assert "top1_acc" in said
    assert "Not recorded, since no run is open" in said


def test_a_model_and_its_loader(shell: Any, store: str) -> None:
    shell.run(LOADER)
    said = shell.run("%%mlrun judged\n%mleval net loader --task classification --prefix test")
    assert "classification: 6 samples. Recorded in run 'judged' at step 0." in said
    assert runs_of(store)["judged"].data.metrics["test/top1_acc"] == 0.5
    assert "6 samples of classification" in shell.run("%mlgrid net loader --task classification")
    assert "Say which: --task" in shell.run("%mleval net loader")
    assert "A tuple goes in brackets" in shell.run("%mleval loader net --task classification")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "%mlgrid mad",
            "UsageError: %mlgrid: there is no 'mad' in this notebook. Did you mean 'made'?",
        ),
        ("%mlgrid made --srt loss", "%mlgrid has no option '--srt'. Did you mean '--sort'?"),
        ("%mlgrid made --sort los", "no score 'los' to sort by. Did you mean 'loss'?"),
        ("%mlgrid", "There is nothing to show"),
        ("%mleval made --task depth", "is no depth. → Leave out the task."),
        ("%mleval 3", "Expected Predictions, saw int."),
        ("%mleval made --iou 7", "iou=7.0 is not above 0 and up to 1."),
        ("%mleval made --level much", "%mleval: argument --level: invalid float value: 'much'"),
        ("%mlgrid --run nobody", "MLflow could not find the run 'nobody'"),
        (
            "%mlcam made photos6 --class cat",
            "There is no class 'cat'. Give --classes, or an index.",
        ),
        ("%mlaugment 3 photos6", "transform"),
    ],
)
def test_what_cannot_be_done_is_one_line(shell: Any, line: str, said: str) -> None:
    shell.run(SETUP)
    printed = shell.run(line).strip()
    assert said in printed
    assert len(printed.splitlines()) == 1, printed


def test_where_a_model_looks_and_what_it_is_fed(shell: Any, store: str) -> None:
    shell.run(SETUP)
    shell.run(
        "import torch\ntorch.manual_seed(0)\n"
        "net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), "
        "torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3))\n"
        "x = torch.tensor(photos6).permute(0, 3, 1, 2) / 255\n"
        "names = ['cat', 'dog', 'bird']"
    )
    said = shell.run(
        "%%mlrun explain\n%mlcam net x[:2] --class dog --classes names\n"
        "%mlaugment (lambda image: image[:, ::-1]) list(photos6) --n 2 --draws 2 --seed 5"
    )
    assert "Grad-CAM of 2 images at layer" in said
    assert "Kept as visualisations/grad_cam.png in run 'explain'." in said
    assert "2 samples and 2 draws of each." in said
    names = artifact_names(store, runs_of(store)["explain"])
    assert {f"visualisations/{n}" for n in ("grad_cam.png", "augmentation.png")} <= names
    assert "visualisations/augmentation.json" in names


def test_help_reads_like_a_page(shell: Any) -> None:
    for name in ("mlgrid", "mleval", "mlcam", "mlaugment"):
        said = shell.run(f"%mlhelp {name}")
        assert f"%{name}" in said
        assert commands()[name].example in said
