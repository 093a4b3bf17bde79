"""The grid where people look at it: in JupyterLab, in a notebook with no kernel, in MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.display.viewer import needs_viewer
from tests.lab import SCREENSHOTS, Lab, LabPage, chromium, notebook_of
from tests.store_views import runs_of

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.lab, *needs_viewer]

SETUP = """%load_ext cvtrack_magics
import numpy as np
from sklearn.datasets import load_digits
from cvtrack_magics import Predictions, log_predictions, track
digits, rng = load_digits(), np.random.default_rng(0)
names = [f"digit {at}" for at in range(9)] + ["<script>parent.hacked = 1</script>"]

def said(strength):
    logits = strength * np.eye(10)[digits.target] + rng.normal(size=(1797, 10))
    return Predictions.classification(
        digits.images / 16, digits.target, logits=logits, classes=names, ids=range(1797))"""
TRAIN = """%%mlrun train
for epoch in track(range(3), "epoch"):
    log_predictions(said(epoch + 1))
%mleval said(3) --resamples 50
%mlgrid said(3) --sort loss --only wrong --height 700"""
COMPARE = "%mlgrid said(4) --compare train"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


def frames(page: Any) -> list[Any]:
    return [frame for frame in page.frames if frame != page.main_frame]


def grid_in(page: Any, at: int = 0) -> Any:
    """Return the grid's frame, when it is there."""
    frame = page.locator(".cvtrack-grid iframe").nth(at)
    frame.wait_for(timeout=30_000)
    frame.scroll_into_view_if_needed()  # a frame that is out of sight draws nothing
    grid = page.frame_locator(".cvtrack-grid iframe").nth(at)
    grid.locator(".tile:not([hidden]) canvas").first.wait_for(timeout=30_000)
    return grid


def count_in(grid: Any) -> tuple[int, int]:
    shown, _, total = grid.locator(".showing").inner_text().partition(" of ")
    return int(shown.replace(",", "")), int(total.split()[0].replace(",", ""))


def test_live_and_again_without_a_kernel(lab: Lab) -> None:
    path = lab.write("grid.ipynb", notebook_of(SETUP, TRAIN, COMPARE))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        notebook = LabPage(lab, page, "grid.ipynb")
        for at in range(3):
            notebook.run_to_end(at)
        notebook.scroll_to(2)
        both = grid_in(page, 1)
        assert both.get_by_role("button", name="fixed").first.is_visible()
        assert page.get_by_text("Trust Notebook").count() == 0
        notebook.shot("grid-compare-in-lab")
        notebook.scroll_to(1)
        grid = grid_in(page, 0)
        wrong, total = count_in(grid)
        assert 0 < wrong < total == 1797
        notebook.shot("grid-in-lab")
        grid.get_by_label("Show", exact=True).select_option(label="all")
        page.wait_for_timeout(300)
        assert count_in(grid) == (1797, 1797)
        grid.locator("html[data-theme=light]").wait_for(state="attached")
        notebook.set_theme("JupyterLab Dark")
        grid_in(page, 0).locator("html[data-theme=dark]").wait_for(state="attached")
        page.wait_for_timeout(400)
        notebook.shot("grid-in-lab-dark")
        assert page.evaluate("window.hacked") is None
        notebook.save()
        assert notebook.errors_of_ours() == []
    assert path.stat().st_size < 6_000_000
    lab.shut_kernels_down()
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
        notebook = LabPage(lab, page, "grid.ipynb", kernel=False)
        assert lab.kernels() == 0
        notebook.scroll_to(1)
        grid = grid_in(page, 0)
        assert count_in(grid) == (wrong, total)
        grid.get_by_role("button", name="Charts").click()  # a drawer in a narrow window
        grid.locator('[data-cell="3,3"]').first.click()
        page.wait_for_timeout(300)
        assert count_in(grid)[0] < wrong  # the cell's samples are right ones: none is wrong
        notebook.shot("grid-without-kernel")
        assert notebook.errors_of_ours() == []


def test_a_notebook_that_is_not_trusted_shows_the_picture(lab: Lab, tmp_path: Path) -> None:
    path = lab.write("mine.ipynb", notebook_of(SETUP, "%mlgrid said(3)"))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
        notebook = LabPage(lab, page, "mine.ipynb")
        notebook.run_to_end(0)
        notebook.run_to_end(1)
        grid_in(page)
        notebook.save()
    document = json.loads(path.read_text())
    document["cells"][0]["source"] = "# from somebody else"  # what Lab has no signature of
    grid = next(each for each in document["cells"][1]["outputs"] if "data" in each)
    grid["data"]["text/plain"] = "changed"
    (lab.root / "theirs.ipynb").write_text(json.dumps(document))
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
        notebook = LabPage(lab, page, "theirs.ipynb", kernel=False)
        notebook.scroll_to(1)
        picture = page.locator(".jp-OutputArea img").first
        picture.wait_for(timeout=20_000)
        assert picture.evaluate("(image) => image.naturalWidth") > 200
        assert page.locator(".cvtrack-grid iframe").count() == 0
        assert page.get_by_text("Trust Notebook", exact=False).count() == 1
        page.get_by_text("the viewer runs where this notebook is trusted").wait_for()
        notebook.shot("grid-not-trusted")


@pytest.mark.server
def test_the_page_in_mlflows_own_browser(tmp_path: Path, server: Any) -> None:
    code = f"""
import os
os.environ["MLFLOW_TRACKING_URI"] = {server.uri!r}
from cvtrack_magics import log_predictions, mlrun
from tests.vision.examples import example
with mlrun("seen", output=False, code=False):
    for step in range(2):
        log_predictions(example("instance", 6, seed=step), step=step)
"""
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=120)
    run = runs_of(server.uri)["seen"]
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        where = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        page.goto(f"{server.uri}/#/{where}/artifacts/visualisations/predictions.html")
        page.wait_for_timeout(3000)
        found = None
        for _ in range(60):
            for frame in frames(page):
                if frame.locator(".tile:not([hidden]) canvas").count():
                    found = frame
            if found:
                break
            page.wait_for_timeout(500)
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=str(SCREENSHOTS / "grid-in-mlflow.png"))
        assert found is not None
        assert count_in(found) == (6, 6)
        found.get_by_label("Show", exact=True).first.select_option(label="wrong")
        page.wait_for_timeout(300)
        assert count_in(found)[1] == 6
