"""What the cells of an open run give: text, metrics in it, figures, and errors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from cvtrack_magics.capture.output.tee import StreamTee
from cvtrack_magics.run.host import Host
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.printed_metrics import PrintedCurves
from cvtrack_magics.run.spec import RunSpec


class RunCells:
    """The cells that a run is open in, one after the other.

    Parameters
    ----------
    spec : RunSpec
        Says what of their output is recorded.
    host : Host
        Gives the figures that they draw.
    printed : PrintedCurves
        Reads metrics in what they print.
    attempt : callable
        Takes what is tried, and turns a failure of it into a notice.
    """

    def __init__(
        self,
        spec: RunSpec,
        host: Host,
        printed: PrintedCurves,
        attempt: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._spec = spec
        self._host = host
        self._attempt = attempt
        self.printed = printed
        self.tee = StreamTee(lines=printed.take if spec.auto else None)
        self.figures: list[bytes] = []
        self._failures: dict[str, BaseException] = {}

    def enter(self) -> None:
        """Take up the capture of output and figures for a cell."""
        with self._attempt("watch the cell's output"):
            if self._spec.output:
                self.tee.attach()
            if self._spec.figures:
                self._host.start_figures()

    def leave(self) -> None:
        """Put output and figures of the cell aside."""
        with self._attempt("keep the cell's output"):
            if self._spec.figures:
                self.figures += self._host.stop_figures()
            if self._spec.output:
                self.tee.detach()

    def note(self, key: str, error: BaseException | None) -> None:
        """Remember that a cell inside a span failed, until the same cell succeeds."""
        if outcome_of(error) == "FINISHED":
            self._failures.pop(key, None)
        elif error is not None:
            self._failures[key] = error

    @property
    def failure(self) -> BaseException | None:
        """The last failure inside a span that no later success of its cell made good."""
        return next(reversed(self._failures.values()), None)
