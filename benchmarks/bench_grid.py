"""A grid of predictions: the picture that is logged, and the page that is opened."""

from __future__ import annotations

import base64
import io
import os
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row, in_turn


def rows(rounds: int = 15) -> list[Row]:
    """Time a 2 × 4 grid of 224 × 224 pixels, and 10,000 tiles in Chromium."""
    return [*_pictures(rounds), *_pages()]


def _photos() -> Any:
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    return np.stack([images[i % 2][25 * i : 25 * i + 224, 50 * i : 50 * i + 224] for i in range(8)])


def _pictures(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home, before = Path(folder), Path.cwd()
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home / 'bench.db'}"
        os.environ["XDG_STATE_HOME"] = str(home / "state")
        os.chdir(home)
        try:
            return _in_a_run(rounds)
        finally:
            os.chdir(before)
            os.environ.pop("MLFLOW_TRACKING_URI")


def _in_a_run(rounds: int) -> list[Row]:
    import matplotlib
    import mlflow

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from cvtrack_magics import Predictions, log_predictions, mlrun
    from cvtrack_magics.display.contact_sheet import compose
    from cvtrack_magics.records import Artifact
    from cvtrack_magics.run.current import get_session

    images, labels = _photos(), [0, 1] * 4
    probabilities = np.eye(2)[labels]
    number = count()

    def predictions() -> Any:
        return Predictions.classification(images, labels, probabilities, classes=["roof", "flower"])

    def picture() -> None:
        scope = get_session().current
        assert scope is not None
        data = compose(predictions(), range(8))
        scope.add([Artifact(f"visualisations/ours_{next(number)}.webp", data)])

    def loop() -> None:
        log_predictions(predictions(), step=next(number))

    def matplotlib_recipe() -> None:
        figure, axes = plt.subplots(2, 4, figsize=(16, 8))
        for at, axis in enumerate(axes.flat):
            axis.imshow(images[at])
            axis.set_title(f"Pred: {labels[at]}")
        plt.tight_layout()
        plt.savefig("predictions.png")
        plt.close(figure)
        mlflow.log_artifact("predictions.png", artifact_path="visualisations")

    def log_image() -> None:
        grid = images.reshape(2, 4, 224, 224, 3).swapaxes(1, 2).reshape(448, 896, 3)
        mlflow.log_image(grid, f"visualisations/grid_{next(number)}.png")

    with mlrun("grid", output=False, code=False, figures=False, plot=False):
        for work in (picture, loop, matplotlib_recipe, log_image):
            work()
        name = "2×4 grid of 224×224, a picture logged"
        ours, recipe = in_turn(picture, matplotlib_recipe, rounds)
        found = [Row(name, ours, "the guide's matplotlib", recipe, "at most 20 ms", ours <= 0.020)]
        ours, image = in_turn(picture, log_image, rounds)
        found.append(Row(name, ours, "mlflow.log_image, no captions", image, "", None))
        ours, recipe = in_turn(loop, matplotlib_recipe, rounds)
        name = "the same and all its data, by log_predictions() in a loop"
        found.append(Row(name, ours, "the guide's matplotlib", recipe, "", None))
    return found


def _pages() -> list[Row]:
    """Open 10,000 tiles as our page, and as a page of as many plain images."""
    from cvtrack_magics.display.page import page_html
    from tests.display import sheets
    from tests.display.test_grid_looks import FIRST_TILES, FRAMES
    from tests.lab import chromium

    made = sheets.many()
    pictures = []
    for at in range(64):
        file = io.BytesIO()
        sheets.scene(at, 96, 72).save(file, "JPEG", quality=85)
        pictures.append(base64.b64encode(file.getvalue()).decode())
    tags = "".join(
        f'<img loading=lazy width=120 height=90 src="data:image/jpeg;base64,{pictures[at % 64]}">'
        for at in range(10_000)
    )
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        ours, plain = Path(folder, "ours.html"), Path(folder, "plain.html")
        ours.write_text(page_html(*made), encoding="utf-8")
        plain.write_text(f"<!doctype html><body>{tags}</body>", encoding="utf-8")
        mine: list[float] = []
        theirs: list[float] = []
        frames = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(ours.as_uri(), wait_until="commit")
            page.wait_for_selector(".tile", state="attached")
            mine.append(page.evaluate(FIRST_TILES) / 1000)
            page.wait_for_load_state()
            page.wait_for_timeout(500)
            frames.append(page.evaluate(FRAMES, 30)["fps"])
            page.close()
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            started = time.perf_counter()
            page.goto(plain.as_uri(), wait_until="load")
            page.evaluate("() => document.images[0].decode()")
            theirs.append(time.perf_counter() - started)
            page.close()
    opened, scrolled = statistics.median(mine), statistics.median(frames)
    return [
        Row(
            f"10,000 tiles opened, all controls ready ({scrolled:.0f} frames a second scrolling)",
            opened,
            "a page of as many <img>, no controls",
            statistics.median(theirs),
            "under 2 s, 60 frames a second",
            opened < 2 and scrolled > 58,
        )
    ]
