"""The quickstart as a person meets it: real JupyterLab, real Chromium, pictures kept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.lab import Lab, LabPage, chromium, notebook_of, stripped
from tests.store_views import runs_of

pytest.importorskip("playwright.sync_api")
pytest.importorskip("jupyterlab")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium"),
]

QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "01_quickstart.ipynb"
NAME = QUICKSTART.name
WIDE = {"width": 1280, "height": 900}
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

# Where a picture, the words over it and the words' background are, as the page draws them.
CARD = """(cell) => {
  const card = cell.querySelector(".cvtrack-card");
  if (!card) return null;
  const image = card.querySelector(".cvtrack-curves img");
  const box = card.getBoundingClientRect();
  return {
    text: card.innerText,
    color: getComputedStyle(card).color,
    left: box.left, right: box.right,
    picture: image && {
      loaded: image.complete && image.naturalWidth > 0,
      width: image.getBoundingClientRect().width,
      height: image.getBoundingClientRect().height,
    },
  };
}"""

# Elements that a name became, if it was taken for HTML.
ALIVE = """(cell) => cell.querySelectorAll(
  ".jp-Cell-outputWrapper :is(img[src=x], script:not([type]))").length"""

# What sticks out of the window.
TOO_WIDE = """(cell) => [...cell.querySelectorAll(".cvtrack-card *, .cvtrack-plot")]
  .filter((node) => node.getBoundingClientRect().right > innerWidth)
  .map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def opened(lab: Lab, browser: Any, name: str, **how: Any) -> LabPage:
    """Open a notebook in a page of its own."""
    size = how.pop("size", WIDE)
    return LabPage(lab, browser.new_context(viewport=size).new_page(), name, **how)


def finished_with(page: LabPage, allowed: str = "none allowed") -> None:
    """Close a page; nothing of ours may have complained in it."""
    ours = [error for error in page.errors_of_ours() if allowed not in error]
    dialogs = page.dialogs
    page.page.context.close()
    page.lab.shut_kernels_down()
    assert ours == []
    assert dialogs == []


def card_of(page: LabPage, at: int) -> dict[str, Any]:
    """Scroll to a cell and read its card."""
    page.scroll_to(at)
    found = page.node(at).evaluate(CARD)
    assert found, f"cell {at} has no card: {page.look(at)['text']!r}"
    return dict(found)


