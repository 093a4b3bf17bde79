"""The built front end in a real browser, driven by the messages a kernel would send."""

from __future__ import annotations

import math
import re
import shutil
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.metrics.series import Series
from cvtrack_magics.widgets import card, groups, picture, text
from tests.widgets.helpers import series, summary

BUNDLE = Path(card.__file__).parent / "static" / "plot.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium"),
    pytest.mark.skipif(not BUNDLE.exists(), reason="the front end is not built"),
]
sync_api = pytest.importorskip("playwright.sync_api")

# What anywidget does, in small: one factory per model, messages by name, buffers as DataView.
HARNESS = """
window.models = {};
window.openModel = async (id, title, run) => {
  const callbacks = new Set(), sent = [];
  const model = {
    get: (name) => ({ title, run })[name],
    on: (name, callback) => callbacks.add(callback),
    off: (name, callback) => callbacks.delete(callback),
    send: (message) => sent.push(message),
  };
  const widget = (await import("/plot.js")).default();
  const stop = await widget.initialize({ model });
  window.models[id] = { model, widget, stop, callbacks, sent, views: [] };
};
window.openView = async (id) => {
  const el = document.createElement("div");
  document.body.append(el);
  const { widget, model, views } = window.models[id];
  views.push({ el, stop: await widget.render({ model, el }) });
};
window.deliver = (id, message, buffers) => {
  const views = buffers.map((bytes) => {
    // Off by three: buffers of a real message are not aligned either.
    const all = new Uint8Array(bytes.length + 3);
    all.set(bytes, 3);
    return new DataView(all.buffer, 3);
  });
  for (const callback of window.models[id].callbacks) callback(message, views);
};
window.ink = (canvas, color) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const want = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 128 && want.every((c, k) => Math.abs(data[i + k] - c) < 30)) count++;
  }
  return count;
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints: list[str] = []

    def note(message: Any) -> None:
        # The tests read pixels back, which is what Chromium would like to hear of in advance.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def serve(route: Any) -> None:
        path = route.request.url.split("plot.test", 1)[1]
        if path.startswith("/plot.js"):
            route.fulfill(body=BUNDLE.read_text(), content_type="text/javascript")
        else:
            html = "<!doctype html><html><body></body></html>"
            route.fulfill(body=html, content_type="text/html")

    page.route("**/*", serve)
    page.goto("http://plot.test/")
    page.evaluate(HARNESS + "0")
    yield page
    page.close()
    assert complaints == []


class Plot:
    """One model in the page, fed as ``LivePlot`` feeds it."""

    def __init__(self, page: Any, title: str = "run", views: int = 1, run: str = "") -> None:
        self.page = page
        self.id = f"m{page.evaluate('Object.keys(window.models).length')}"
        self.ends: dict[str, int] = {}
        page.evaluate("(args) => openModel(...args)", [self.id, title, run])
        for _ in range(views):
            self.view()

    def view(self) -> None:
        self.page.evaluate("(id) => openView(id)", self.id)

    def push(
        self,
        parts: Mapping[str, Series],
        starts: Mapping[str, int] | None = None,
        full: bool = False,
        status: str = "RUNNING",
    ) -> None:
        steps, values, times, entries = array("q"), array("d"), array("d"), []
        for name, part in parts.items():
            start = (starts or self.ends).get(name, 0)
            self.ends[name] = start + len(part)
            entries.append(
                {"name": name, "start": start, "count": len(part), "end": self.ends[name]}
            )
            steps.extend(part.steps)
            values.extend(part.values)
            times.extend(part.times)
        columns = [
            {"name": name, "dtype": dtype, "shape": [len(steps)]}
            for name, dtype in (("steps", "int64"), ("values", "float64"), ("times", "float64"))
        ]
        message = {
            "kind": "points",
            "full": full,
            "status": status,
            "series": entries,
            "columns": columns,
        }
        buffers = [list(column.tobytes()) for column in (steps, values, times)]
        self.page.evaluate("(args) => deliver(...args)", [self.id, message, buffers])
        self.page.wait_for_timeout(60)  # two animation frames

    @property
    def asked(self) -> list[Any]:
        return list(self.page.evaluate("(id) => models[id].sent", self.id))


def titles(page: Any) -> list[str]:
    return list(page.locator(".cv-title").all_text_contents())


def legend(page: Any) -> dict[str, str]:
    keys = page.locator(".cv-key")
    names = keys.locator(".cv-name").all_text_contents()
    return dict(zip(names, keys.locator(".cv-value").all_text_contents(), strict=True))


def ink(page: Any, color: str = "#1f83c9", at: int = 0) -> int:
    canvas = page.locator(".uplot canvas").nth(at).element_handle()
    return int(page.evaluate("([canvas, color]) => ink(canvas, color)", [canvas, color]))


def test_metrics_that_belong_together_share_a_panel(page: Any) -> None:
    plot = Plot(page)
    assert page.locator(".cv-empty").is_visible()
    plot.push({"train/loss": series([3, 2]), "lr": series([0.1]), "val/loss": series([2.5])})
    assert titles(page) == ["loss", "lr"]
    assert legend(page) == {"train/loss": "2", "val/loss": "2.5", "lr": "0.1"}
    assert not page.locator(".cv-empty").is_visible()
    assert ink(page) > 50


def test_the_browser_groups_and_colours_as_the_picture_does(page: Any) -> None:
    names = ["train/loss", "val_loss", "eval/loss", "loss", "test/loss", "valid/loss", "system/cpu"]
    names += ["Training_acc", "validation/acc", "acc/train", "trainer/lr", "val/", "TEST_x", "test"]
    Plot(page).push({name: series([1]) for name in names})
    panels = groups.panels_of(names)
    assert titles(page) == list(panels)
    styles = [style for members in panels.values() for style in groups.styles_of(members)]
    assert list(legend(page)) == [style.name for style in styles]
    swatches = page.evaluate(
        """() => [...document.querySelectorAll(".cv-swatch")].map((swatch) => {
          const { borderTopColor, borderTopStyle } = getComputedStyle(swatch);
          const channels = borderTopColor.match(/\\d+/g).map(Number);
          const hex = channels.map((c) => c.toString(16).padStart(2, "0")).join("");
          return ["#" + hex, borderTopStyle];
        })"""
    )
    lines = {(): "solid", (6, 4): "dashed", (2, 3): "dotted"}
    assert swatches == [[style.color, lines[style.dash]] for style in styles]


def test_new_points_are_added_and_repeated_ones_are_not(page: Any) -> None:
    plot = Plot(page)
    still = [0, 0, 0, 0]  # points at one step are numbered, so the right edge counts them
    plot.push({"a": series([1, 2, 3], steps=still[:3])})
    assert edge(page) == 2
    plot.push({"a": series([1, 2, 3, 4], steps=still)}, starts={"a": 0})
    assert edge(page) == 3
    plot.push({"a": series([1, 2, 3, 4], steps=still)}, starts={"a": 0})
    assert edge(page) == 3
    plot.push({"a": series([5], steps=[0])})
    assert edge(page) == 4
    page.mouse.move(0, 0)
    assert legend(page) == {"a": "5"}
    assert plot.asked == []


def test_a_gap_in_the_messages_is_noticed_asked_for_once_and_filled(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    plot.push({"a": series([9], steps=[8])}, starts={"a": 8})
    plot.push({"a": series([10], steps=[20])}, starts={"a": 20})
    assert plot.asked == [{"kind": "replay"}]
    plot.push({"a": series(range(30))}, starts={"a": 0}, full=True)
    plot.push({"a": series([77], steps=[30])})
    assert plot.asked == [{"kind": "replay"}]
    assert legend(page) == {"a": "77"}


def test_a_page_that_hears_nothing_asks(page: Any) -> None:
    plot = Plot(page)
    page.wait_for_timeout(1700)
    assert plot.asked == [{"kind": "replay"}]


def test_a_second_and_a_reopened_view_show_all_points(page: Any) -> None:
    plot = Plot(page, views=2)
    plot.push({"a": series([1, 2])})
    page.evaluate("(id) => { const v = models[id].views[0]; v.stop(); v.el.remove(); }", plot.id)
    plot.push({"a": series([3], steps=[2])})
    plot.view()
    page.wait_for_timeout(60)
    assert page.locator(".cv-value").all_text_contents() == ["3", "3"]
    assert ink(page, at=0) > 50
    assert ink(page, at=1) > 50


def test_a_closed_view_leaves_nothing_behind(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    page.evaluate("(id) => models[id].views[0].stop()", plot.id)
    assert page.locator(".cvtrack-plot, .uplot").count() == 0
    plot.push({"a": series([3], steps=[2])})
    page.set_viewport_size({"width": 500, "height": 600})
    page.wait_for_timeout(100)
    assert page.locator(".cvtrack-plot, .uplot").count() == 0


def test_what_is_not_a_number_is_a_gap_and_is_named(page: Any) -> None:
    Plot(page).push(
        {
            "a": series([1, math.nan, math.inf, 2, -math.inf]),
            "b": series([math.nan]),
            "c": series([1e300, -1e300]),
            "d": series([5e-324]),
        }
    )
    assert legend(page) == {"a": "−∞", "b": "NaN", "c": "-1e300", "d": "4.941e-324"}
    assert ink(page) > 10  # both points stand alone, as dots


def test_one_point_is_a_dot(page: Any) -> None:
    Plot(page).push({"a": series([0.5])})
    assert ink(page) > 8


def test_hostile_names_stay_text(page: Any) -> None:
    evil = "<img src=x onerror=window.pwned=1>"
    Plot(page, title=evil).push({evil: series([1]), f"__proto__{evil}": series([2])})
    assert evil in titles(page)
    assert page.locator(".cv-run").text_content() == evil
    assert page.locator(".cvtrack-plot img").count() == 0
    assert page.evaluate("window.pwned") is None
    Plot(page).push({"__proto__": series([1]), "constructor": series([2])})
    assert {"__proto__", "constructor"} <= set(titles(page))


def axis_gap(page: Any) -> float:
    """Where the middle value of three stands between the outer ones, from 0 to 1."""
    return float(
        page.evaluate(
            """() => {
              const c = document.querySelector(".uplot canvas");
              const { data, width, height } = c.getContext("2d")
                .getImageData(0, 0, c.width, c.height);
              const rows = (x0, x1) => {
                const hits = [];
                for (let y = 0; y < height; y++) for (let x = x0; x < x1; x++) {
                  const i = 4 * (y * width + x);
                  if (data[i + 3] > 128 && data[i + 2] - data[i] > 100) hits.push(y);
                }
                return hits.reduce((a, b) => a + b, 0) / hits.length;
              };
              const edge = c.getBoundingClientRect().left;
              const box = document.querySelector(".u-over").getBoundingClientRect();
              const left = Math.ceil((box.left - edge) * devicePixelRatio);
              const right = Math.floor((box.right - edge) * devicePixelRatio);
              const middle = Math.round((left + right) / 2);
              const [first, mid, last] =
                [rows(left, left + 2), rows(middle - 1, middle + 1), rows(right - 2, right)];
              return (first - mid) / (first - last);
            }"""
        )
    )


def test_the_log_button_makes_factors_equal_steps(page: Any) -> None:
    Plot(page).push({"a": series([1, 10, 100])})
    log = page.locator(".cv-toggle", has_text="log")
    assert log.get_attribute("aria-pressed") == "false"
    assert axis_gap(page) == pytest.approx(9 / 99, abs=0.03)
    log.click()
    assert log.get_attribute("aria-pressed") == "true"
    assert axis_gap(page) == pytest.approx(0.5, abs=0.03)


def test_a_saved_bundle_needs_nothing_from_elsewhere() -> None:
    text = BUNDLE.read_text(encoding="utf-8")
    assert not re.search(r"""(?:from|import)\s*\(?["']""", text)
    assert len(text) < 100_000


def test_a_log_scale_survives_zero_and_negative_values(page: Any) -> None:
    Plot(page).push({"a": series([0, -1, 10, 100]), "b": series([-1, 0])})
    for button in page.locator(".cv-toggle", has_text="log").all():
        button.click()
    assert ink(page) > 10


def test_a_log_scale_with_nothing_to_draw_says_so(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([0, -1])})
    nothing = page.locator(".cv-nothing")
    assert not nothing.is_visible()
    page.locator(".cv-toggle", has_text="log").click()
    assert nothing.is_visible()
    plot.push({"a": series([1], steps=[2])})
    assert not nothing.is_visible()


