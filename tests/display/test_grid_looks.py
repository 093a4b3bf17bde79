"""How it looks: themes, narrow pages, hostile names, many samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.display.page import page_html
from tests.display import sheets
from tests.display.viewer import needs_viewer, opener
from tests.lab import SCREENSHOTS

pytestmark = needs_viewer


@pytest.fixture(params=["light", "dark"])
def show(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    yield from opener(browser, tmp_path, request.param)


TASKS = [
    *(
        "classification",
        "binary",
        "multilabel",
        "detection",
        "instance",
        "semantic",
        "anomaly",
        "depth",
    ),
    *("steps", "compared", "partly", "empty", "hostile"),
]


@pytest.mark.parametrize("task", TASKS)
def test_each_task_fits_its_page(show: Any, task: str, request: pytest.FixtureRequest) -> None:
    theme = request.node.callspec.params["show"]
    for width, height in ((1280, 800), (500, 760)):
        viewer = show(getattr(sheets, task)(), width=width, height=height)
        page = viewer.page
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=str(SCREENSHOTS / f"grid-{task}-{theme}-{width}.png"))
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        beyond = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select")].filter((n) => {
              const box = n.getBoundingClientRect();
              return box.width && (box.right > innerWidth + 1 || box.left < -1);
            }).map((n) => n.outerHTML.slice(0, 90))"""
        )
        assert beyond == []
        if viewer.shown():
            viewer.open(viewer.shown()[0])
            page.screenshot(path=str(SCREENSHOTS / f"grid-{task}-detail-{theme}-{width}.png"))
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_is_the_browsers_unless_the_page_says_one(
    show: Any, request: pytest.FixtureRequest
) -> None:
    theme = request.node.callspec.params["show"]
    viewer = show(sheets.detection())
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 27)"
    assert viewer.page.evaluate(ground) == (dark if theme == "dark" else light)
    for name, colour in (("dark", dark), ("light", light)):
        viewer.page.evaluate("t => { document.documentElement.dataset.theme = t }", name)
        assert viewer.page.evaluate(ground) == colour


def test_all_text_can_be_read(show: Any) -> None:
    viewer = show(sheets.classification())
    code = """() => {
      const light = (css) => {
        const [r, g, b] = css.match(/[\\d.]+/g).map((one) => {
          const part = one / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (node) => {
        for (; node; node = node.parentElement) {
          const colour = getComputedStyle(node).backgroundColor;
          if (!/, 0\\)$|^color/.test(colour)) return colour;
        }
      };
      const nodes = [...document.querySelectorAll("span, b, button, dt, dd, h1, h2, output, text")];
      return nodes.filter((n) => n.childElementCount === 0 && n.textContent.trim() &&
          !n.closest(".cell") && getComputedStyle(n).opacity === "1").map((n) => {
        const style = getComputedStyle(n);
        const [a, b] = [light(n.tagName === "text" ? style.fill : style.color), light(ground(n))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), n.outerHTML.slice(0, 80)];
      }).filter(([ratio]) => ratio < 4.5);
    }"""
    assert viewer.page.evaluate(code) == []


def test_hostile_names_are_text(show: Any) -> None:
    viewer = show(sheets.hostile())
    assert viewer.page.title().startswith("</title><script>alert(2)</script>")
    assert viewer.page.locator("h1").inner_text().startswith("</title><script>")
    assert "<script>alert(1)</script>" in viewer.bars()
    assert viewer.page.locator(".bar-name").all_inner_texts().count("W" * 300) == 1
    assert viewer.page.locator("img, b b").count() == 0
    for name in ("True class", "Predicted class"):
        viewer.page.get_by_label(name, exact=True).select_option(index=1)
    viewer.settle()
    assert viewer.filters()[0] == "truth: <script>alert(1)</script>"
    viewer.click("Clear all")
    viewer.open(0)
    assert viewer.page.locator(".detail-name").inner_text() == "<img src=x onerror=alert(3)>"


