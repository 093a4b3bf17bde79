"""A training loop in a real JupyterLab: its bars, its buttons, and what stays of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.display.pages import needs_chromium
from tests.lab import Lab, LabPage, chromium, notebook_of
from tests.store_views import runs_of

pytest.importorskip("jupyterlab")
SHOTS = Path(__file__).resolve().parents[2] / "screenshots"
pytestmark = [pytest.mark.lab, *needs_chromium]

SETUP = """%load_ext cvtrack_magics
import time
from cvtrack_magics import log, track"""
EARLIER = """%%mlrun train
for step in track(range(60), "steps"):
    log({"train/loss": 2 / (step + 1), "val/acc": step / 60})
    time.sleep(0.01)"""
LOOP = """%%mlrun train --baseline train
ended = 0.0
for epoch in track(range(500), "epoch"):
    for batch in track(range(8), "batch"):
        until = time.perf_counter() + 0.05
        while time.perf_counter() < until:  # a loop that never yields to anybody
            pass
        log({"train/loss": 1 / (epoch + 1), "val/acc": 1 - 1 / (epoch + 2)})
ended = time.time()
log({"test/acc": 0.5}, step=1)
print("evaluated after the loop")"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


def test_stop_ends_a_synchronous_loop_and_the_run_is_finished(lab: Lab) -> None:
    path = lab.write("loop.ipynb", notebook_of(SETUP, EARLIER, LOOP, "print(ended)"))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
        notebook = LabPage(lab, page, "loop.ipynb")
        notebook.run_to_end(0)
        notebook.run_to_end(1)
        notebook.wait(1, "has no card", lambda seen: "FINISHED" in seen["text"])
        notebook.run_cell(2)
        stop = page.get_by_role("button", name="Stop the run")
        stop.wait_for(timeout=30_000)
        page.locator(".cv-bar-name", has_text="batch").wait_for(timeout=5000)
        page.get_by_role("button", name="Note something").click()
        page.keyboard.type("lr dropped here")
        page.keyboard.press("Enter")
        page.locator(".cv-note", has_text="lr dropped here").first.wait_for(state="attached")
        page.wait_for_timeout(1500)
        notebook.shot("loop-running")
        clicked = time.time()
        stop.click()
        notebook.wait(2, "did not stop", lambda seen: "stopped" in seen["text"].lower(), 20)
        notebook.wait_done(2, timeout=30)
        notebook.wait(2, "has no card", lambda seen: "FINISHED" in seen["text"])
        notebook.scroll_to(2)
        notebook.shot("loop-stopped")
        text = notebook.look(2)["text"]
        notebook.run_to_end(3)
        ended = float(notebook.look(3)["text"].strip().splitlines()[-1])
        notebook.save()
        assert notebook.errors_of_ours() == []
    print(f"from the click to the end of the loop: {ended - clicked:.2f} s")
    assert "Stopped by the button at step" in text
    assert "evaluated after the loop" in text
    run = runs_of(lab.store)["train"]
    assert run.info.status == "FINISHED"
    assert int(run.data.tags["stopped_at_step"]) > 0
    assert run.data.tags["mark.1"].endswith(": lr dropped here")
    assert run.data.metrics["test/acc"] == 0.5
    assert run.data.metrics["system/memory_mb"] > 0
    interactive(path)


def interactive(notebook: Path) -> None:
    """The exported page shows the curves, its note and its baseline with no kernel."""
    command = [sys.executable, "-m", "nbconvert", "--to", "cvtrack", str(notebook)]
    subprocess.run(command, check=True, capture_output=True)
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1000, "height": 900}, offline=True)
        page = context.new_page()
        page.goto(notebook.with_suffix(".html").as_uri())
        page.locator(".cvtrack-card .uplot").first.wait_for(timeout=10_000)
        assert page.locator(".cvtrack-card .uplot").count() >= 3
        page.locator(".cv-note", has_text="lr dropped here").first.wait_for(state="attached")
        page.screenshot(path=str(SHOTS / "exported.png"), full_page=True)