def test_the_browser_writes_ticks_as_the_picture_does(page: Any) -> None:
    page.evaluate(
        """() => {
          window.written = [];
          const before = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            if (text) written.push(text);
            before.call(this, text, ...rest);
          };
        }"""
    )

    def ticks_of(values: list[float], log: bool = False) -> set[str]:
        plot = Plot(page)
        page.evaluate("written.length = 0")
        plot.push({"a": series(values, steps=[0, 4])})
        if log:
            page.evaluate("written.length = 0")
            page.locator(".cv-toggle", has_text="log").last.click()
            page.wait_for_timeout(60)
        return set(page.evaluate("written")) - {"0", "1", "2", "3", "4"}

    assert ticks_of([9.4e-4, 1.02e-3]) >= set(text.ticks([9.4e-4, 1e-3]))
    assert ticks_of([9.975e-4, 1.0005e-3]) >= set(text.ticks([9.98e-4, 9.99e-4, 1e-3]))
    assert ticks_of([1e5, 2e6]) >= set(text.ticks([0.5e6, 1e6, 1.5e6]))
    assert ticks_of([2e-5, 5e-5]) >= set(text.ticks([2e-5, 4e-5]))
    assert ticks_of([-50_000, 50_000]) >= set(text.ticks([-50_000, 50_000]))
    assert all("e" in label for label in ticks_of([1e-8, 100], log=True))
    assert ticks_of([0.01, 100], log=True) >= {"0.01", "0.1", "100"}


