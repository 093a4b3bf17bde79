"""The viewer as a document of its own, and in a notebook's output."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.display import page as page_module
from cvtrack_magics.display.page import cell_html, page_html
from tests.display import sheets
from tests.display.viewer import needs_viewer
from tests.lab import Lab, LabPage, notebook_of

STILL = sheets.png([[[200, 60, 30]] * 40] * 30)


def scripts(document: str) -> list[tuple[str, str]]:
    return re.findall(r"<script([^>]*)>(.*?)</script>", document, re.DOTALL)


def test_a_document_holds_all_it_needs_and_loads_nothing() -> None:
    made, packs = sheets.classification()
    document = page_html(made, packs, picture=STILL)
    assert document.startswith("<!doctype html>")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy is not None
    assert policy[1].split("; ")[:4] == [
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
    ]
    found = scripts(document)
    (held,) = (body for attributes, body in found if 'id="sheet"' in attributes)
    assert json.loads(held) == made
    parts = [(a, b) for a, b in found if "data-pack" in a]
    assert [re.findall(r'data-pack="(\d+)"', a) for a, _ in parts] == [
        [str(at)] for at in range(len(packs))
    ]
    assert [base64.b64decode(body) for _, body in parts] == packs
    assert f'<noscript><img alt="{made["title"]}"' in document
    assert 'src="http' not in document


def test_names_and_titles_cannot_leave_their_places() -> None:
    made, packs = sheets.hostile()
    document = page_html(made, packs)
    (held,) = (body for attributes, body in scripts(document) if 'id="sheet"' in attributes)
    assert not set("<>&") & set(held)
    assert json.loads(held) == made
    assert f"<title>{html.escape(made['title'])}</title>" in document


def test_without_a_bundle_the_document_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "_BUNDLE", Path("nowhere.js"))
    assert "was not built" in page_html(*sheets.empty())


def test_a_bundle_cannot_end_its_own_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "grid.js"
    bundle.write_text("let a='</script>',b='<!--',c='</SCRIPT'")
    monkeypatch.setattr(page_module, "_BUNDLE", bundle)
    document = page_html(*sheets.empty())
    assert r"let a='\x3c/script>',b='\x3c!--',c='\x3c/SCRIPT'" in document


def test_an_output_holds_the_picture_and_the_document() -> None:
    document = page_html(*sheets.detection())
    output = cell_html(document, STILL, "image/png", 'six <images> & "more"', 500)
    assert output.startswith('<div class="cvtrack-grid" data-height="500"><img alt="six &lt;')
    (packed,) = (body for attributes, body in scripts(output) if "cvtrack-page" in attributes)
    assert gzip.decompress(base64.b64decode(packed)).decode() == document
    assert output == cell_html(document, STILL, "image/png", 'six <images> & "more"', 500)
    assert 'class="cvtrack-trust"' not in output
    assert 'class="cvtrack-trust"' in cell_html(document, STILL, "image/png", "x", tell=True)


# -- in a browser

HOST = """<!doctype html><html><body %s><div id="out"></div></body></html>"""

# What JupyterLab does with a trusted output: markup first, then each script made anew.
JUPYTER = """(html) => {
  const out = document.getElementById("out");
  out.innerHTML = html;
  for (const old of [...out.getElementsByTagName("script")]) {
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) script.setAttribute(name, value);
    script.textContent = old.textContent;
    old.replaceWith(script);
  }
}"""

# VS Code runs copies of the scripts beside the output.
CODE = """(html) => {
  const out = document.getElementById("out");
  out.innerHTML = html;
  for (const old of [...out.getElementsByTagName("script")]) {
    const script = document.createElement("script");
    script.text = old.innerText;
    if (old.type) script.type = old.type;
    out.append(script);
    script.remove();
  }
}"""


@pytest.fixture
def output() -> str:
    return cell_html(page_html(*sheets.detection()), STILL, "image/png", "six images", 500)


@pytest.fixture
def host(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1100, "height": 800}, color_scheme="light")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def heard(message: Any) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", heard)

    def open_host(attributes: str) -> Any:
        page.set_content(HOST % attributes)
        return page

    yield open_host
    context.close()
    assert complaints == []


def inside(page: Any) -> Any:
    frame = page.frame_locator(".cvtrack-grid iframe")
    frame.locator(".showing").wait_for()
    return frame


def theme(frame: Any) -> str:
    return str(frame.locator("html").get_attribute("data-theme"))


class TestInABrowser:
    pytestmark = needs_viewer

    @pytest.mark.parametrize("way", [JUPYTER, CODE])
    def test_the_viewer_takes_the_pictures_place(self, host: Any, output: str, way: str) -> None:
        page = host('data-jp-theme-light="false"')
        page.evaluate(way, output)
        frame = inside(page)
        assert frame.locator(".showing").inner_text() == "6 of 6 shown"
        assert not page.locator(".cvtrack-grid img").is_visible()
        assert page.get_by_role("img", name="six images").count() == 0
        assert theme(frame) == "dark"
        node = page.locator(".cvtrack-grid iframe")
        assert node.get_attribute("sandbox") == "allow-scripts allow-downloads"
        assert node.bounding_box()["height"] == pytest.approx(500, abs=3)
        page.evaluate("document.body.dataset.jpThemeLight = 'true'")
        frame.locator("html[data-theme=light]").wait_for(state="attached")
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        frame.locator("html[data-theme=dark]").wait_for(state="attached")

    @pytest.mark.parametrize("light", ["true", "false"])
    @pytest.mark.parametrize("way", [JUPYTER, CODE])
    def test_on_paper_the_picture_is_seen(
        self, host: Any, output: str, way: str, light: str
    ) -> None:
        page = host(f'data-jp-theme-light="{light}"')
        page.evaluate(way, output + output)
        live, still = page.locator(".cvtrack-live"), page.get_by_role("img", name="six images")
        page.frame_locator("iframe >> nth=1").locator(".showing").wait_for()
        for media, boxes, pictures in (("screen", 2, 0), ("print", 0, 2), ("screen", 2, 0)):
            page.emulate_media(media=media)
            assert [node.is_visible() for node in live.all()] == [boxes > 0] * 2
            assert still.count() == pictures
            assert page.locator(".cvtrack-grid > img:visible").count() == pictures
        frame = page.frame_locator("iframe >> nth=1")
        assert frame.locator(".showing").inner_text() == "6 of 6 shown"

    def test_themes_of_other_readers(self, host: Any, output: str) -> None:
        for attributes, wanted in (
            ('class="vscode-dark"', "dark"),
            ('class="vscode-light"', "light"),
            ('class="vscode-high-contrast"', "dark"),
            ('class="vscode-high-contrast vscode-high-contrast-light"', "light"),
            ("", "light"),
        ):
            page = host(attributes)
            page.evaluate(JUPYTER, output)
            assert theme(inside(page)) == wanted
        page.emulate_media(color_scheme="dark")
        inside(page).locator("html[data-theme=dark]").wait_for(state="attached")

    def test_two_outputs_and_one_that_is_moved(self, host: Any, output: str) -> None:
        page = host("")
        page.evaluate(JUPYTER, output + output)
        page.frame_locator("iframe >> nth=1").locator(".showing").wait_for()
        assert page.locator("iframe").count() == 2
        page.evaluate(
            """() => {
              const out = document.getElementById("out");
              out.remove();
              document.body.dataset.jpThemeLight = "false";
              document.body.append(out);
            }"""
        )
        for at in range(2):
            frame = page.frame_locator(f"iframe >> nth={at}")
            frame.locator("html[data-theme=dark] .showing").wait_for()

    def test_where_scripts_are_taken_out_the_picture_stays(self, host: Any, output: str) -> None:
        page = host("")
        page.evaluate("html => { document.getElementById('out').innerHTML = html }", output)
        image = page.locator(".cvtrack-grid img")
        assert image.get_attribute("alt") == "six images"
        assert image.evaluate("n => n.naturalWidth") == 40
        assert page.locator("iframe").count() == 0

    def test_a_damaged_document_leaves_the_picture(self, host: Any, output: str) -> None:
        page = host("")
        start = 'class="cvtrack-page">'
        page.evaluate(JUPYTER, output.replace(f"{start}H4sI", f"{start}AAAA"))
        page.wait_for_timeout(200)
        assert page.locator(".cvtrack-grid img").count() == 1
        assert page.locator("iframe").count() == 0

    def test_ids_are_copied_or_can_be_from_inside_the_frame(self, host: Any, output: str) -> None:
        page = host("")
        page.evaluate(JUPYTER, output)
        frame = inside(page)
        frame.get_by_text("Copy ids").click()
        page.wait_for_timeout(150)
        said = frame.locator(".copy").inner_text()
        copied = "copied 6" in said
        assert copied or frame.locator("textarea").input_value().startswith("id-0000\nid-0001")

    def test_a_page_without_scripts_shows_the_picture(self, browser: Any, tmp_path: Path) -> None:
        file = tmp_path / "page.html"
        file.write_text(page_html(*sheets.detection(), picture=STILL), encoding="utf-8")
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.locator("img").is_visible()
        context.close()

    def test_a_trusted_notebook_in_jupyterlab_with_no_kernel(
        self, browser: Any, output: str, tmp_path: Path
    ) -> None:
        from nbformat.sign import NotebookNotary
        from nbformat.v4 import new_output

        lab = Lab(tmp_path)
        try:
            notebook = notebook_of("%mlgrid")
            data = {"text/html": output, "text/plain": "six images"}
            notebook.cells[0].outputs = [new_output("display_data", data)]
            notebook.cells[0].execution_count = 1
            NotebookNotary(data_dir=str(tmp_path / "jupyter" / "data")).sign(notebook)
            lab.write("seen.ipynb", notebook)
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            lab_page = LabPage(lab, page, "seen.ipynb", kernel=False)
            frame = inside(page)
            assert frame.locator(".showing").inner_text() == "6 of 6 shown"
            assert theme(frame) == "light"
            frame.locator('.tile[data-sample="1"]').click()
            assert frame.locator(".detail-name").inner_text() == "id-0001"
            frame.locator("body").press("Escape")
            lab_page.set_theme("JupyterLab Dark")
            frame.locator("html[data-theme=dark]").wait_for(state="attached")
            lab_page.shot("grid-in-lab-dark")
            assert lab.kernels() == 0
            assert lab_page.errors_of_ours() == []
            page.close()
        finally:
            lab.stop()
