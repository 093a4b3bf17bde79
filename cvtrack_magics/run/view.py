"""What is seen of a run under its cell: a header, the live plot, the summary."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics import forks
from cvtrack_magics.config import CvTrack
from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.annotations import Mark
from cvtrack_magics.records import RunSummary
from cvtrack_magics.run.host import Host
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.store.tracking import OpenRun

if TYPE_CHECKING:
    from cvtrack_magics.display.live import LivePlot
    from cvtrack_magics.display.progress import Bar

NEWS_AFTER = 1.0  # seconds after an update that the first values of a metric wait
WORDS_EVERY = 10.0  # seconds between two updates of what a notebook saved now would say
POOR_EVERY = 4.0  # the same where no page was heard to draw the plot: this is all that is seen
PICTURE_AFTER = 5.0  # seconds after the first points, so that a short run draws no picture twice
NOTHING = {"text/plain": "", "text/html": "<span></span>"}  # an output that is there and empty
PICTURE_SHARE = 0.01  # of a processor's time, for pictures

SYSTEM = UNSEEN  # MLflow too shows metrics under this prefix apart


class RunView:
    """The outputs of one run.

    The header is shown when the run opens and stays as it is in the saved notebook.
    While points arrive, the header also has the newest values, in words, and a place that
    the live plot fills; at the end the summary with a picture of the curves is shown below
    what the cell printed and the header is put back. So a notebook saved in the middle of a
    run can be read, and one that is executed again shows the same outputs in the same
    order, whatever the timing of the first point was.

    Where a page runs a widget's code only if a view of it is displayed, that is an output of
    its own: a page that cannot load the widget shows the words and the picture all the same.
    """

    def __init__(
        self,
        host: Host,
        config: CvTrack,
        spec: RunSpec,
        parent: str,
        on_action: Callable[[str, str], None] | None = None,
    ) -> None:
        self._host = host
        self._spec = spec
        self._parent = parent
        self._on_action = on_action
        self._digits = config.digits
        wanted = config.live_plot if spec.plot is None else spec.plot
        self._live = wanted and host.interactive_display
        self._display_id = f"cvtrack-{uuid.uuid4().hex}"
        self._places = [self._display_id]
        self._key = uuid.uuid4().hex[:8]
        self._header: dict[str, Any] = {}
        self._plot: LivePlot | None = None
        self._waiting: list[Callable[[LivePlot], None]] = []
        self._bars = ""
        self._loops: Sequence[Bar] = ()
        self._told = 0
        self._marks: list[Mark] = []
        self._baselines: dict[str, Mapping[str, float]] = {}
        self._overlays: dict[str, Mapping[str, Series]] = {}
        self._next_update = 0.0
        self._updated = -math.inf
        self._next_picture = math.inf
        self._picture_so_far: bytes | None = None
        self._anchored = False
        self._paused = False
        self._lock = forks.rlock()

    def open(self, run: OpenRun | None) -> None:
        """Show the header."""
        if not self._host.interactive_display or self._spec.quiet:
            return
        from cvtrack_magics.display.card import header_bundle
        from cvtrack_magics.display.colab import let_draw

        let_draw()
        self._header = header_bundle(
            self._spec.name,
            run_id=run.run_id if run and not run.local else "",
            url=run.url if run else "",
            parent=self._parent,
            until=self._spec.until,
        )
        self._host.show(self._header, self._display_id)
        if self._needs_view():
            self._anchored = True
            self._host.show(NOTHING, self._anchor)

    def _needs_view(self) -> bool:
        from cvtrack_magics.display.plot_widget import needs_view

        return self._live and self._host.has_page and needs_view()

    @property
    def _anchor(self) -> str:
        """The output that the plot's view is put into."""
        return f"{self._display_id}-view"

    def show_again(self) -> None:
        """Show the header once more, with the live plot in it where there is one."""
        with self._lock:
            if not self._host.interactive_display:
                self._host.say(str(self._words()["text/plain"]))
                return
            place = f"{self._display_id}-{len(self._places)}"
            self._places.append(place)
            self._host.show(self._words(), place)

    def _words(self) -> Mapping[str, Any]:
        """Return what the header says now."""
        from cvtrack_magics.display.card import header_bundle, live_bundle

        header = self._header or header_bundle(self._spec.name, parent=self._parent)
        if self._plot is None:
            return header
        place = (header, self._key, self._spec.name, self._plot.history, self._digits)
        return live_bundle(
            *place,
            bars=self._loops,
            paused=self._paused,
            heard=not self._poor,
            picture=self._picture_so_far,
        )

    @property
    def _poor(self) -> bool:
        """Whether no page was heard to draw the plot, where that needs a view of it."""
        return self._anchored and self._plot is not None and not self._plot.is_drawn

    def _update_places(self, bundle: Mapping[str, Any]) -> None:
        for place in self._places:
            self._host.update(bundle, place)

    # -- while the run is open; called off the cell's thread

    def refresh(self, fresh: Mapping[str, Series]) -> None:
        """Show new points."""
        used = {
            name.removeprefix(SYSTEM): series
            for name, series in fresh.items()
            if name.startswith(SYSTEM)
        }
        curves = {name: series for name, series in fresh.items() if not name.startswith(SYSTEM)}
        if curves:
            self._with_plot(lambda plot: plot.push(curves), begin=True)
        if used:
            self._with_plot(lambda plot: plot.usage(used))

    def progress(self, bars: Sequence[Bar], offers: Collection[str]) -> None:
        """Show how far loops have come, and offer the buttons that would be honoured."""
        self._with_plot(lambda plot: plot.offer(offers), keep=False)
        self._loops = bars
        if bars:
            self._with_plot(lambda plot: plot.progress(bars), begin=True)
        if not self._host.interactive_display:
            from cvtrack_magics.display.progress import bar_text

            line = "  ".join(bar_text(bar, 80 // len(bars)) for bar in bars)
            if line != self._bars:
                self._bars = line
                self._host.line(line)

    def control(self, state: str, note: str) -> None:
        """Say what came of a click."""
        if self._paused != (state == "paused"):
            self._paused = state == "paused"
            self._next_update = 0.0  # a notebook saved now says so
        self._with_plot(lambda plot: plot.control(state, note))

    def mark(self, step: int, text: str) -> None:
        """Show a note."""
        self._marks.append(Mark(step, text, time.time()))
        self._with_plot(lambda plot: plot.mark(step, text))

    def warn(self, step: int, text: str) -> None:
        """Show what is wrong while there is time to do something about it."""
        if self._host.interactive_display:
            self.mark(step, text)
        elif not self._spec.quiet:
            self._host.say(f"cvtrack: {text}")

    def baseline(self, label: str, values: Mapping[str, float]) -> None:
        """Show values to beat."""
        self._baselines[label] = values
        self._with_plot(lambda plot: plot.baseline(label, values))

    def overlay(self, label: str, history: Mapping[str, Series]) -> None:
        """Show another run's curves."""
        self._overlays[label] = history
        self._with_plot(lambda plot: plot.overlay(label, history))

    def _with_plot(
        self, act: Callable[[LivePlot], None], *, begin: bool = False, keep: bool = True
    ) -> None:
        """Do something to the plot, which begins with the first points or the first bar."""
        with self._lock:
            if not self._live:
                return
            if self._plot is None and not begin:
                self._waiting += [act] * keep
                return
            if self._plot is None:
                from cvtrack_magics.display.live import LivePlot

                asked = (self._spec.name, self._key, self._on_action)
                self._plot = LivePlot(*asked, page=self._host.has_page)
                self._next_picture = time.monotonic() + PICTURE_AFTER
                if self._anchored:
                    self._host.update(self._plot.mimebundle(), self._anchor)
                for earlier in self._waiting:
                    earlier(self._plot)
                self._waiting.clear()
            act(self._plot)
            if begin and self._header and self._host.is_gone(self._display_id):
                # clear_output(), as loops have it that draw anew, takes what is ours along
                self._host.show_again(self._words(), self._display_id)
            elif begin and self._header and self._is_time_for_words():
                self._update()

    def _is_time_for_words(self) -> bool:
        """Whether what a notebook saved now would say is old, or lacks a metric."""
        news = self._plot is not None and len(self._plot.history) > self._told
        due = self._updated + NEWS_AFTER if news else self._next_update
        return time.monotonic() >= min(due, self._next_update)

    def _update(self) -> None:
        self._told = len(self._plot.history) if self._plot is not None else 0
        self._updated = time.monotonic()
        self._next_update = self._updated + (POOR_EVERY if self._poor else WORDS_EVERY)
        self._draw_so_far()
        self._update_places(self._words())

    def _draw_so_far(self) -> None:
        """Draw the curves anew, at most as often as costs little."""
        now = time.monotonic()
        if self._plot is None or now < self._next_picture:
            return
        began = time.thread_time()
        self._picture_so_far = self._picture(self._plot.history, self._beside())
        self._next_picture = now + (time.thread_time() - began) / PICTURE_SHARE

    # -- at the end

    def close(
        self, summary: RunSummary, history: Mapping[str, Series], *, brief: bool = False
    ) -> None:
        """Show the summary, then take away what moves: the page below never jumps up.

        A ``brief`` one is a line: the card of the run above has a table of such runs.
        """
        from cvtrack_magics.display.card import summary_bundle
        from cvtrack_magics.display.children import line_bundle

        with self._lock:
            self._live = False
        if self._spec.quiet:
            return
        plot = self._plot
        beside = self._beside()
        if plot is not None:
            plot.finish(summary.status)
        bundle: Mapping[str, Any]
        if brief:
            bundle = line_bundle(summary, self._digits)
        else:
            picture = self._picture(history, beside)
            words = {"digits": self._digits, "key": self._key}
            bundle = summary_bundle(summary, picture, history, **words, **beside)
        self._host.line("")
        self._host.show(bundle, f"{self._display_id}-summary")
        if plot is not None:
            self._update_places(self._header)
            if self._anchored:
                self._host.update(NOTHING, self._anchor)
            plot.close()

    def _beside(self) -> dict[str, Any]:
        """Return what is shown beside the run's own curves."""
        return {"marks": self._marks, "baselines": self._baselines, "overlays": self._overlays}

    def _picture(self, history: Mapping[str, Series], beside: Mapping[str, Any]) -> bytes | None:
        some = history or self._overlays
        if not some or self._spec.plot is False or not self._host.interactive_display:
            return None
        try:
            from cvtrack_magics.display.picture import curves_png

            return curves_png(history, **beside)
        except Exception:  # a picture that cannot be drawn must not cost the summary
            return None
