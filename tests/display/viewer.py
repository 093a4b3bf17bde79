"""The prediction viewer with a document open, as a person sees and uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.display import page as page_module
from cvtrack_magics.display.page import page_html
from tests.display.pages import settle


class Viewer:
    """One document in one page of Chromium; anything it complains of fails the test."""

    def __init__(self, page: Any, folder: Path, made: tuple[dict[str, Any], list[bytes]]) -> None:
        self.page = page
        self.document = made[0]
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        file = folder / "page.html"
        file.write_text(page_html(*made), encoding="utf-8")
        self.url = file.as_uri()
        page.goto(self.url)
        page.wait_for_selector(".showing")
        # The charts come when the first pictures are on the screen.
        page.wait_for_function("() => document.querySelector('.panel')?.childElementCount !== 0")
        self.settle()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            self.complaints.append(message.text)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        settle(self.page)

    def close(self) -> None:
        assert self.complaints == []
        assert [url for url in self.requests if url != self.url] == []

    # -- what a person sees

    def shown(self) -> list[int]:
        """Return the samples of the grid, in its order."""
        code = """() => [...document.querySelectorAll(".tile:not([hidden])")]
            .map((n) => [Number(n.getAttribute("aria-posinset")), Number(n.dataset.sample)])
            .sort((a, b) => a[0] - b[0]).map((one) => one[1])"""
        return list(self.page.evaluate(code))

    def tile(self, sample: int) -> Any:
        return self.page.locator(f'.tile:not([hidden])[data-sample="{sample}"]')

    def captions(self, sample: int) -> list[str]:
        code = "n => [...n.querySelectorAll('.line:not([hidden])')].map(l => l.innerText)"
        lines = self.tile(sample).evaluate(code)
        return [" ".join(line.split()) for line in lines]

    def showing(self) -> str:
        return str(self.page.locator(".showing").inner_text())

    def filters(self) -> list[str]:
        names = self.page.locator(".filter bdi").all_inner_texts()
        return [str(name) for name in names]

    def figures(self) -> dict[str, str]:
        rows = self.page.locator(".figures > div")
        return dict(tuple(row.inner_text().split("\n")) for row in rows.all())

    def matrix(self) -> dict[tuple[str, str], int]:
        """Return the cells of the confusion matrix that are not 0."""
        found = {}
        for label in self.page.locator(".cell").evaluate_all(
            "nodes => nodes.map(n => n.getAttribute('aria-label'))"
        ):
            pair, _, count = label.rpartition(": ")
            truth, _, pred = pair.partition(" predicted as ")
            found[truth, pred] = int(count.replace(" pixels", "").replace(",", ""))
        return found

    def bars(self) -> dict[str, str]:
        rows = self.page.locator(".bar")
        return {
            row.locator(".bar-name").inner_text(): row.locator("b").inner_text()
            for row in rows.all()
        }

    def pixel(self, x: float, y: float, css: str = ".tile:not([hidden]) canvas") -> tuple[int, ...]:
        """Return the colour of a canvas at a place given as a share of its size."""
        code = """([css, x, y]) => {
          const canvas = document.querySelector(css);
          const place = [Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1];
          return [...canvas.getContext("2d").getImageData(...place).data];
        }"""
        return tuple(self.page.evaluate(code, [css, x, y]))

    def ink(self, sample: int) -> str:
        """Return what a tile's canvas shows, to be compared."""
        return str(self.tile(sample).locator("canvas").evaluate("c => c.toDataURL()"))

    # -- what a person does

    def choose(self, label: str, option: str) -> None:
        self.page.get_by_label(label, exact=True).first.select_option(label=option)
        self.settle()

    def slide(self, label: str, value: float) -> None:
        slider = self.page.get_by_label(label, exact=True).first
        slider.evaluate(
            """(node, value) => {
              node.value = value;
              node.dispatchEvent(new Event("input", { bubbles: true }));
            }""",
            value,
        )
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def click(self, name: str) -> None:
        within = self.page.locator(".detail, .help, .app").last
        within.get_by_role("button", name=name, exact=True).first.click()
        self.settle()

    def cell(self, truth: int, pred: int) -> None:
        self.page.locator(f'[data-cell="{truth},{pred}"]').click()
        self.settle()

    def open(self, sample: int) -> None:
        self.tile(sample).click()
        self.page.wait_for_selector(".detail")
        self.settle()


def opener(browser: Any, folder: Path, theme: str) -> Iterator[Any]:
    """Yield a function that opens a document in a page of its own."""
    opened: list[Viewer] = []
    contexts = []

    def show(
        made: tuple[dict[str, Any], list[bytes]],
        width: int = 1280,
        height: int = 800,
        **changes: Any,
    ) -> Viewer:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme
        )
        contexts.append(context)
        document = {**made[0], **changes}
        opened.append(Viewer(context.new_page(), folder, (document, made[1])))
        return opened[-1]

    yield show
    for context in contexts:
        context.close()
    for viewer in opened:
        viewer.close()


GRID = Path(page_module.__file__).parent / "static" / "grid.js"

needs_viewer = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium"),
    pytest.mark.skipif(not GRID.exists(), reason="the front end is not built"),
]