def test_the_y_axis_is_as_wide_as_its_labels(page: Any) -> None:
    Plot(page).push({"a": series([9.4e-4, 1.02e-3]), "c": series([1, 9])})
    wide, narrow = page.evaluate("[...document.querySelectorAll('.u-over')].map(n => n.offsetLeft)")
    assert wide > narrow + 15
    assert narrow < 30


def test_smoothing_keeps_the_raw_curve_faint(page: Any) -> None:
    Plot(page).push({"a": series([i % 2 for i in range(200)])})
    strong = ink(page)
    slider = page.get_by_label("Smoothing")
    slider.focus()
    for _ in range(9):
        page.keyboard.press("PageUp")
    page.wait_for_timeout(60)
    assert page.locator(".cv-amount").text_content() == "0.9"
    smooth = ink(page)
    assert 50 < smooth < strong / 2
    slider.fill("0")
    page.wait_for_timeout(60)
    assert ink(page) == strong


def test_the_x_axis_is_steps_or_seconds(page: Any) -> None:
    Plot(page).push({"a": series([1, 2, 3], steps=[100, 200, 300])})
    over = page.locator(".u-over")
    over.hover(position={"x": 1, "y": 50})
    assert page.locator(".cv-where").text_content() == "step 100"
    page.locator(".cv-toggle", has_text="time").click()
    over = page.locator(".u-over")
    over.hover(position={"x": over.bounding_box()["width"] - 1, "y": 50})
    assert page.locator(".cv-where").text_content() == "1s"


