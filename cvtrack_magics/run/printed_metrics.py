"""Metrics of a run whose code logs none, read from what it prints."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cvtrack_magics import forks
from cvtrack_magics.capture.output.printed import (
    Printed,
    PrintedMetrics,
    heads_epochs,
    row_of,
)
from cvtrack_magics.capture.output.tables import may_head_epochs, rows_of
from cvtrack_magics.capture.output.tracebacks import Tracebacks
from cvtrack_magics.console import is_ours
from cvtrack_magics.delivery.channel import UNSEEN, Channel
from cvtrack_magics.records import Notice
from cvtrack_magics.redact import kind_and_line

OF_RANKS = "[rank "
"""Before the lines of ranks that another one records for; they have the same numbers."""
PREFIX = "printed/"
"""Before the names of metrics that were read from what was printed."""
HOLD = 2.0  # seconds that lines wait, in which the code may log something itself
AT_ONCE = 20  # lines that are read at one time, so that the training loop is not disturbed
MANY = 1_000  # lines that wait, from which on ten times as many are read
WAITING = 10_000  # lines that may wait to be read
MOST_TABLES = 100  # that are looked at
SHOWN = 6  # names in the line that says what was read
BARS, COMPUTED = "tqdm/", ("torchmetrics/", "sklearn/")
"""Before the names of what progress bars show, and of what metric functions gave the cell."""
_NO_LOGGED = (PREFIX, BARS, *COMPUTED, UNSEEN)
"""Before the names of metrics that are no sign of code that logs itself."""


@dataclass(frozen=True)
class _Given:
    """Numbers that came as such, by their full names."""

    values: Mapping[str, float]
    step: int | None


class PrintedCurves:
    """Turns what is printed in a run into metrics, until the run has one of another origin.

    Parameters
    ----------
    channel : callable
        Returns where the run's metrics go.
    is_asked : callable
        Says whether what is printed now is this run's, and is to be read.
    least_step : callable
        Returns the step from which on a metric has no points, by its name.
    will_log : callable
        Says whether the code is about to log something itself: lines then wait for it.
    """

    def __init__(
        self,
        channel: Callable[[], Channel],
        is_asked: Callable[[], bool],
        least_step: Callable[[str], int],
        will_log: Callable[[], bool] = lambda: False,
    ) -> None:
        self._channel = channel
        self._is_asked = is_asked
        self._least_step = least_step
        self._will_log = will_log
        self._expects: bool | None = None
        self._waiting: deque[tuple[float, str | _Given]] = deque()
        self._left_out = 0
        self._reader = PrintedMetrics()
        self._tracebacks = Tracebacks()
        self._tables: dict[str, tuple[float, str]] = {}
        self._tables_seen: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self._tables_read = 0.0
        self._next: dict[str, int] = {}
        self._points = 0
        self._over = False
        self._problem = ""
        self._lock = forks.rlock()

    def take(self, lines: str) -> None:
        """Take whole lines, in the thread that prints them; they are read later."""
        if self._over or is_ours() or not self._is_asked():
            return
        if len(self._waiting) > WAITING:
            self._left_out += lines.count("\n") + 1
            return
        shown = [line for line in lines.split("\n") if not line.startswith(OF_RANKS)]
        self._waiting.extend((time.time(), line) for line in shown)

    def take_values(self, values: Mapping[str, float], step: int | None) -> None:
        """Take numbers that are shown and not printed; they are recorded later.

        Parameters
        ----------
        values : mapping of str to float
            By their full names.
        step : int, optional
            Without it they are counted.
        """
        if self._over or not self._is_asked():
            return
        if len(self._waiting) > WAITING:
            self._left_out += 1
            return
        self._waiting.append((time.time(), _Given(dict(values), step)))

    def take_table(self, key: str, html: str) -> None:
        """Take what was displayed, or what is displayed in its place now; it is read later."""
        if self._over or is_ours() or not may_head_epochs(html) or not self._is_asked():
            return
        if key in self._tables or len(self._tables) < MOST_TABLES:
            self._tables[key or f"#{len(self._tables)}"] = (time.time(), html)

    def read(self, *, last: bool = False) -> None:
        """Read some of the lines that have waited long enough; ``last`` reads all."""
        with self._lock:
            if self._over or not (self._waiting or self._tables):
                return
            try:
                self._read(last=last)
            except Exception as error:  # no fault of ours keeps the points from the plot
                self._give_up()
                self._problem = kind_and_line(error)

    def _read(self, *, last: bool) -> None:
        if last:
            self._channel().drain()
        elif self._is_early():
            return
        if last or time.monotonic() - self._tables_read > HOLD:
            self._tables_read = time.monotonic()
            self._read_tables(last=last)
        before = time.time() - HOLD
        left = AT_ONCE if len(self._waiting) < MANY else 10 * AT_ONCE
        while self._waiting and (last or (left and self._waiting[0][0] < before)):
            left -= 1
            if self._logs_itself():
                self._give_up()
                return
            at, line = self._waiting.popleft()
            self._read_one(line, int(at * 1000))

    def _is_early(self) -> bool:
        """Whether the code may still log itself: the first line has waited, and it has not yet.

        One look is enough, after the imports and definitions of the cell; it costs some
        milliseconds. Many lines wait no longer: it seems not to log after all.
        """
        if len(self._waiting) > WAITING // 2:
            return False
        if self._expects is None:
            if self._waiting and self._waiting[0][0] > time.time() - HOLD:
                return True
            self._expects = self._will_log()
        return self._expects and not self._logs_itself()

    def _read_one(self, line: str | _Given, unix_ms: int) -> None:
        if isinstance(line, _Given):
            self._put(line.values, line.step, unix_ms)
            return
        if self._tracebacks.has(line):
            return
        found = self._reader.read(line)
        if found is not None:
            self._write(found, unix_ms)

    def _give_up(self) -> None:
        """Read nothing more."""
        self._over = True
        self._waiting.clear()
        self._tables.clear()

    def _read_tables(self, *, last: bool) -> None:
        """Read the rows that a table has more than when it was read before.

        Its last row may still change, and waits for the next one or for the run's end.
        """
        for key, (at, html) in list(self._tables.items()):
            if self._logs_itself():
                return
            if not last and (at > time.time() - HOLD or self._tables_seen.get(key) == html):
                continue
            self._tables_seen[key] = html
            for number, (heads, *cells) in enumerate(filter(None, rows_of(html))):
                skipped = 1 if heads and not heads[0] else 0  # a data frame's index
                if not heads_epochs(heads[skipped:]):
                    continue
                place = f"{key}/{number}"
                whole = cells if last else cells[:-1]
                for row in whole[self._rows.get(place, 0) :]:
                    found = row_of(heads[skipped:], row[skipped:])
                    if found is not None:
                        self._write(found, int(at * 1000))
                self._rows[place] = max(self._rows.get(place, 0), len(whole))

    def said(self) -> list[Notice]:
        """Say which metrics were read."""
        problem = [Notice(f"What the cell shows was not read: {self._problem}")] * bool(
            self._problem
        )
        names = list(self._next)
        if not names:
            return problem
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        points = f"{self._points:,} point{'s' if self._points != 1 else ''}"
        if self._left_out:
            points += f"; {self._left_out:,} lines came too fast to be read"
        return [
            *problem,
            Notice(
                f"Metrics read from what the cell shows: {', '.join(names[:SHOWN])}{more} "
                f"({points}). --no-auto leaves them out."
            ),
        ]

    def _logs_itself(self) -> bool:
        names = list(self._channel().history.series)
        return any(not name.startswith(_NO_LOGGED) for name in names)

    def _write(self, found: Printed, unix_ms: int) -> None:
        """Write what was printed, but for what a progress bar has said already."""
        values = {
            PREFIX + name: value
            for name, value in found.values.items()
            if BARS + name not in self._next
        }
        self._put(values, found.step, unix_ms)

    def _put(self, values: Mapping[str, float], at: int | None, unix_ms: int) -> None:
        groups: dict[int, dict[str, float]] = {}
        for name, value in values.items():
            least = self._next[name] if name in self._next else self._least_step(name)
            step = least if at is None else max(at, least)
            groups.setdefault(step, {})[name] = value
            self._next[name] = step + 1
        for step, group in groups.items():
            self._channel().log_at(group, step, unix_ms)
            self._points += len(group)
