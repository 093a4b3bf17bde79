"""How fast the plot is with four million points behind it, in the kernel and in the browser."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

from cvtrack_magics.delivery.series import Series
from tests.display.pages import HARNESS, serve
from tests.kernels import Kernel
from tests.lab import chromium

METRICS = ("train/loss", "val/loss", "train/acc", "val/acc")
SPIKE, GAP = 543_210, 600_000  # rows of the first metric

# The points are made in the page: 96 MB would not go through the driver's pipe.
FILL = """
window.wave = (row, at) => Math.exp(-row / 3e5) + 0.02 * Math.sin(row * 1.7 + at);
window.feed = (id, names, start, count, full = false) => {
  const total = names.length * count;
  const steps = new BigInt64Array(total), values = new Float64Array(total);
  const times = new Float64Array(total);
  names.forEach((name, at) => {
    for (let i = 0; i < count; i++) {
      const row = start + i;
      steps[at * count + i] = BigInt(row);
      values[at * count + i] = wave(row, at);
      times[at * count + i] = 1.7e9 + row / 100;
    }
    if (at === 0 && start === 0 && count > %(gap)d) {
      values[%(spike)d] = 7;
      values[%(gap)d] = NaN;
    }
  });
  const columns = [["steps", "int64"], ["values", "float64"], ["times", "float64"]].map(
    ([name, dtype]) => ({ name, dtype, shape: [total] }));
  const message = { kind: "points", full, status: "RUNNING", columns,
    series: names.map((name) => ({ name, start, count, end: start + count })) };
  const buffers = [steps, values, times].map((column) => new DataView(column.buffer));
  for (const callback of models[id].callbacks) callback(message, buffers);
};
window.frame = () => new Promise((done) => requestAnimationFrame(done));
window.fire = (type, node, more) =>
  node.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, ...more }));
