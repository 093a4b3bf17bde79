"""The albums of one open run, filled by a thread of their own so that training goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.records import Notice, Record
from cvtrack_magics.redact import kind_and_line

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from cvtrack_magics.display.viewer.build import Frame
    from cvtrack_magics.run.album import Album
    from cvtrack_magics.tasks.predictions import Predictions


class Albums:
    """What a run has of predictions.

    Parameters
    ----------
    run : str
        The run's name.
    put : callable
        Keeps records; called from the thread.
    limit : int
        Bytes of pictures in a page.
    digits : int
        Significant digits of a figure in it.
    """

    def __init__(
        self, run: str, put: Callable[[Sequence[Record]], None], limit: int, digits: int
    ) -> None:
        self._run = run
        self._put = put
        self._limit = limit
        self._digits = digits
        self._albums: dict[str, Album] = {}
        self._counted: dict[str, int] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._work: list[Future[None]] = []
        self._first = -1
        self.last_step = 0
        """The highest step that predictions were added at."""

    @property
    def used(self) -> bool:
        """Whether any predictions were added."""
        return bool(self._albums)

    def frames(self, name: str) -> list[Frame]:
        """Return an album's frames in order, with all that was added so far."""
        for work in self._work:
            work.exception()  # waits
        album = self._albums.get(name)
        return list(album.frames) if album is not None else []

    def next_step(self, name: str) -> int:
        """Count the steps of a loop that does not say them."""
        self._counted[name] = self._counted.get(name, self._first) + 1
        return self._counted[name]

    def go_on_after(self, step: int) -> None:
        """Count on after the steps of an earlier stretch of the run."""
        self._first, self.last_step = step, max(0, step)

    def counted(self) -> dict[str, int]:
        """Return the step of each name's last predictions, as far as it is counted here."""
        return dict(self._counted)

    def go_back(self, counted: Mapping[str, int]) -> None:
        """Count on from what :meth:`counted` returned at a checkpoint."""
        self._counted = {name: int(step) for name, step in counted.items()}
        self._first, self.last_step = -1, max([0, *self._counted.values()])

    def add(
        self, name: str, predictions: Predictions, step: int, rows: Sequence[int]
    ) -> Future[None]:
        """Add predictions soon; the future says when, or why not."""
        if name not in self._albums:
            from cvtrack_magics.run.album import Album

            self._albums[name] = Album(name, self._run)
        album = self._albums[name]
        self.last_step = max(self.last_step, step)
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="cvtrack-pictures")
        done = self._pool.submit(lambda: self._put(album.add(predictions, step, rows)))
        self._work.append(done)
        return done

    def finish(self, *, hurry: bool = False) -> list[Record]:
        """Wait for all work; return the pages, and a line for what went wrong.

        In a ``hurry``, when the process is being ended, what has not begun is left out, and so
        are the pages; an interrupt has the same effect.
        """
        records: list[Record] = []
        try:
            if not hurry:
                self._wait(records)
                self._make_pages(records)
        except KeyboardInterrupt:
            hurry = True
        if self._pool is not None:
            self._pool.shutdown(wait=not hurry, cancel_futures=True)
        if hurry and self.used:
            records.append(
                Notice(
                    "The page of predictions was not made, since the run was ended in a hurry; "
                    "%mlgrid --run shows what was logged."
                )
            )
        return records

    def _wait(self, records: list[Record]) -> None:
        for work in self._work:
            try:
                work.result()
            except Exception as error:
                records.append(Notice(f"Predictions were not recorded: {_said(error)}"))

    def _make_pages(self, records: list[Record]) -> None:
        for name, album in list(self._albums.items()):
            if not album.frames:
                continue
            try:
                records.append(album.page(self._limit, self._digits))
            except Exception as error:
                records.append(Notice(f"The page of {name!r} was not made: {_said(error)}"))


def _said(error: Exception) -> str:
    if isinstance(error, CvtrackError):
        return f"{error.problem} {error.hint}".strip()
    return kind_and_line(error)
