"""A release in JupyterLab: the verdict, the export's proof, latency and the card, seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab, LabPage, chromium, notebook_of

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.timeout(300)]

SETUP = """%load_ext cvtrack_magics
import numpy as np, torch
from cvtrack_magics import Predictions
truth = np.arange(300) % 4
x = torch.rand(300, 1, 4, 6)
x[torch.arange(300), 0, torch.as_tensor(truth)] += 9
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 4))
def said(wrong):
    said = truth.copy()
    said[:wrong] = (said[:wrong] + 1) % 4
    shares = np.eye(4)[said] * 0.9 + 0.025
    images = np.zeros((300, 8, 8))
    return Predictions.classification(images, truth, probabilities=shares, ids=range(300))"""
RUN = """%%mlrun {name}
%mleval said({wrong}) --prefix test --no-figures --resamples 50
%mlmodel net --example x[:1] --register shapes"""
FIRST = RUN.format(name="first", wrong=30)
SECOND = RUN.format(name="second", wrong=26)
PROMOTE = "%mlgate shapes --require 'test/top1_acc>=0.85' --promote --unproved"
HOSTILE = "'tag(env)==\"<img src=x onerror=window.hacked=1>\"'"
REFUSED = f"%mlgate shapes --champion test/top1_acc --margin 0.005 --require {HOSTILE}"
EXPORT = "%mlexport onnx net --example x[:1] --run second"
BENCH = "%mlbench net --example x[:1] --batch 1 --seconds 0.1 --runners eager,onnx --run second"
CARD = "%mlcard shapes"
HISTORY = "%mlgate shapes --history"
CELLS = (SETUP, FIRST, PROMOTE, SECOND, REFUSED, EXPORT, BENCH, CARD, HISTORY)
SHOWN = {2: "promoted", 4: "refused", 5: "export", 6: "latency", 7: "card", 8: "history"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


def test_a_release_is_seen_live_and_again_without_a_kernel(lab: Lab) -> None:
    lab.write("release.ipynb", notebook_of(*CELLS))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1100, "height": 900}).new_page()
        notebook = LabPage(lab, page, "release.ipynb")
        for at in range(len(CELLS)):
            notebook.run_to_end(at)
        text = ""
        for at, name in SHOWN.items():
            notebook.scroll_to(at)
            notebook.shot(f"release-{name}")
            text += page.locator(".jp-Notebook").inner_text()  # what is far away is not there
        assert "Version 1 is the champion." in text
        assert "shapes version 2" in text
        assert "GateRefused" in text
        notebook.set_theme("JupyterLab Dark")
        notebook.scroll_to(4)
        notebook.shot("release-refused-dark")
        assert page.evaluate("window.hacked") is None
        notebook.save()
        assert notebook.errors_of_ours() == []
    lab.shut_kernels_down()
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 560, "height": 900}).new_page()
        notebook = LabPage(lab, page, "release.ipynb", kernel=False)
        notebook.scroll_to(4)
        notebook.shot("release-refused-narrow")
        verdict = page.locator(".cvtrack-listing", has_text="did not pass").first
        assert "lower bound of the gain is not above 0.005" in verdict.inner_text()
        assert page.evaluate("window.hacked") is None