def test_hovering_shows_the_values_there_also_of_sparser_curves(page: Any) -> None:
    Plot(page).push({"train/a": series(range(100)), "val/a": series([5, 95], steps=[10, 90])})
    over = page.locator(".u-over")
    box = over.bounding_box()
    over.hover(position={"x": box["width"] * 20 / 99, "y": 50})
    assert legend(page) == {"train/a": "20", "val/a": "5"}
    page.mouse.move(0, 0)
    assert legend(page) == {"train/a": "99", "val/a": "95"}


def zoom_in(page: Any) -> None:
    box = page.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(60)


def edge(page: Any) -> int:
    """Return the step at the right edge of the plot."""
    over = page.locator(".u-over")
    over.hover(position={"x": over.bounding_box()["width"] - 1, "y": 50})
    return int(re.sub(r"\D", "", page.locator(".cv-where").text_content()))


def test_a_zoom_stays_while_points_arrive_and_a_double_click_ends_it(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series(range(101))})
    assert edge(page) == 100
    zoom_in(page)
    assert edge(page) == pytest.approx(50, abs=1)
    plot.push({"a": series(range(101, 201), steps=range(101, 201))})
    assert edge(page) == pytest.approx(50, abs=1)
    page.locator(".u-over").dblclick()
    plot.push({"a": series([0], steps=[400])})
    assert edge(page) == 400
    zoom_in(page)
    assert edge(page) < 300
    page.locator(".cv-reset").click()
    assert edge(page) == 400


