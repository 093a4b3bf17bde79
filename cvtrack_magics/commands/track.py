"""``track()``: a loop that shows how far it is, counts the steps, and can be stopped."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from types import FrameType
from typing import TypeVar

from cvtrack_magics.run.current import get_session

T = TypeVar("T")


def track(iterable: Iterable[T], desc: str = "", *, total: int | None = None) -> Iterator[T]:
    """Go through an iterable with a progress bar in the run's live plot.

    Inside the loop, ``log()`` without a step takes the loop's: the number of the round,
    counted over all passes of the same loop, so that batches count on from epoch to epoch.
    In the loop around it, ``log()`` takes the step that the inner loop has reached.
    The buttons under the cell work on it. *Stop* ends this loop, and those around it, before
    the next round; the code after them runs, and the run is FINISHED. *Pause* waits there;
    that time counts neither into the rate nor into the time that is left.

    Parameters
    ----------
    iterable : iterable
        What to go through: a range, a DataLoader, a generator.
    desc : str
        What is shown before the bar, such as ``"epoch"``.
    total : int, optional
        Number of rounds, where ``len(iterable)`` does not say it.

    Returns
    -------
    iterator
        Of the items. Gone through again, as a loader that is wrapped once and used in each
        epoch, it goes through the iterable again, as one pass more of the same loop.

    Examples
    --------
    >>> for epoch in track(range(20), "epoch"):
    ...     for images, labels in track(loader, "batch"):
    ...         log({"train/loss": step(images, labels)})
    """
    return _Tracked(iterable, desc, total)


class _Tracked(Iterator[T]):
    """An iterable with a bar: each loop over it is a pass of its own."""

    def __init__(self, iterable: Iterable[T], desc: str, total: int | None) -> None:
        self._iterable, self._desc, self._total = iterable, desc, total
        self._begun: Generator[T, None, None] | None = None
        """The pass that ``next()`` began; that of a loop is the loop's, and ends with it."""

    def __iter__(self) -> Iterator[T]:
        begun, self._begun = self._begun, None
        return _items(self._iterable, self._desc, self._total) if begun is None else begun

    def __next__(self) -> T:
        if self._begun is None:
            self._begun = _items(self._iterable, self._desc, self._total)
        return next(self._begun)

    def __len__(self) -> int:
        return len(self._iterable) if self._total is None else self._total  # type: ignore[arg-type]

    def close(self) -> None:
        """End the pass that ``next()`` began."""
        if self._begun is not None:
            self._begun.close()


def _items(iterable: Iterable[T], desc: str, total: int | None) -> Generator[T, None, None]:
    session = get_session()
    scope, member = session.current, session.member
    if scope is None and member is None:
        yield from iterable
        return
    if total is None:
        total = _length(iterable)
    control = scope.control if scope is not None else member.control  # type: ignore[union-attr]
    loop = control.enter(desc, total, _site())
    watched = scope is not None and scope.spec.watch
    items = scope.alerts.items(iterable, desc) if scope is not None and watched else iterable
    try:
        for item in items:
            if loop.asked and not control.go_on(loop):
                break
            yield item
            loop.done += 1
    finally:
        control.leave(loop)


def _site() -> tuple[str, str, int, int]:
    """Return where in the code the loop stands: two at different places are two loops."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename == __file__:  # of next()
        frame = frame.f_back
    if frame is None:
        return "", "", 0, 0
    code = frame.f_code
    # a notebook's statements are compiled one by one, and count their instructions from 0
    return code.co_filename, code.co_name, frame.f_lineno, frame.f_lasti


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):  # an IterableDataset's loader raises TypeError
        return None
