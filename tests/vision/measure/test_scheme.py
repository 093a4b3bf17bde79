from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mlflow.utils.validation import _validate_metric_name

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.tasks.evaluate import HEADLINES, SCHEME, measure, metric_part, metric_parts
from tests.vision.measure.make import (
    classified,
    measured,
    pose_files,
    posed,
    random_boxes,
    random_classes,
    random_depths,
    random_label_sets,
    random_masks,
    random_segments,
    scored,
    turned,
    turned_boxes,
)

HEAT = [np.arange(6.0).reshape(2, 3)] * 2
MASKS = [np.arange(6).reshape(2, 3) > 3] * 2
EVERY: list[Any] = [
    random_classes(0, 30, 7),
    random_classes(0, 30, 2),
    random_boxes(0),
    random_segments(0),
    random_masks(0),
    scored([0, 1], [0.1, 0.7], HEAT, MASKS),
    random_depths(0),
    random_label_sets(0, 30, 4),
    posed(pose_files(0)),
    turned(turned_boxes(0)),
]
HOSTILE = ["a/b", "../..", "$x_", "", " ", "..", "Cat", "cat", "日本", "a" * 300, "a" * 299 + "b"]
HOSTILE += ["new\nline", "<b>", "a\\b", "50%", "é", "e\u0301", "🚀", "nul\0", "x:y@z", "-", ".hid"]


def test_every_metric_is_in_the_scheme_and_every_row_is_measured() -> None:
    rows = {(task, metric.name) for metric in SCHEME for task in metric.tasks}
    assert len(rows) == sum(len(metric.tasks) for metric in SCHEME), "a row is there twice"
    seen = set()
    for data in EVERY:
        found = measured(replace(data, seconds=2.0))
        for name in found.metrics:
            part, slash, _ = name.partition("/")
            many = "/<error>" if part == "TIDE" else "/<class>"
            seen.add((data.task, part + (many if slash else "")))
    assert seen == rows


@pytest.mark.parametrize("data", EVERY, ids=lambda data: data.task)
def test_the_speed_is_there_where_it_was_measured(data: Any) -> None:
    assert "FPS" not in measured(data).metrics
    assert measured(replace(data, seconds=4.0)).metrics["FPS"] == len(data) / 4


@pytest.mark.parametrize("data", EVERY, ids=lambda data: data.task)
def test_samples_begin_with_their_ids(data: Any) -> None:
    found = measured(data)
    assert next(iter(found.samples)) == "id"
    assert found.samples["id"].tolist() == list(data.ids)
    assert found.headline == HEADLINES[data.task]
    assert found.headline in found.metrics


@pytest.mark.parametrize("data", EVERY, ids=lambda data: data.task)
def test_no_samples_is_an_error(data: Any) -> None:
    with pytest.raises(UsageProblem, match="no samples"):
        measure(data[[]])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_part_is_a_metric_name_that_mlflow_takes(name: str) -> None:
    part = metric_part(name)
    assert re.fullmatch(r"[\w.\- ]{1,60}", part)
    assert "/" not in part
    _validate_metric_name(f"per_class_f1/{part}")
    assert metric_part(part) == part


def test_parts_stay_apart() -> None:
    parts = metric_parts(HOSTILE * 2)
    assert len({part.casefold() for part in parts}) == 2 * len(HOSTILE)
    assert max(map(len, parts)) == 60
    for part in parts:
        _validate_metric_name(f"AP50/{part}")
    assert metric_parts(["a/b", "a_b", "A:B"]) == ["a_b", "a_b-2", "A_B-3"]
    assert metric_parts(["x", "x-2", "x"]) == ["x", "x-2", "x-3"]


@pytest.mark.parametrize("data", EVERY[:1] + EVERY[2:5], ids=lambda data: data.task)
def test_every_class_has_its_metric_whatever_its_name(data: Any) -> None:
    named = replace(data, classes=tuple(HOSTILE[: len(data.classes)]))
    plain, hostile = measured(data), measured(named)
    assert list(plain.metrics.values()) == pytest.approx(
        list(hostile.metrics.values()), nan_ok=True
    )
    for name in hostile.metrics:
        _validate_metric_name(name)


def test_the_number_of_names_must_be_that_of_the_classes() -> None:
    data = replace(random_classes(0, 5, 4), classes=("a", "b"))
    with pytest.raises(UsageProblem, match="2 class names but 4 classes"):
        measured(data)
    assert measured(replace(data, classes=())).classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"iou": 0.0}, "iou=0.0"),
        ({"iou": 1.5}, "iou=1.5"),
        ({"level": 1.0}, "level=1.0"),
        ({"level": 95}, "level=95"),
        ({"threshold": float("nan")}, "threshold=nan"),
    ],
)
def test_an_option_that_cannot_be_used(options: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        measure(random_boxes(0), **options)


@pytest.mark.parametrize(
    ("data", "library"),
    [(EVERY[0], "sklearn.metrics"), (EVERY[2], "pycocotools.cocoeval")],
    ids=["classification", "detection"],
)
def test_a_missing_library_is_one_line(
    data: Any, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CvtrackError) as caught:
        measure(data)
    (line,) = caught.value._render_traceback_()
    assert 'pip install "cvtrack_magics[vision]"' in line


def test_another_library_in_the_place_of_pycocotools_is_told() -> None:
    code = (
        "import faster_coco_eval; faster_coco_eval.init_as_pycocotools()\n"
        "from cvtrack_magics.errors import CvtrackError\n"
        "from cvtrack_magics.tasks.evaluate import measure\n"
        "from tests.vision.measure.make import random_boxes\n"
        "try: measure(random_boxes(0))\n"
        "except CvtrackError as error: print(error.problem)\n"
    )
    where = __file__.rsplit("/tests/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=where, check=True
    )
    assert done.stdout == (
        "faster_coco_eval.core.faster_eval_api stands in for pycocotools in this process.\n"
    )


def test_measuring_needs_no_library_to_be_imported() -> None:
    code = (
        "import sys, cvtrack_magics.tasks.evaluate, cvtrack_magics.tasks.figures\n"
        "heavy = {'sklearn', 'pycocotools', 'matplotlib', 'torch', 'mlflow', 'IPython', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    where = __file__.rsplit("/tests/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=where, check=True
    )
    assert done.stdout == "[]\n"


def test_probabilities_that_are_none_are_told() -> None:
    found = measured(classified([0, 1, 1], [[2.0, 9.0, 0.5], [0.1, 3.0, 1.0], [1.0, 2.0, 3.0]]))
    assert "do not add up to 1" in found.notes[0]
    assert found.metrics["top1_acc"] == pytest.approx(1 / 3)


def test_the_row_of_a_task_never_depends_on_another_sample() -> None:
    for data in (random_boxes(5), random_segments(5), random_depths(5)):
        whole = measured(data, threshold=0.4).samples
        for row in range(len(data)):
            alone = measured(data[[row]], threshold=0.4).samples
            for name, column in alone.items():
                if name != "id":
                    assert column[0] == pytest.approx(whole[name][row], nan_ok=True)