def test_a_resting_mouse_reads_a_zoomed_plot_while_points_arrive(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series(range(101))})
    zoom_in(page)
    page.evaluate(
        """() => {
          window.heard = new Set();
          const node = document.querySelector(".cv-panel");
          const read = () => heard.add(node.querySelector(".cv-where").textContent + " " +
            node.querySelector(".cv-value").textContent);
          new MutationObserver(read).observe(node, { childList: true, subtree: true });
        }"""
    )
    page.locator(".u-over").hover(position={"x": 100, "y": 50})
    page.wait_for_timeout(60)
    shown = page.locator(".cv-where").text_content()
    page.evaluate("heard.clear()")
    for start in range(101, 151, 10):
        plot.push({"a": series(range(start, start + 10), steps=range(start, start + 10))})
        assert page.locator(".cv-where").text_content() == shown
    step = int(re.sub(r"\D", "", shown))
    assert 25 <= step <= 50
    assert legend(page) == {"a": str(step)}
    assert page.evaluate("[...heard]") in ([], [f"step {step} {step}"])


def test_a_long_run_shows_its_spikes_and_when_zoomed_every_point(page: Any) -> None:
    values = [0.0] * 50_000
    Plot(page).push({"a": series(values)})
    flat = ink(page)
    values[31_234] = 1.0
    Plot(page).push({"a": series(values)})
    assert ink(page, at=1) > flat + 50

    page.evaluate("models.m1.views[0].stop()")
    for _ in range(3):
        zoom_in(page)
    steps = []
    for x in (200, 210):
        page.locator(".u-over").hover(position={"x": x, "y": 50})
        steps.append(int(re.sub(r"\D", "", page.locator(".cv-where").text_content())))
    assert 1 < steps[1] - steps[0] < 40  # a thinned curve has a point for every 55 steps or so
    assert steps[0] % 10 or steps[1] % 10


def test_a_name_in_the_legend_hides_its_curve(page: Any) -> None:
    Plot(page).push({"train/a": series([1, 2]), "val/a": series([2, 1])})
    assert ink(page, "#d55e00") > 20
    key = page.locator(".cv-key", has_text="val/a")
    key.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(60)
    assert key.get_attribute("aria-pressed") == "false"
    assert ink(page, "#d55e00") == 0


def test_points_without_steps_are_drawn_in_their_order(page: Any) -> None:
    Plot(page).push({"a": series([1, 2, 3], steps=[0, 0, 0])})
    assert edge(page) == 2


def test_a_hundred_metrics_show_twelve_panels_until_asked(page: Any) -> None:
    Plot(page).push({f"metric{i}": series([i]) for i in range(100)})
    assert page.locator(".cv-panel").count() == 12
    page.get_by_role("button", name="Show all panels").click()
    page.wait_for_timeout(100)
    assert page.locator(".cv-panel").count() == 100


def test_a_narrow_page_has_one_column_and_nothing_sticks_out(page: Any) -> None:
    Plot(page, title="a very long name " * 9).push(
        {f"train/a_metric_with_a_rather_long_name_{i}": series([i, 2]) for i in range(4)}
    )
    lefts = "[...document.querySelectorAll('.cv-panel')].map((p) => p.offsetLeft)"
    assert len(set(page.evaluate(lefts))) == 2
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(120)
    assert len(set(page.evaluate(lefts))) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_few_panels_fill_a_wide_page_up_to_a_width(page: Any) -> None:
    page.set_viewport_size({"width": 1300, "height": 900})
    widths = "[...document.querySelectorAll('.cv-panel')].map((p) => p.offsetWidth)"
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    assert page.evaluate(widths) == [640]
    plot.push({"b": series([1, 2])})
    assert page.evaluate(widths) == [635, 635]
    plot.push({"c": series([1, 2])})
    assert len(page.evaluate(widths)) == 3
    assert max(page.evaluate(widths)) < 430


