"""Why two runs differ, seen in JupyterLab, again without a kernel, and as a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import SCREENSHOTS, Lab, LabPage, chromium, notebook_of

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.timeout(900)]

SETUP = """%load_ext cvtrack_magics
import numpy as np
from cvtrack_magics import Predictions, mleval
truth = np.arange(300) % 4
def said(wrong):
    said = truth.copy()
    said[:wrong] = (said[:wrong] + 1) % 4
    shares = np.eye(4)[said] * 0.9 + 0.025
    return Predictions.classification(np.zeros((300, 8, 8)), truth, probabilities=shares)"""
HOSTILE = "<img/src/onerror=window.hacked=1>"
RUN = """%%mlrun {name} --seed {seed} --params dict(lr={lr},note="{hostile}{lr}")
width = {width}
for step in range(60):
    log({{"train/loss": np.exp(-step / width), "val/loss": np.exp(-step / width) + 0.1}})
_ = mleval(said({wrong}), figures=False, resamples=50)"""
CELLS = (
    SETUP,
    RUN.format(name="baseline", seed=1, lr=0.1, width=20, wrong=60, hostile=HOSTILE),
    RUN.format(name="wider", seed=2, lr=0.3, width=12, wrong=20, hostile=HOSTILE),
    "%mlcompare baseline wider --html why.html",
)
AT = 3


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


def test_a_comparison_is_seen_live_and_again_without_a_kernel(lab: Lab) -> None:
    lab.write("compare.ipynb", notebook_of(*CELLS))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1100, "height": 1400}).new_page()
        notebook = LabPage(lab, page, "compare.ipynb")
        for at in range(len(CELLS)):
            notebook.run_to_end(at, timeout=240)
        notebook.scroll_to(AT)
        page.locator(".cvtrack-comparison .uplot").first.wait_for(timeout=60_000)
        shown = page.locator(".cvtrack-comparison")
        assert "val/top1_acc: wider is better than baseline" in shown.inner_text()
        notebook.shot("compare-light")
        notebook.set_theme("JupyterLab Dark")
        notebook.scroll_to(AT)
        notebook.shot("compare-dark")
        assert page.evaluate("window.hacked") is None
        notebook.save()
        assert notebook.errors_of_ours() == []
    lab.shut_kernels_down()
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 700, "height": 1400}).new_page()
        notebook = LabPage(lab, page, "compare.ipynb", kernel=False)
        notebook.scroll_to(AT)
        shown = page.locator(".cvtrack-comparison")
        assert "These two differ in params, code and seeds." in shown.inner_text()
        notebook.shot("compare-narrow")
        assert page.evaluate("window.hacked") is None
        assert page.evaluate(
            "document.querySelector('.cvtrack-comparison').scrollWidth <= "
            "document.querySelector('.cvtrack-comparison').clientWidth + 1"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_from_a_disk_with_no_network(lab: Lab, scheme: Any) -> None:
    file = Path(lab.root, "why.html")
    with chromium() as browser:
        for scripts in (True, False):
            context = browser.new_context(
                offline=True,
                java_script_enabled=scripts,
                color_scheme=scheme,
                viewport={"width": 900, "height": 1400},
            )
            page: Any = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on("console", lambda said, errors=errors: errors.append(said.text))
            page.goto(file.as_uri())
            page.wait_for_timeout(600)
            SCREENSHOTS.mkdir(exist_ok=True)
            name = f"compare-page-{scheme}-{'scripts' if scripts else 'plain'}.png"
            page.screenshot(path=str(SCREENSHOTS / name), full_page=True)
            alive = page.locator(".cvtrack-curves .uplot").count()
            still = page.locator(".cvtrack-curves img:visible").count()
            assert (alive > 0, still > 0) == (scripts, not scripts)
            assert errors == []
            context.close()