def test_on_a_narrow_page_the_charts_are_a_drawer(show: Any) -> None:
    viewer = show(sheets.detection(), width=500)
    assert viewer.page.locator(".panel").count() == 0
    viewer.click("Charts")
    box = viewer.page.locator(".panel").bounding_box()
    assert box["x"] > 0
    assert box["x"] + box["width"] == pytest.approx(500)
    viewer.cell(0, 0)
    viewer.page.get_by_text("Close the charts").click()
    assert viewer.shown() == [0, 2, 4]
    viewer.click("Charts")
    viewer.press("Escape")
    assert viewer.page.locator(".panel").count() == 0


def test_the_charts_come_with_the_room_until_a_person_decides(show: Any) -> None:
    viewer = show(sheets.detection(), width=500)
    for width, charts in ((1000, 1), (500, 0), (1000, 1)):
        viewer.page.set_viewport_size({"width": width, "height": 800})
        viewer.settle()
        assert viewer.page.locator(".panel").count() == charts
    viewer.click("Charts")
    viewer.page.set_viewport_size({"width": 1100, "height": 800})
    viewer.settle()
    assert viewer.page.locator(".panel").count() == 0


def test_tiles_keep_their_shape_and_grow(show: Any) -> None:
    viewer = show(sheets.classification())
    shape = lambda sample: viewer.tile(sample).locator("canvas").bounding_box()  # noqa: E731
    assert shape(0)["width"] / shape(0)["height"] == pytest.approx(110 / 150, rel=0.02)
    assert shape(1)["width"] / shape(1)["height"] == pytest.approx(160 / 120, rel=0.02)
    small = shape(1)["height"]
    viewer.slide("Size", 260)
    assert shape(1)["height"] > 1.4 * small


FRAMES = """async (pixels) => {
  const scroller = document.querySelector(".tiles");
  scroller.scrollTop = 0;
  const times = [];
  let last = performance.now();
  await new Promise((done) => {
    const go = (now) => {
      times.push(now - last);
      last = now;
      scroller.scrollTop += pixels;
      if (times.length < 180) requestAnimationFrame(go);
      else done();
    };
    requestAnimationFrame(go);
  });
  times.shift();
  times.sort((a, b) => a - b);
  const mean = times.reduce((a, b) => a + b) / times.length;
  return { fps: 1000 / mean, p95: times[Math.floor(times.length * 0.95)], worst: times.at(-1) };
}"""

FIRST_TILES = """() => new Promise((done) => {
  const drawn = (canvas) => {
    if (!canvas.width) return false;
    const place = [canvas.width / 2, canvas.height / 2, 1, 1];
    return canvas.getContext("2d").getImageData(...place).data[3] > 0;
  };
  const look = () => {
    const seen = [...document.querySelectorAll(".tile:not([hidden]) canvas")].filter(
      (canvas) => canvas.getBoundingClientRect().top < innerHeight);
    if (seen.length && seen.every(drawn)) done(performance.now());
    else setTimeout(look, 10);
  };
  look();
})"""


def test_ten_thousand_samples(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "many.html"
    file.write_text(page_html(*sheets.many()), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(file.as_uri(), wait_until="commit")
    page.wait_for_selector(".tile", state="attached")
    drawn = page.evaluate(FIRST_TILES)
    page.wait_for_load_state()
    page.wait_for_timeout(500)
    slow, fast = page.evaluate(FRAMES, 30), page.evaluate(FRAMES, 150)
    moved = page.evaluate(
        """() => {
          const slider = document.querySelector("[aria-label=Threshold]");
          const start = performance.now();
          slider.value = 0.5;
          slider.dispatchEvent(new Event("input", { bubbles: true }));
          return new Promise((done) => requestAnimationFrame(() => setTimeout(() =>
            done(performance.now() - start))));
        }"""
    )
    print(
        f"\n{file.stat().st_size / 1e6:.0f} MB; first tiles drawn after {drawn:.0f} ms; "
        f"scrolling 30 px a frame: {slow['fps']:.0f} fps, p95 {slow['p95']:.0f} ms; "
        f"150 px a frame: {fast['fps']:.0f} fps, p95 {fast['p95']:.0f} ms; "
        f"threshold to screen {moved:.0f} ms"
    )
    nodes = page.locator(".tile").count()
    assert nodes < 400
    assert page.locator(".showing").inner_text() == "10,000 of 10,000 shown"
    assert drawn < 20_000
    page.close()