def test_the_end_of_the_run_is_shown(page: Any) -> None:
    plot = Plot(page)
    assert page.locator(".cv-status").text_content() == "● running"
    plot.push({}, status="KILLED")
    assert page.locator(".cv-status").text_content() == "■ killed"


def test_it_follows_the_pages_theme(page: Any) -> None:
    Plot(page).push({"a": series([1, 2])})

    def text_color() -> tuple[str, int, int]:
        color = page.evaluate("getComputedStyle(document.querySelector('.cv-title')).color")
        return color, ink(page, "#ff00ff"), ink(page, "#00aa00")

    page.evaluate(
        """() => {
          const style = document.createElement("style");
          style.textContent = `body { --jp-ui-font-color1: #123456; --jp-ui-font-color2: #ff00ff; }
            body.dark { --jp-ui-font-color1: #fedcba; --jp-ui-font-color2: #00aa00; }`;
          document.head.append(style);
          document.body.className = "light";
        }"""
    )
    page.wait_for_timeout(100)
    color, before, after = text_color()
    assert (color, after) == ("rgb(18, 52, 86)", 0)
    assert before > 0
    page.evaluate("document.body.className = 'dark'")
    page.wait_for_timeout(100)
    color, before, after = text_color()
    assert (color, before) == ("rgb(254, 220, 186)", 0)
    assert after > 0


def the_card(name: str = "train/loss", key: str = "") -> str:
    history = {name: series([3, 2, math.nan, 1]), "val/loss": series([3, 2])}
    if name != "train/loss":
        del history["val/loss"]
    picture_of_it = picture.curves_png(history)
    return card.summary_bundle(summary(), picture_of_it, history, key=key)["text/html"]


def header(key: str = "0a1b2c3d", at: float = 1.0) -> str:
    return str(
        card.live_bundle(card.header_bundle("n"), key, "n", {"a": series([at])})["text/html"]
    )


UPDATE = """(html) => { document.querySelector(".output").innerHTML = html; }"""


def test_the_plot_of_a_run_is_put_into_its_header(page: Any) -> None:
    page.evaluate(ADD, header())
    page.evaluate(ADD, header("ffffffff"))
    plot = Plot(page, "my run", views=0, run="0a1b2c3d")
    plot.push({"a": series([1, 2])})
    assert page.locator(".output").first.locator(".cv-run").text_content() == "my run"
    assert ink(page) > 20
    assert "● running n" not in page.locator(".output").first.inner_text()
    assert page.locator(".output").nth(1).inner_text().endswith("● running n · step 0 · a 1")
    page.evaluate(ADD, header())
    assert page.locator(".cvtrack-plot").count() == 2
    page.evaluate("(id) => models[id].stop()", plot.id)
    assert page.locator(".cvtrack-plot").count() == 0


