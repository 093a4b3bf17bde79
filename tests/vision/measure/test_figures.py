from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.tasks.figures import figures
from cvtrack_magics.vision.evaluation import Curve, Evaluation
from cvtrack_magics.vision.figures import lines, page
from cvtrack_magics.vision.figures.page import columns, shorten
from tests.vision.measure.make import (
    classified,
    measured,
    random_boxes,
    random_classes,
    random_depths,
    random_masks,
    random_scores,
    random_segments,
)

NAMES = [
    "$x_",
    "$\\frac{",
    "_hidden",
    "日本語の名前がとても長いので切られます",
    "",
    "new\nline",
    "a" * 400,
]


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def drawn(evaluation: Evaluation) -> dict[str, Any]:
    """Draw without a warning; each picture has a white rim and something in the middle."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = figures(evaluation)
    for name, png in made.items():
        picture = pixels(png)
        rim = np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))
        assert (rim == 255).all(), f"{name} is cut off"
        assert picture.std() > 10, f"{name} is empty"
    return {name: pixels(png) for name, png in made.items()}


CASES: list[tuple[Any, set[str]]] = [
    (
        random_classes(0, 80, 2),
        {"confusion_matrix", "pr_curve", "roc_curve", "reliability_diagram", "per_class_f1"},
    ),
    (
        random_classes(0, 80, 5),
        {"confusion_matrix", "pr_curve", "reliability_diagram", "per_class_f1"},
    ),
    (random_boxes(0), {"confusion_matrix", "pr_curve", "per_class_AP50", "lost_AP50"}),
    (random_masks(0), {"confusion_matrix", "pr_curve", "per_class_AP50", "lost_AP50"}),
    (random_segments(0), {"confusion_matrix", "per_class_IoU"}),
    (random_scores(0), {"confusion_matrix", "pr_curve", "roc_curve"}),
    (random_depths(0), {"depth_error_map"}),
]


@pytest.mark.parametrize(("data", "wanted"), CASES, ids=lambda case: getattr(case, "task", ""))
def test_each_task_has_its_pictures(data: Any, wanted: set[str]) -> None:
    assert set(drawn(measured(data, resamples=30))) == wanted


def test_the_words_of_a_reliability_diagram_lie_on_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(page, "png", lambda figure: made.append(figure) or b"")
    edges = np.arange(15) / 15
    full = Curve("reliability", "", edges, 1 - edges, edges, 0.1, np.full(15, 9))
    lines.reliability_diagram([full], measured(random_classes(0, 80, 2), resamples=0))
    (figure,) = made
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 6
    assert all(box.y0 > axes.bbox.y1 and box.x1 < figure.bbox.x1 for box in boxes)
    assert all(one.x1 <= other.x0 for one, other in pairwise(boxes))


@pytest.mark.parametrize("classes", [2, 3, 7, 11, 12, 26, 27, 41, 100, 103, 130])
def test_any_number_of_classes_fits(classes: int) -> None:
    made = drawn(measured(random_classes(1, 40 * classes, classes, 4)))
    for picture in made.values():
        assert max(picture.shape[:2]) < 2600


@pytest.mark.parametrize("maker", [random_classes, random_boxes, random_segments])
def test_names_are_shown_as_they_are(maker: Any) -> None:
    data = maker(2, 60, 7) if maker is random_classes else maker(2, classes=7)
    found = measured(replace(data, classes=tuple(NAMES)))
    assert drawn(found).keys() == drawn(measured(data)).keys()


def test_dollars_are_no_mathematics() -> None:
    data = random_classes(4, 30, 2)
    as_text = drawn(measured(replace(data, classes=("$a$", "$b$"))))
    as_maths = drawn(measured(replace(data, classes=("a", "b"))))
    for name in ("confusion_matrix", "per_class_f1", "roc_curve"):
        assert not np.array_equal(as_text[name], as_maths[name])


STYLE = {
    "axes.facecolor": "black",
    "axes.grid": True,
    "axes.spines.top": True,
    "figure.autolayout": True,
    "figure.dpi": 31,
    "figure.facecolor": "black",
    "font.size": 22,
    "font.weight": "bold",
    "lines.linestyle": ":",
    "lines.marker": "o",
    "savefig.bbox": "tight",
    "text.color": "red",
    "text.usetex": True,
    "xtick.color": "red",
    "xtick.minor.visible": True,
    "ytick.labelsize": 30,
}


@pytest.mark.parametrize(("data", "wanted"), CASES, ids=lambda case: getattr(case, "task", ""))
def test_the_users_settings_change_nothing(data: Any, wanted: set[str]) -> None:
    found = measured(data)
    plain = drawn(found)
    with matplotlib.rc_context(STYLE):
        before = dict(matplotlib.rcParams)
        styled = drawn(found)
        assert dict(matplotlib.rcParams) == before
    assert set(styled) == wanted
    for name in wanted:
        assert np.array_equal(plain[name], styled[name]), name


def test_pyplot_and_the_backend_are_left_alone() -> None:
    code = (
        "import sys, matplotlib\n"
        "before = matplotlib.rcParams._get('backend')\n"
        "from tests.vision.measure.make import measured, random_boxes\n"
        "from cvtrack_magics.tasks.figures import figures\n"
        "figures(measured(random_boxes(0)))\n"
        "after = matplotlib.rcParams._get('backend')\n"
        "print('matplotlib.pyplot' in sys.modules, before is after)\n"
    )
    where = __file__.rsplit("/tests/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=where, check=True
    )
    assert done.stdout == "False True\n"
    assert done.stderr == ""


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        figures(measured(replace(random_classes(2, 60, 7), classes=tuple(NAMES))))
    assert caplog.records == []


def test_what_has_no_value_has_no_picture() -> None:
    lost = measured(classified([0, 1], np.full((2, 3), np.nan)))
    assert set(drawn(lost)) == {"per_class_f1"}
    assert drawn(Evaluation("depth", {"AbsRel": float("nan")}, "AbsRel", None)) == {}


def test_names_are_cut_to_their_width() -> None:
    assert shorten("cat") == "cat"
    assert shorten("  a\tb\n c ") == "a b c"
    assert shorten("\0") == "(no name)"
    for name in NAMES:
        assert 0 < columns(shorten(name, 22)) <= 22
    assert shorten("x" * 23) == "x" * 21 + "…"
    assert shorten("x" * 22) == "x" * 22
    assert columns("日本") == 4
    assert columns("e\u0301") == 1
