"""Clicks in a real JupyterLab reach a cell that is busy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.display.pages import needs_chromium
from tests.lab import Lab, LabPage, chromium, notebook_of

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.lab, *needs_chromium]

CELL = """
import time
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.live import LivePlot
from cvtrack_magics.display.progress import Bar
from IPython.display import HTML, display

state, notes, step = "running", [], 0
def act(action, text):
    global state
    if action == "mark":
        plot.mark(step, text)
        notes.append(text)
    else:
        state = {"stop": "stopping", "pause": "paused", "resume": "running"}[action]
        plot.control(state, f"at step {step}" if state == "paused" else "")

plot = LivePlot("a run", "0a1b2c3d", on_action=act)
display(HTML('<div class="cvtrack-live" data-plot="0a1b2c3d">…</div>'))
end = time.time() + 90
while state != "stopping" and time.time() < end:
    while state == "paused" and time.time() < end:
        time.sleep(0.02)
    point = Series(); point.append(step, 1 / (step + 1), time.time())
    plot.push({"loss": point})
    plot.progress([Bar("s", "steps", step, 1000, step / 10, 10.0)])
    step += 1
    time.sleep(0.05)
plot.control("stopped", f"at step {step}")
plot.finish("KILLED")
print("notes", notes, "stopped" if state == "stopping" else "timed out")
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


def test_buttons_work_while_the_cell_runs(lab: Lab) -> None:
    lab.write("n.ipynb", notebook_of(CELL))
    with chromium() as browser:
        page: Any = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
        notebook = LabPage(lab, page, "n.ipynb")
        notebook.run_cell(0)
        pause = page.locator(".cv-controls button").first
        pause.wait_for(timeout=30_000)
        page.get_by_role("button", name="Note something").click()
        page.keyboard.type("seen <b>here</b>")
        page.keyboard.press("Enter")
        page.locator(".cv-note", has_text="seen <b>here</b>").wait_for(state="attached")
        pause.click()
        resume = page.get_by_role("button", name="Go on with the run")
        resume.wait_for(timeout=5000)
        assert "paused at step" in str(page.locator(".cv-control").text_content())
        assert page.locator(".cv-note").count() == 1
        assert page.locator(".cv-bar-name").text_content() == "steps"
        resume.click()
        stop = page.get_by_role("button", name="Stop the run")
        stop.wait_for(timeout=5000)
        stop.click()
        seen = notebook.wait(0, "was not stopped", lambda seen: "notes [" in seen["text"], 20)
        assert "notes ['seen <b>here</b>'] stopped" in seen["text"]
        page.locator(".cv-control", has_text="stopped at step").wait_for(timeout=5000)
        assert page.locator(".cv-controls").is_hidden()
        assert notebook.errors_of_ours() == []