def brightness(color: str) -> float:
    """Return how bright a CSS colour is, from 0 to 1."""
    red, green, blue = (float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# -- the quickstart


@dataclass
class Executed:
    """What was seen while the quickstart ran."""

    cells: list[str]
    growing: list[dict[str, Any]]
    done: dict[str, Any]
    errors: list[str]

    def at(self, start: str) -> int:
        """Return the place of the cell that starts so."""
        return next(at for at, source in enumerate(self.cells) if source.startswith(start))


@pytest.fixture(scope="module")
def executed(lab: Lab, browser: Any) -> Executed:
    """The quickstart after Run All, saved, its kernel shut down and its page closed."""
    lab.write(NAME, stripped(QUICKSTART))
    seen = Executed([cell.source for cell in stripped(QUICKSTART).cells], [], {}, [])
    training = seen.at("%%mlrun training")
    last = max(at for at, c in enumerate(stripped(QUICKSTART).cells) if c.cell_type == "code")
    page = opened(lab, browser, NAME)
    page.run_all()
    page.wait(training, "shows no plot", lambda s: s["legend"], timeout=120)
    page.scroll_to(training)
    while (look := page.look(training))["prompt"].startswith("[*]"):
        seen.growing.append(look)
        if len(seen.growing) == 8:
            page.shot("quickstart-running")
        page.page.wait_for_timeout(250)
    seen.done = page.wait_done(training)
    page.shot("quickstart-trained")
    page.wait_done(last)
    for at, name in (
        (seen.at("%%mlrun preprocessing"), "quickstart-preprocessing"),
        (seen.at("%%mlrun evaluation"), "quickstart-evaluation"),
        (seen.at("%mlend"), "quickstart-end"),
    ):
        page.scroll_to(at)
        page.shot(name)
    page.save()
    seen.errors = page.errors_of_ours()
    page.page.context.close()
    lab.shut_kernels_down()
    return seen


@pytest.mark.timeout(240)
def test_the_plot_grows_while_the_training_cell_runs(executed: Executed) -> None:
    looks = executed.growing
    with_plot = [look for look in looks if look["canvas"]]
    while with_plot[-1]["status"] != ["● running"]:  # the run ends before its cell does
        with_plot.pop()
    assert len(with_plot) >= 3
    assert all(look["status"] == ["● running"] for look in with_plot)
    assert len({look["canvas"] for look in with_plot}) >= 3, "the curves stood still"
    assert len({tuple(look["legend"]) for look in with_plot}) >= 3, "the values stood still"
    assert {"loss", "lr"} <= set(with_plot[-1]["panels"])


def test_every_run_of_the_quickstart_is_finished(lab: Lab, executed: Executed) -> None:
    runs = runs_of(lab.store)
    names = {"full-pipeline", "preprocessing", "training", "evaluation"}
    assert names <= set(runs)
    assert {name: runs[name].info.status for name in names} == dict.fromkeys(names, "FINISHED")
    assert runs["evaluation"].data.metrics["top1_acc"] > 0.97
    assert "✓ FINISHED training" in " ".join(executed.done["text"].split())


def test_the_browser_has_nothing_to_complain_about(executed: Executed) -> None:
    assert executed.errors == []


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_saved_notebook_reads_well_with_no_kernel(
    lab: Lab, browser: Any, executed: Executed, theme: str
) -> None:
    page = opened(lab, browser, NAME, kernel=False, theme=theme)
    short = "dark" if theme == DARK else "light"
    training = card_of(page, executed.at("%%mlrun training"))
    page.shot(f"no-kernel-training-{short}")
    assert lab.kernels() == 0
    assert "FINISHED training" in training["text"]
    assert training["picture"]["loaded"]
    assert training["picture"]["width"] > 500
    assert training["picture"]["height"] > 100
    dark = theme == DARK
    assert (brightness(training["color"]) > 0.6) == dark, "the words have the page's colour"
    for start in ("%%mlrun preprocessing", "%%mlrun evaluation", "%mlend"):
        card = card_of(page, executed.at(start))
        assert "FINISHED" in card["text"]
        page.shot(f"no-kernel-{start.split()[-1].strip('%')}-{short}")
    for at in range(len(executed.cells)):
        text = page.look(at)["text"]
        assert "widget" not in text.lower(), text
    finished_with(page)


# -- what goes wrong


SETUP = """%load_ext cvtrack_magics
import time
from cvtrack_magics import log"""
LOOP = """%%mlrun {name}
for i in range({rounds}):
    log({{"train/loss": 1 / (i + 1), "val/loss": 2 / (i + 1), "lr": 1e-3}})
    time.sleep(0.05)"""
FAILING = """%%mlrun fails
for i in range(40):
    log({"train/loss": 1 / (i + 1), "val/loss": 2 / (i + 1)})
raise ValueError("a <b>bold</b> batch")"""
TRICK = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_a_failing_cell_shows_one_traceback_and_a_failed_card(lab: Lab, browser: Any) -> None:
    lab.write("fails.ipynb", notebook_of(SETUP, FAILING))
    page = opened(lab, browser, "fails.ipynb")
    page.run_to_end(0)
    text = page.run_to_end(1)["text"]
    page.wait(1, "has no card", lambda s: "FAILED" in s["text"])
    card = card_of(page, 1)
    page.shot("failed")
    text = page.look(1)["text"]
    assert text.count("Traceback (most recent call last)") == 1
    assert "✗ FAILED" in card["text"]
    assert "Error: ValueError: a <b>bold</b> batch" in card["text"]
    assert runs_of(lab.store)["fails"].info.status == "FAILED"
    finished_with(page)


def test_the_stop_button_makes_a_killed_card(lab: Lab, browser: Any) -> None:
    lab.write("stopped.ipynb", notebook_of(SETUP, LOOP.format(name="stopped", rounds=1200)))
    page = opened(lab, browser, "stopped.ipynb")
    page.run_to_end(0)
    page.run_cell(1)
    page.wait(1, "shows no plot", lambda s: s["legend"])
    page.page.wait_for_timeout(500)
    page.page.click('[data-command="notebook:interrupt-kernel"], [title*="Interrupt the kernel"]')
    page.wait_done(1, timeout=20)
    card = card_of(page, 1)
    page.shot("killed")
    text = page.look(1)["text"]
    assert "■ KILLED" in card["text"]
    assert text.count("Traceback (most recent call last)") == 1
    assert "KeyboardInterrupt" in text
    assert runs_of(lab.store)["stopped"].info.status == "KILLED"
    finished_with(page)


# Notes, frame by frame, how high a cell's output is and how many plots are live and finished.
WATCH = """(cell) => {
  window.frames_ = [];
  const count = (css) => cell.querySelectorAll(css).length;
  const look = () => {
    const height = cell.querySelector(".jp-Cell-outputArea")?.offsetHeight ?? 0;
    frames_.push([height, count(".cvtrack-live .uplot"), count(".cvtrack-card .uplot")]);
    requestAnimationFrame(look);
  };
  look();
}"""


def test_the_live_plot_becomes_the_card_without_a_jump_and_keeps_its_settings(
    lab: Lab, browser: Any
) -> None:
    lab.write("ends.ipynb", notebook_of(SETUP, LOOP.format(name="ends", rounds=60)))
    page = opened(lab, browser, "ends.ipynb")
    page.run_to_end(0)
    page.run_cell(1)
    page.wait(1, "shows no plot", lambda s: s["legend"])
    page.node(1).query_selector(".cv-panel .cv-toggle:last-child").click()
    live = page.node(1).eval_on_selector(".cvtrack-live", "box => box.offsetWidth")
    page.node(1).evaluate(WATCH)
    page.wait_done(1)
    page.page.wait_for_timeout(300)
    frames = page.page.evaluate("frames_")
    running, done = frames[0], frames[-1]
    assert running[1:] == [2, 0]
    assert done[1:] == [0, 2]
    assert min(height for height, *_ in frames) == min(running[0], done[0])
    assert all(alive or finished for _, alive, finished in frames)
    card = page.node(1).query_selector(".cvtrack-card")
    assert card.evaluate("card => card.offsetWidth") == live
    logs = page.node(1).query_selector_all(".cvtrack-card .cv-panel .cv-toggle:last-child")
    assert [node.get_attribute("aria-pressed") for node in logs] == ["true", "false"]
    finished_with(page)


def test_names_are_text_and_a_narrow_window_is_enough(lab: Lab, browser: Any) -> None:
    loop = LOOP.format(name=f"'{TRICK}' --tag 'team={TRICK}'", rounds=40)
    lab.write("narrow.ipynb", notebook_of(SETUP, loop))
    page = opened(lab, browser, "narrow.ipynb", size={"width": 500, "height": 800})
    page.run_to_end(0)
    page.run_cell(1)
    page.wait(1, "shows no plot", lambda s: s["legend"])
    page.scroll_to(1)
    page.shot("narrow-running")
    assert page.node(1).evaluate(ALIVE) == 0
    page.wait_done(1)
    card = card_of(page, 1)
    page.page.wait_for_timeout(300)
    page.node(1).eval_on_selector(".cvtrack-card", "card => card.scrollIntoView()")
    page.shot("narrow-finished")
    assert TRICK in card["text"]
    assert page.node(1).evaluate(ALIVE) == 0
    assert card["right"] <= 500
    assert page.node(1).evaluate(TOO_WIDE) == []
    assert TRICK in runs_of(lab.store)
    finished_with(page)


# -- the page comes and goes while the cell runs


def mid_run(lab: Lab, browser: Any, name: str) -> LabPage:
    """A page whose notebook was saved while its second cell runs (Lab saves every two minutes)."""
    lab.write(f"{name}.ipynb", notebook_of(SETUP, LOOP.format(name=name, rounds=120)))
    page = opened(lab, browser, f"{name}.ipynb")
    page.run_to_end(0)
    page.run_cell(1)
    page.wait(1, "shows no plot", lambda s: s["legend"])
    page.save()
    return page


def test_a_notebook_saved_in_the_middle_of_a_run_still_says_what_it_was(
    lab: Lab, browser: Any
) -> None:
    page = mid_run(lab, browser, "middle")
    page.page.context.close()
    lab.shut_kernels_down()
    saved = nbformat.read(lab.root / "middle.ipynb", as_version=4)
    assert saved.cells[1].outputs
    page = opened(lab, browser, "middle.ipynb", kernel=False)
    page.page.wait_for_timeout(500)
    page.shot("saved-in-the-middle")
    text = page.look(1)["text"]
    finished_with(page)
    assert "widget" not in text
    assert re.search(r"● running middle · step \d+ · train/loss [\d.]+", text)


def test_a_page_reloaded_in_the_middle_of_a_run_is_right(lab: Lab, browser: Any) -> None:
    page = mid_run(lab, browser, "reloaded")
    page.reload()
    page.page.wait_for_timeout(500)
    page.shot("reloaded-running")
    # Lab meets a busy kernel only when its cell has ended, and gives the page nothing of what
    # the cell showed meanwhile, be it printed, plotted or ours.
    page.page.wait_for_function(
        "path => cv.panel(path).sessionContext.kernelDisplayStatus === 'idle'",
        arg=page.path,
        timeout=60_000,
    )
    page.page.wait_for_timeout(1000)
    page.shot("reloaded-finished")
    text = page.look(1)["text"]
    # Lab says this of every widget that ends in a page that did not see it begin.
    finished_with(page, allowed="Comm not found")
    assert runs_of(lab.store)["reloaded"].info.status == "FINISHED"
    assert "widget" not in text
    assert "reloaded" in text
