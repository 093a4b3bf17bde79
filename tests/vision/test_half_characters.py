"""Names that are no UTF-8, as files of foreign systems have them, in pictures and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from cvtrack_magics import log_predictions, mleval, mlrun
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.pixels import Pixels
from tests.store_views import runs_of
from tests.vision.measure import make

HALF = "a\ud800b"
MADE: Mapping[str, Callable[[], Predictions]] = {
    "classification": lambda: make.random_classes(0, 6, 2),
    "detection": lambda: make.random_boxes(0, 6),
    "segmentation": lambda: make.random_segments(0, 4),
    "anomaly": lambda: make.random_scores(0, 6),
    "depth": lambda: make.random_depths(0, 3),
}


def with_half_names(made: Predictions) -> Predictions:
    """Name the first class and sample so, and give each a picture of its own."""
    sizes = made.sizes
    pictures = [np.full((h, w, 3), at, np.uint8) for at, (h, w) in enumerate(sizes.tolist())]
    named = replace(
        made,
        classes=(HALF, *made.classes[1:]) if made.classes else (),
        ids=(HALF, *made.ids[1:]),
    )
    return named.with_pixels(Pixels(pictures))


@pytest.mark.usefixtures("script")
def test_each_task_takes_them(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with mlrun("r"):
        for name, make_one in MADE.items():
            log_predictions(with_half_names(make_one()), name=name)
            mleval(with_half_names(make_one()), prefix=name)
    said = "".join(capsys.readouterr())
    assert "not made" not in said
    assert "Not recorded" not in said
    run = runs_of(store)["r"]
    assert run.info.status == "FINISHED"
    assert {name.split("/")[0] for name in run.data.metrics} >= set(MADE)
