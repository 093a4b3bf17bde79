"""What is seen of a run under its cell: a header, the live plot, the summary."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.config import CvTrack
from cvtrack_magics.metrics.series import Series
from cvtrack_magics.records import RunSummary
from cvtrack_magics.runs.host import Host
from cvtrack_magics.runs.spec import RunSpec
from cvtrack_magics.store.tracking import OpenRun

WORDS_EVERY = 10.0  # seconds between two updates of what a notebook saved now would say


class RunView:
    """The outputs of one run.

    The header is shown when the run opens and stays as it is in the saved notebook.
    While points arrive, the header also has the newest values, in words, and a place that
    the live plot fills; at the end the summary with a picture of the curves is shown below
    what the cell printed and the header is put back. So a notebook saved in the middle of a
    run can be read, and one that is executed again shows the same outputs in the same
    order, whatever the timing of the first point was.
    """

    def __init__(self, host: Host, config: CvTrack, spec: RunSpec, parent: str) -> None:
        self._host = host
        self._spec = spec
        self._parent = parent
        self._digits = config.digits
        self._live = spec.plot and config.live_plot and host.interactive_display
        self._display_id = f"cvtrack-{uuid.uuid4().hex}"
        self._key = uuid.uuid4().hex[:8]
        self._header: dict[str, Any] = {}
        self._plot: Any = None
        self._next_update = 0.0
        self._lock = threading.Lock()

    def open(self, run: OpenRun | None) -> None:
        """Show the header."""
        if not self._host.interactive_display:
            return
        from cvtrack_magics.widgets.card import header_bundle

        self._header = header_bundle(
            self._spec.name,
            run_id=run.run_id if run else "",
            url=run.url if run else "",
            parent=self._parent,
            span=self._spec.span,
        )
        self._host.show(self._header, self._display_id)

    def refresh(self, fresh: Mapping[str, Series]) -> None:
        """Show new points; called off the cell's thread."""
        with self._lock:
            if not self._live:
                return
            if self._plot is None:
                from cvtrack_magics.widgets.live import LivePlot

                self._plot = LivePlot(self._spec.name, self._key)
            self._plot.push(fresh)
            if self._header and time.monotonic() >= self._next_update:
                self._update()

    def _update(self) -> None:
        from cvtrack_magics.widgets.card import live_bundle
        from cvtrack_magics.widgets.live import needs_view

        if needs_view():
            self._next_update = math.inf
            self._host.update(self._plot.mimebundle(), self._display_id)
            return
        self._next_update = time.monotonic() + WORDS_EVERY
        bundle = live_bundle(
            self._header, self._key, self._spec.name, self._plot.history, self._digits
        )
        self._host.update(bundle, self._display_id)

    def close(self, summary: RunSummary, history: Mapping[str, Series]) -> None:
        """Show the summary, then take away what moves: the page below never jumps up."""
        from cvtrack_magics.widgets.card import summary_bundle

        with self._lock:
            self._live = False
        picture = self._picture(history)
        if self._plot is not None:
            self._plot.finish(summary.status)
        bundle = summary_bundle(summary, picture, history, digits=self._digits, key=self._key)
        self._host.show(bundle, f"{self._display_id}-summary")
        if self._plot is not None:
            self._host.update(self._header, self._display_id)
            self._plot.close()

    def _picture(self, history: Mapping[str, Series]) -> bytes | None:
        if not (history and self._spec.plot and self._host.interactive_display):
            return None
        try:
            from cvtrack_magics.widgets.picture import curves_png

            return curves_png(history)
        except Exception:  # a picture that cannot be drawn must not cost the summary
            return None
