"""The live plot under a running cell: new points go out, as buffers, and nothing waits."""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cvtrack_magics.metrics.series import Series
from cvtrack_magics.widgets.decimate import decimate

VIEW_MIME = "application/vnd.jupyter.widget-view+json"

_BUNDLE = Path(__file__).parent / "static" / "plot.js"
_NOT_BUILT = """export default { render({ el }) {
  el.textContent = "The live plot was not built: pip install cvtrack_magics again.";
} };"""

# A page needs a moment to load the plot's code, and drops what reaches it before that. So
# while a plot is young and small each message repeats the points before it.
_YOUNG_SECONDS = 5.0
_YOUNG_POINTS = 2_000

# A Jupyter server drops a kernel's messages beyond 3 MB within three seconds.
_REPLAY_POINTS = 40_000


class _PlotWidget(anywidget.AnyWidget):
    _esm = _BUNDLE.read_text(encoding="utf-8") if _BUNDLE.exists() else _NOT_BUILT
    title = traitlets.Unicode().tag(sync=True)
    run = traitlets.Unicode().tag(sync=True)


def needs_view() -> bool:
    """Say whether this front end runs a widget's code only where a view of it is displayed.

    JupyterLab and Notebook 7 run it as soon as the widget is opened, so that the plot can
    put itself into plain HTML, which a notebook saved in the middle of a run still shows.
    VS Code (which names the notebook in the user's namespace, and starts its own kernels
    without a Jupyter session) and Colab wait for a view.
    """
    return (
        "google.colab" in sys.modules
        or "__vsc_ipynb_file__" in vars(sys.modules["__main__"])
        or ("VSCODE_PID" in os.environ and "JPY_SESSION_NAME" not in os.environ)
    )


class LivePlot:
    """The curves of one run while it runs.

    Parameters
    ----------
    title : str
        The run's name, shown above the curves.
    run : str
        Where the plot puts itself in the page: into each ``.cvtrack-live`` whose
        ``data-plot`` is this.

    Notes
    -----
    All methods may be called from any thread. A message holds the new points of all
    metrics in three buffers, ``steps`` (int64), ``values`` and ``times`` (float64, Unix
    seconds), one metric after the other; its JSON says which part belongs to which
    metric and where that part begins in the metric's series, so that repeated points
    are recognised and missing ones are asked for.
    """

    def __init__(self, title: str, run: str = "") -> None:
        self._series: dict[str, Series] = {}
        self._status = "RUNNING"
        self._lock = threading.RLock()
        self._born = time.monotonic()
        self._widget = _PlotWidget(title=title, run=run)
        self._widget.on_msg(self._asked)
        _answer_while_busy(self._widget.comm)

    @property
    def history(self) -> Mapping[str, Series]:
        """All points pushed so far, by metric name."""
        return self._series

    def push(self, fresh: Mapping[str, Series]) -> None:
        """Send new points.

        Parameters
        ----------
        fresh : mapping of str to Series
            Only the points that were not pushed before, by metric name.
        """
        with self._lock:
            starts: dict[str, int] = {}
            for name, new in fresh.items():
                series = self._series.setdefault(name, Series())
                starts[name] = len(series)
                series.steps.extend(new.steps)
                series.values.extend(new.values)
                series.times.extend(new.times)
            if self._young():
                self._send({name: (0, series) for name, series in self._series.items()})
            else:
                self._send({name: (starts[name], new) for name, new in fresh.items()})

    def finish(self, status: str) -> None:
        """Send the last message: how the run ended (``"FINISHED"``, ``"FAILED"``, …)."""
        with self._lock:
            self._status = status
            small = sum(map(len, self._series.values())) <= _YOUNG_POINTS
            self._send({k: (0, s) for k, s in self._series.items()} if small else {})

    def mimebundle(self) -> dict[str, object]:
        """Return what to display: a view of the widget, and a line where there are none."""
        return {
            "text/plain": f"● {self._widget.title}",
            VIEW_MIME: {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._widget.model_id,
            },
        }

    def close(self) -> None:
        """Take the plot out of the page; what was shown under the cell stays the caller's."""
        with self._lock:
            self._widget.close()

    def _young(self) -> bool:
        if time.monotonic() - self._born > _YOUNG_SECONDS:
            return False
        return sum(map(len, self._series.values())) <= _YOUNG_POINTS

    def _asked(self, _widget: object, content: Any, _buffers: object) -> None:
        if not isinstance(content, dict) or content.get("kind") != "replay":
            return
        with self._lock:
            limit = _REPLAY_POINTS // max(1, len(self._series))
            parts = {name: (0, decimate(series, limit)) for name, series in self._series.items()}
            self._send(parts, full=True)

    def _send(self, parts: Mapping[str, tuple[int, Series]], full: bool = False) -> None:
        steps, values, times = array("q"), array("d"), array("d")
        entries = []
        for name, (start, part) in parts.items():
            steps.extend(part.steps)
            values.extend(part.values)
            times.extend(part.times)
            entries.append(
                {
                    "name": name,
                    "start": start,
                    "count": len(part),
                    "end": len(self._series[name]),
                }
            )
        shape = [len(steps)]
        message = {
            "kind": "points",
            "full": full,
            "status": self._status,
            "series": entries,
            "columns": [
                {"name": "steps", "dtype": "int64", "shape": shape},
                {"name": "values", "dtype": "float64", "shape": shape},
                {"name": "times", "dtype": "float64", "shape": shape},
            ],
        }
        self._widget.send(message, [steps.tobytes(), values.tobytes(), times.tobytes()])


def _answer_while_busy(comm: Any) -> None:
    """Let a page that reloads during a long cell get its points at once.

    A kernel with subshells (ipykernel 7.4) sends a page's message to the shell that last
    used the comm, which is the one that runs the cell; the page's own choice is better.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default
