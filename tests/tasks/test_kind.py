"""What a task is stands in its folder: who handles predictions asks the kind of their task."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.kind import TASKS, Kind, kind_of, task_named
from cvtrack_magics.tasks.predictions import Predictions

PACKAGE = Path(__file__).resolve().parents[2] / "cvtrack_magics"


def asks_for_a_task(path: Path) -> bool:
    """Whether a file compares a task with the name of one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and ast.unparse(node.left).split(".")[-1] == "task":
            texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            if set(texts) & set(TASKS):
                return True
    return False


def test_nobody_outside_its_folder_asks_for_a_task_by_name() -> None:
    own = {folder for folder in (PACKAGE / "tasks").iterdir() if folder.is_dir()}
    files = [p for p in PACKAGE.rglob("*.py") if not own & set(p.parents)]
    found = {p.relative_to(PACKAGE).as_posix() for p in files if asks_for_a_task(p)}
    assert not found


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_kind_and_a_way_to_be_made(task: str) -> None:
    assert isinstance(kind_of(task), Kind)
    assert kind_of(task) is kind_of(task)
    assert callable(getattr(Predictions, task))


@pytest.mark.parametrize(
    ("word", "task"),
    [
        *((task, task) for task in TASKS),
        ("object-detection", "detection"),
        ("Object Detection", "detection"),
        ("detector", "detection"),
        ("semantic-segmentation", "semantic"),
        ("segmentation", "semantic"),
        ("semseg", "semantic"),
        ("instance_segmentation", "instance"),
        ("anomaly-detection", "anomaly"),
        ("depth-estimation", "depth"),
        ("image-classification", "classification"),
        ("classifier", "classification"),
    ],
)
def test_a_task_is_known_by_every_name_that_runs_are_tagged_with(word: str, task: str) -> None:
    assert task_named(word) == task


@pytest.mark.parametrize("word", ["", "detect", "tracking", "captions", "7"])
def test_another_word_is_no_task(word: str) -> None:
    with pytest.raises(UsageProblem, match="is none of classification, detection"):
        task_named(word)


@pytest.mark.parametrize("name", ["detection", "object-detection", "Object Detection"])
def test_predictions_are_made_by_any_name_of_their_task(name: str) -> None:
    image = np.zeros((1, 8, 8, 3), np.uint8)
    truth = [{"boxes": np.array([[1, 1, 4, 4]]), "labels": np.array([0])}]
    found = [{"boxes": np.array([[1, 1, 4, 4]]), "labels": np.array([0]), "scores": [0.9]}]
    made = Predictions.of((image, truth, found), name)
    assert made.task == "detection"
    assert Predictions.of(made, name) is made
    with pytest.raises(UsageProblem, match="is no classification"):
        Predictions.of(made, "classification")