def test_a_header_written_anew_keeps_the_plot_and_how_it_is_looked_at(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.push({"a": series(range(101))})
    zoom_in(page)
    page.evaluate("window.kept = document.querySelector('.cvtrack-plot')")
    seen = page.evaluate(
        f"""async (html) => {{
          const home = document.querySelector(".output");
          const before = home.offsetHeight;
          ({UPDATE})(html);
          await Promise.resolve();
          return [before, home.offsetHeight, home.contains(kept)];
        }}""",
        header(at=2.0),
    )
    assert seen == [seen[0], seen[0], True]
    plot.push({"a": series([101], steps=[101])})
    assert edge(page) == pytest.approx(50, abs=1)
    # A cell that scrolled away comes back with what arrived meanwhile.
    page.mouse.move(0, 0)
    page.evaluate("(window.output = document.querySelector('.output')).remove()")
    plot.push({"b": series([7])})
    page.evaluate("document.body.append(output)")
    assert legend(page) == {"a": "101", "b": "7"}
    page.evaluate(UPDATE, "<b>header</b>")
    page.wait_for_timeout(100)
    assert page.locator(".cvtrack-plot").count() == 0
    page.evaluate(UPDATE, header())
    assert legend(page) == {"a": "101", "b": "7"}


def test_the_card_goes_on_with_the_settings_of_the_live_plot(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.push({"train/loss": series([3, 2, 1]), "val/loss": series([3, 2])})
    page.locator(".cv-toggle", has_text="log").click()
    page.locator(".cv-toggle", has_text="time").click()
    page.get_by_label("Smoothing").fill("0.5")
    page.locator(".cv-key", has_text="val/loss").click()
    page.evaluate(ADD, the_card(key="0a1b2c3d"))
    page.evaluate("(id) => models[id].stop()", plot.id)
    pressed = "(nodes) => nodes.map((n) => n.textContent + n.getAttribute('aria-pressed'))"
    assert page.locator(".cvtrack-plot").count() == 1
    toggles = page.locator(".cv-toggle[aria-pressed]").evaluate_all(pressed)
    assert toggles == ["stepfalse", "timetrue", "logtrue"]
    assert page.get_by_label("Smoothing").input_value() == "0.5"
    assert page.locator(".cv-amount").text_content() == "0.5"
    keys = page.locator(".cv-key").evaluate_all("(n) => n.map((k) => k.ariaPressed)")
    assert keys == ["true", "false"]
    assert ink(page, "#d55e00") == 0
    page.evaluate(ADD, the_card(key="ffffffff"))
    assert page.get_by_label("Smoothing").nth(1).input_value() == "0"


def test_a_card_comes_alive_before_it_is_painted(page: Any) -> None:
    page.evaluate("import('/plot.js')")
    alive = page.evaluate(
        f"""async (html) => {{
          ({ADD})(html);
          await Promise.resolve();
          return document.querySelectorAll(".cvtrack-curves .uplot").length;
        }}""",
        the_card(),
    )
    assert alive == 1


ADD = """(html) => {
  const home = document.createElement("div");
  home.className = "output";
  home.innerHTML = html;
  document.body.append(home);
}"""


def test_a_saved_card_comes_alive_where_the_front_end_is_loaded(page: Any) -> None:
    page.evaluate(ADD, the_card())
    assert page.locator(".cvtrack-curves img").is_visible()
    page.evaluate("import('/plot.js')")
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    assert not page.locator(".cvtrack-curves img").is_visible()
    assert legend(page) == {"train/loss": "1", "val/loss": "2"}
    assert ink(page) > 20


def test_cards_that_come_later_or_with_a_second_bundle_come_alive_once(page: Any) -> None:
    page.evaluate("Promise.all([import('/plot.js'), import('/plot.js?again')])")
    page.evaluate(ADD, the_card())
    page.evaluate(ADD, the_card("<script>window.pwned=1</script>"))
    page.wait_for_timeout(300)
    assert page.locator(".cvtrack-curves .cvtrack-plot").count() == 2
    assert titles(page) == ["loss", "<script>window.pwned=1</script>"]
    assert page.evaluate("window.pwned") is None


def test_a_card_taken_out_of_the_page_and_put_back_comes_alive_again(page: Any) -> None:
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, the_card())
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    page.evaluate("(window.kept = document.querySelector('.output')).remove()")
    page.wait_for_timeout(200)
    assert page.evaluate("kept.querySelectorAll('.uplot').length") == 0
    assert page.evaluate("kept.querySelector('img').style.display") == ""
    page.evaluate("document.body.append(kept)")
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "null",
        "[]",
        '{"series": [null]}',
        '{"series": [{"name": "a", "steps": [1], "values": [], "times": []}]}',
        '{"series": [{"name": {}, "steps": [], "values": [], "times": []}]}',
    ],
)
def test_a_card_with_broken_data_keeps_its_picture(page: Any, data: str) -> None:
    html = re.sub(r'(class="cvtrack-data">).*?(</script>)', rf"\g<1>{data}\2", the_card())
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, html)
    page.wait_for_timeout(200)
    assert page.locator(".cvtrack-curves img").is_visible()
    assert page.locator(".cvtrack-plot").count() == 0