""" % {"spike": SPIKE, "gap": GAP}  # noqa: UP031

# One thing a frame, as a hand would do it: wheel in, drag along, move the crosshair, refresh.
PLAY = """async ([id, names, rows, count]) => {
  const over = document.querySelector(".u-over"), box = over.getBoundingClientRect();
  const along = (i) => box.left + 20 + (i * 7) % (box.width - 40);
  const at = (i) => ({ clientX: along(i), clientY: box.top + 60 });
  const zoom = (i) => over.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true,
    ctrlKey: true, deltaY: i % 40 < 20 ? -60 : 60, ...at(i) }));
  const pan = (i) => over.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true,
    shiftKey: true, deltaY: i % 40 < 20 ? 25 : -25, ...at(i) }));
  const point = (i) => fire("mousemove", over, at(i));
  const gaps = {}, work = {}, refresh = [];
  for (const [name, act] of Object.entries({ zoom, pan, point })) {
    gaps[name] = [];
    work[name] = [];
    let last = await frame();
    for (let i = 0; i < count; i++) {
      act(i);
      const now = await frame();
      gaps[name].push(now - last);
      last = now;
      await new Promise((done) => setTimeout(done));
      work[name].push(performance.now() - now);
    }
  }
  fire("dblclick", over);
  await frame();
  for (let i = 0; i < count / 3; i++) {
    await frame();
    const start = performance.now();
    feed(id, names, rows + 10 * i, 10);
    await frame();
    await new Promise((done) => setTimeout(done));
    refresh.push(performance.now() - start);
    await frame();
  }
  // What a refresh costs by itself, without waiting for the screen: take it in and draw it.
  const cost = [], now = window.requestAnimationFrame;
  for (let i = 0; i < count / 3; i++) {
    let drawing = null;
    window.requestAnimationFrame = (draw) => { drawing = draw; return 1; };
    const start = performance.now();
    feed(id, names, rows + 10 * (i + Math.ceil(count / 3)), 10);
    drawing?.(start);
    await Promise.resolve();
    cost.push(performance.now() - start);
    window.requestAnimationFrame = now;
    await frame();
  }
  return { gaps, work, refresh, cost };
}"""


def fill(page: Any, plot: Any, rows: int = 1_000_000) -> None:
    """Give a plot four metrics of so many points, with a spike and a gap in the first."""
    page.evaluate(FILL + "0")
    page.evaluate("([id, names, rows]) => feed(id, names, 0, rows)", [plot, METRICS, rows])
    page.wait_for_timeout(500)


def browser_times(page: Any, plot: Any, rows: int = 1_000_000, count: int = 90) -> dict[str, float]:
    """Play with a filled plot; milliseconds are medians."""
    seen = page.evaluate(PLAY, [plot, METRICS, rows, count])
    gaps = [gap for each in seen["gaps"].values() for gap in each[3:]]
    middle = statistics.median
    return {
        "refresh_ms": middle(seen["cost"]),
        "refresh_to_paint_ms": middle(seen["refresh"]),
        "frame_ms": middle(gaps),
        "frame_p95_ms": sorted(gaps)[int(len(gaps) * 0.95)],
        "frames_per_s": 1000 * len(gaps) / sum(gaps),
        **{f"{name}_work_ms": middle(work) for name, work in seen["work"].items()},
    }


def push_times(rows: int = 1_000_000, refreshes: int = 50) -> dict[str, float]:
    """Measure ``LivePlot.push`` of 10 new steps of four metrics, and of one huge refresh."""
    from cvtrack_magics.display.live import LivePlot

    plot = LivePlot("speed")
    plot._born -= 60
    plot.push({name: _points(0, rows) for name in METRICS})
    took = []
    for at in range(refreshes):
        fresh = {name: _points(rows + 10 * at, 10) for name in METRICS}
        start = time.perf_counter()
        plot.push(fresh)
        took.append(1e3 * (time.perf_counter() - start))
    many = {name: _points(rows + 10 * refreshes, 125_000) for name in METRICS}
    start = time.perf_counter()
    plot.push(many)
    burst = 1e3 * (time.perf_counter() - start)
    start = time.perf_counter()
    plot._replay()
    replay = 1e3 * (time.perf_counter() - start)
    plot.close()
    return {
        "push_ms": statistics.median(took),
        "push_max_ms": max(took),
        "push_500k_ms": burst,
        "replay_ms": replay,
    }


def measure() -> dict[str, float]:
    """Measure both sides.

    Returns
    -------
    dict of str to float
        ``push_ms`` (kernel), ``refresh_ms`` (browser: taking 10 new steps x 4 in and drawing
        them), ``frame_ms`` and ``frames_per_s`` (while zooming, moving and pointing),
        ``points`` (how many were behind), and what they are made of.
    """
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.route("**/*", serve)
        page.goto("http://plot.test/")
        page.evaluate(HARNESS + "0")
        page.evaluate("openModel('m0', 'speed', '').then(() => openView('m0'))")
        fill(page, "m0")
        seen = browser_times(page, "m0")
    return {**kernel_times(), **seen, "points": 4e6}


def kernel_times() -> dict[str, float]:
    """Take ``push_times`` in a real kernel, where messages really leave."""
    with tempfile.TemporaryDirectory() as folder, Kernel(Path(folder)) as kernel:
        code = "import json; from tests.display.speed import push_times; print(json.dumps("
        root = str(Path(__file__).parents[2])
        ran = kernel.run(f"import sys; sys.path.insert(0, {root!r}); {code}push_times()))").check()
        return dict(json.loads(ran.text.strip().splitlines()[-1]))


def _points(start: int, count: int) -> Series:
    steps = array("q", range(start, start + count))
    values = array("d", (math.exp(-step / 3e5) for step in steps))
    return Series(steps, values, array("d", (1.7e9 + step / 100 for step in steps)))


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:>22} {figure:,.2f}")
