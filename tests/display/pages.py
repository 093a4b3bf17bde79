"""A page with our front end in it, fed as a kernel would feed it."""

from __future__ import annotations

import math
import re
import shutil
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display import card, picture
from tests.display.helpers import series, summary

BUNDLE = Path(card.__file__).parent / "static" / "plot.js"

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium"),
    pytest.mark.skipif(not BUNDLE.exists(), reason="the front end is not built"),
]

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

ADD = """(html) => {
  const home = document.createElement("div");
  home.className = "output";
  home.innerHTML = html;
  document.body.append(home);
}"""


def serve(route: Any) -> None:
    """Answer for a page that has the front end and nothing else."""
    if "/plot.js" in route.request.url:
        route.fulfill(body=BUNDLE.read_text(), content_type="text/javascript")
    else:
        html = "<!doctype html><html><body></body></html>"
        route.fulfill(body=html, content_type="text/html")


def settle(page: Any, milliseconds: float = 60) -> None:
    """Wait until what was asked for is drawn, which takes a slow machine longer."""
    page.wait_for_timeout(milliseconds)
    page.evaluate(
        """async () => {
          for (let i = 0; i < 3; i++) await new Promise((done) => requestAnimationFrame(done));
        }"""
    )


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
        **more: object,
    ) -> None:
        steps, values, times, entries = array("q"), array("d"), array("d"), []
        for name, part in parts.items():
            start = (starts or {}).get(name, self.ends.get(f"{more}{name}", 0) if not starts else 0)
            end = self.ends[f"{more}{name}"] = start + len(part)
            entries.append({"name": name, "start": start, "count": len(part), "end": end})
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
            **more,
        }
        buffers = [list(column.tobytes()) for column in (steps, values, times)]
        self.page.evaluate("(args) => deliver(...args)", [self.id, message, buffers])
        settle(self.page)

    def tell(self, **message: object) -> None:
        """Deliver a message without points."""
        self.page.evaluate("(args) => deliver(...args)", [self.id, message, []])
        settle(self.page)

    def state(self, **parts: object) -> None:
        """Deliver what is shown beside the curves."""
        self.tell(kind="state", state=parts)

    @property
    def sent(self) -> list[Any]:
        """All that the page has sent."""
        return list(self.page.evaluate("(id) => models[id].sent", self.id))

    @property
    def asked(self) -> list[Any]:
        """What the page has asked for or done, beside its greeting."""
        return [message for message in self.sent if message != {"kind": "hello"}]


def drawn(page: Any, at: int = 0) -> list[list[float | None]]:
    """Return the columns that a plot draws now: x, raw curves, smooth ones, other runs'."""
    code = """(at) => {
      const home = document.querySelectorAll(".cv-plot")[at];
      const { data } = home[Symbol.for("cvtrack_magics.plot")];
      return data.map((column) => [...column].map((cell) => cell === undefined ? "" : cell));
    }"""
    return list(page.evaluate(code, at))


def titles(page: Any) -> list[str]:
    return list(page.locator(".cv-title").all_text_contents())


def legend(page: Any) -> dict[str, str]:
    keys = page.locator(".cv-key")
    names = keys.locator(".cv-name").all_text_contents()
    return dict(zip(names, keys.locator(".cv-value").all_text_contents(), strict=True))


def ink(page: Any, color: str = "#4098e3", at: int = 0) -> int:
    canvas = page.locator(".uplot canvas").nth(at).element_handle()
    return int(page.evaluate("([canvas, color]) => ink(canvas, color)", [canvas, color]))


def zoom_in(page: Any) -> None:
    box = page.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    settle(page)


def edge(page: Any) -> int:
    """Return the step at the right edge of the plot."""
    over = page.locator(".u-over")
    over.hover(position={"x": over.bounding_box()["width"] - 1, "y": 50})
    return int(re.sub(r"\D", "", page.locator(".cv-where").text_content()))


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
