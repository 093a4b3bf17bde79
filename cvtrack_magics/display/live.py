"""The live plot under a running cell: new points go out, as buffers, and nothing waits."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.annotations import NOTE, Mark, bars_json, baselines_json, marks_json
from cvtrack_magics.display.busy_kernel import answer_while_busy
from cvtrack_magics.display.plot_widget import PlotWidget
from cvtrack_magics.display.progress import Bar
from cvtrack_magics.display.protocol import REPLAY_POINTS, Allowance, Parts, points_message
from cvtrack_magics.display.series_buffer import extend, overlap, restarts
from cvtrack_magics.display.text import plain

ACTIONS = ("stop", "pause", "mark")
"""What a front end may offer its reader; whoever can be paused can be resumed."""

# A page needs a moment to load the plot's code, and drops what reaches it before that. So
# while a plot is young and small each message repeats the points before it.
_YOUNG_SECONDS = 5.0
_YOUNG_POINTS = 2_000

_BARS_EVERY = 0.05  # seconds between two messages about progress
_MARKS = 200  # the newest notes that are drawn

_allowance = Allowance()


class LivePlot:
    """The curves of one run while it runs, what stands beside them, and buttons.

    Parameters
    ----------
    title : str
        The run's name, shown above the curves.
    run : str
        Where the plot puts itself in the page: into each ``.cvtrack-live`` whose
        ``data-plot`` is this.
    on_action : callable, optional
        Called with an action (``"stop"``, ``"pause"``, ``"resume"`` or ``"mark"``) and the
        note of a mark, on the thread that the message came in on. All of ``ACTIONS`` are
        offered until ``offer`` says otherwise.
    page : bool
        Whether anybody looks: without, nothing is sent, and no widget is left in a notebook
        that was executed by a program.

    Notes
    -----
    All methods may be called from any thread, and none raises because a page or the kernel's
    connection is gone. A message of points holds the new points of all metrics in buffers
    (see ``wire``); its JSON says which part belongs to which metric and where that part
    begins in the metric's series, so that repeated points are recognised and missing ones
    are asked for. A message of state replaces the parts it has. Buttons are shown only after
    a ``hello`` of the page was heard while the cell runs, off the main thread.
    """

    def __init__(
        self,
        title: str,
        run: str = "",
        on_action: Callable[[str, str], None] | None = None,
        *,
        page: bool = True,
    ) -> None:
        self._series: dict[str, Series] = {}
        self._usage: dict[str, Series] = {}
        self._overlays: dict[str, dict[str, Series]] = {}
        self._marks: list[Mark] = []
        self._baselines: dict[str, dict[str, float]] = {}
        self._state: dict[str, object] = {}
        self._status = "RUNNING"
        self._on_action = on_action
        self._offered = frozenset(ACTIONS if on_action else ())
        self._heard = False
        self._bars_due = False
        self._bars_at = 0.0
        self._lock = forks.rlock()
        self._born = time.monotonic()
        self._title = title
        self._widget: PlotWidget | None = None
        if page:
            self._widget = PlotWidget(title=title, run=run)
            self._widget.on_msg(self._asked)
            answer_while_busy(self._widget.comm)

    @property
    def history(self) -> Mapping[str, Series]:
        """The points pushed so far, by metric name: all, or enough to draw them."""
        return self._series

    @property
    def overlays(self) -> Mapping[str, Mapping[str, Series]]:
        """The curves of other runs, by label."""
        return self._overlays

    @property
    def baselines(self) -> Mapping[str, Mapping[str, float]]:
        """The values to beat, by label."""
        return self._baselines

    @property
    def marks(self) -> Sequence[Mark]:
        """The notes so far, oldest first."""
        return tuple(self._marks)

    def push(self, fresh: Mapping[str, Series]) -> None:
        """Send new points.

        Parameters
        ----------
        fresh : mapping of str to Series
            Only the points that were not pushed before, by metric name.
        """
        with self._lock:
            starts = extend(self._series, fresh)
            parts = {name: (starts[name], new) for name, new in fresh.items()}
            young = self._young()
            if young:
                parts = {name: (0, series) for name, series in self._series.items()}
            self._send_points(parts, state=self._state if young or self._bars_due else None)

    def usage(self, fresh: Mapping[str, Series]) -> None:
        """Send new figures of the machine, to be shown apart from the curves, folded in.

        Known names are ``cpu_percent``, ``memory_mb``, ``gpu0_percent``, ``gpu0_memory_mb``, …;
        their newest figures are shown in words even while the curves are folded in.
        """
        with self._lock:
            starts = extend(self._usage, fresh)
            parts = {name: (starts[name], new) for name, new in fresh.items()}
            if self._young():
                parts = {name: (0, series) for name, series in self._usage.items()}
            self._send_points(parts, "usage")

    def overlay(self, label: str, history: Mapping[str, Series]) -> None:
        """Draw another run's curves faintly behind this run's.

        Parameters
        ----------
        label : str
            The other run's name.
        history : mapping of str to Series
            Its points. When called again for a label: all of them once more, of which the
            new ones are added, or just points that follow.
        """
        with self._lock:
            known = self._overlays.setdefault(label, {})
            if any(restarts(known.get(name), series) for name, series in history.items()):
                known.clear()
                known.update({name: series.tail(0) for name, series in history.items()})
                self._replay_points(known, "overlay", label)
                return
            fresh = {
                name: series.tail(overlap(known.get(name), series))
                for name, series in history.items()
            }
            starts = extend(known, fresh)
            parts = {name: (starts[name], new) for name, new in fresh.items()}
            self._send_points(parts, "overlay", label)

    def baseline(self, label: str, values: Mapping[str, float]) -> None:
        """Draw a dashed line, so labelled, at the value to beat of each metric."""
        with self._lock:
            self._baselines[label] = {name: float(value) for name, value in values.items()}
            self._tell("baselines", baselines_json(self._baselines))

    def mark(self, step: int, text: str) -> None:
        """Draw a thin line at a step, with a note."""
        with self._lock:
            note = Mark(int(step), plain(text)[:NOTE], time.time())
            self._marks = [*self._marks, note][-_MARKS:]
            self._tell("marks", marks_json(self._marks))

    def progress(self, bars: Sequence[Bar]) -> None:
        """Show how far the run's loops have come, outermost first; replaces those before."""
        with self._lock:
            now = time.monotonic()
            self._state["bars"] = bars_json(bars)
            self._bars_due = now - self._bars_at < _BARS_EVERY
            if not self._bars_due:  # what is held back goes with the next points
                self._bars_at = now
                self._tell("bars", self._state["bars"])

    def control(self, state: str, note: str = "") -> None:
        """Say what came of a click.

        Parameters
        ----------
        state : str
            ``"running"``, ``"paused"``, ``"stopping"`` or ``"stopped"``.
        note : str
            What follows the state in words, such as ``"at step 412"``.
        """
        with self._lock:
            self._tell("control", {"state": state, "note": plain(note)[:NOTE]})

    def offer(self, actions: Collection[str]) -> None:
        """Say which of ``ACTIONS`` would be honoured now; the others have no button."""
        with self._lock:
            offered = frozenset(actions) & frozenset(ACTIONS)
            if offered == self._offered:
                return
            self._offered = offered
            if self._heard:
                self._send_live()

    def finish(self, status: str) -> None:
        """Send the last message: how the run ended (``"FINISHED"``, ``"FAILED"``, …)."""
        with self._lock:
            self._status = status
            small = sum(map(len, self._series.values())) <= _YOUNG_POINTS
            parts = {k: (0, s) for k, s in self._series.items()} if small else {}
            self._send_points(parts, state=self._state)

    @property
    def is_drawn(self) -> bool:
        """Whether a page said that it draws the plot, as far as a busy kernel can hear it."""
        return self._heard

    def mimebundle(self) -> dict[str, object]:
        """Return what to display: a view of the widget, and a line where there are none."""
        words: dict[str, object] = {"text/plain": f"● {self._title}"}
        return words if self._widget is None else {**words, **self._widget.view()}

    def close(self) -> None:
        """Take the plot out of the page; what was shown under the cell stays the caller's."""
        with self._lock, contextlib.suppress(Exception):
            self._status = "CLOSED" if self._status == "RUNNING" else self._status
            if self._widget is not None:
                self._widget.close_whole()

    def _young(self) -> bool:
        if time.monotonic() - self._born > _YOUNG_SECONDS:
            return False
        return sum(map(len, self._series.values())) <= _YOUNG_POINTS

    def _asked(self, _widget: object, content: Any, _buffers: object) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "replay":
            self._replay()
        elif kind == "hello":
            self._greet()
        elif kind == "action":
            self._act(content.get("action"), content.get("text", ""))

    def _replay(self) -> None:
        with self._lock:
            self._replay_points(self._series, state=self._state)
            for label, series in self._overlays.items():
                self._replay_points(series, "overlay", label)
            if self._usage:
                self._replay_points(self._usage, "usage")

    def _greet(self) -> None:
        # On the main thread this is heard between cells: a click would come too late.
        if threading.current_thread() is threading.main_thread():
            return
        with self._lock:
            if self._status == "RUNNING":
                self._heard = True
                self._send_live()

    def _act(self, action: object, text: object) -> None:
        if not (isinstance(action, str) and isinstance(text, str)):
            return
        with self._lock:
            honoured = "pause" if action == "resume" else action
            running = self._status == "RUNNING"
            act = self._on_action if running and honoured in self._offered else None
        if act is not None:
            with contextlib.suppress(Exception):  # without the lock: it may call us back
                act(action, plain(text[: 2 * NOTE])[:NOTE])

    def _tell(self, part: str, value: object) -> None:
        self._state[part] = value
        self._send({"kind": "state", "state": {part: value}}, [])

    def _send_live(self) -> None:
        actions = [action for action in ACTIONS if action in self._offered]
        self._send({"kind": "live", "actions": actions}, [])

    def _replay_points(
        self,
        known: Mapping[str, Series],
        family: str = "run",
        label: str = "",
        state: Mapping[str, object] | None = None,
    ) -> None:
        parts = {name: (0, series) for name, series in known.items()}
        self._send_points(parts, family, label, full=True, state=state)

    def _send_points(
        self,
        parts: Parts,
        family: str = "run",
        label: str = "",
        full: bool = False,
        state: Mapping[str, object] | None = None,
    ) -> None:
        if self._widget is None:
            return
        families = {"run": self._series, "usage": self._usage}
        known = self._overlays.get(label, {}) if family == "overlay" else families[family]
        ends = {name: known[name].count for name in parts}
        wanted = sum(len(part) for _, part in parts.values())
        limit = _allowance.take(min(wanted, REPLAY_POINTS) if full else wanted)
        message, buffers = points_message(parts, ends, limit)
        message |= {"family": family, "label": label, "full": full, "status": self._status}
        if state:
            message["state"] = state
            self._bars_due = False
        self._send(message, buffers)

    def _send(self, message: Mapping[str, Any], buffers: list[bytes]) -> None:
        if self._widget is None:
            return
        with contextlib.suppress(Exception):  # a front end that is gone must not stop training
            self._widget.send(message, buffers)
