"""An exported page comes alive in a browser that has nothing but the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cvtrack_magics.display import picture
from cvtrack_magics.display.annotations import Mark
from cvtrack_magics.display.card import summary_bundle
from cvtrack_magics.display.export import Alive, LiveHTMLExporter, bring_alive, front_end
from tests.display.helpers import EPOCH, series, summary
from tests.display.pages import needs_chromium

FRONT_END = 'data-cvtrack="front-end"'


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_markdown_cell("# A run")]
    for at in range(3):
        history = {"train/loss": series([3, 2 + at, 1]), "</script><b>": series([1, 2])}
        beside: Any = {"marks": [Mark(1, "note", EPOCH)], "overlays": {"old": history}}
        png = picture.curves_png(history, **beside)
        data = summary_bundle(summary(), png, history, **beside)
        cell = nbformat.v4.new_code_cell("%%mlrun x")
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        cells.append(cell)
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def exported(notebook: Path, exporter: Any) -> str:
    return str(exporter.from_filename(str(notebook))[0])


def look(browser: Any, path: Path) -> tuple[int, int, list[str]]:
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    alive = page.locator(".cvtrack-curves .uplot").count()
    pictures = page.locator(".cvtrack-curves img:visible").count()
    if alive:
        page.locator(".u-over").first.hover(position={"x": 1, "y": 50})
        assert page.locator(".cv-where").first.text_content() == "step 0"
    context.close()
    return alive, pictures, [error for error in errors if "require" not in error.lower()]


@pytest.mark.parametrize("how", ["exporter", "preprocessor", "afterwards"])
def test_the_page_is_alive_offline_with_one_front_end(
    notebook: Path, browser: Any, how: str
) -> None:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    plain = HTMLExporter()
    if how == "preprocessor":
        name = "cvtrack_magics.display.export.Alive"
        plain = HTMLExporter(config=Config({"HTMLExporter": {"preprocessors": [name]}}))
    html = exported(notebook, LiveHTMLExporter() if how == "exporter" else plain)
    if how == "afterwards":
        html = bring_alive(html)
        assert bring_alive(html) == html
    assert html.count(FRONT_END) == 1
    page = notebook.with_suffix(".html")
    page.write_text(html, encoding="utf-8")
    assert look(browser, page) == (6, 0, [])


def test_the_plain_command_shows_the_pictures(notebook: Path, browser: Any) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(notebook)]
    subprocess.run(command, check=True, capture_output=True)
    page = notebook.with_suffix(".html")
    assert FRONT_END not in page.read_text(encoding="utf-8")
    assert look(browser, page) == (0, 3, [])


def test_the_command_with_our_preprocessor(notebook: Path, browser: Any) -> None:
    option = "--HTMLExporter.preprocessors=cvtrack_magics.display.export.Alive"
    command = [sys.executable, "-m", "nbconvert", "--to", "html", option, str(notebook)]
    subprocess.run(command, check=True, capture_output=True)
    before = notebook.read_text(encoding="utf-8")
    assert look(browser, notebook.with_suffix(".html")) == (6, 0, [])
    assert FRONT_END not in before


def test_a_notebook_without_a_card_stays_as_it_is(tmp_path: Path) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    assert Alive().preprocess(nb, {})[0] == nb
    assert bring_alive("<html><body>x</body></html>") == "<html><body>x</body></html>"


def test_nothing_in_the_front_end_ends_its_script_early() -> None:
    code = front_end()
    assert code.lower().count("</script") == 1
    assert "<!--" not in code


pytestmark = needs_chromium
