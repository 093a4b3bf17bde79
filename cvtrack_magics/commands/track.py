"""``track()``: a loop that shows how far it is, counts the steps, and can be stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
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

    Yields
    ------
    object
        The items.

    Examples
    --------
    >>> for epoch in track(range(20), "epoch"):
    ...     for images, labels in track(loader, "batch"):
    ...         log({"train/loss": step(images, labels)})
    """
    scope = get_session().current
    if scope is None:
        yield from iterable
        return
    if total is None:
        total = _length(iterable)
    control = scope.control
    loop = control.enter(desc, total, _site())
    items = scope.monitor.items(iterable, desc) if scope.spec.watch else iterable
    try:
        for item in items:
            if loop.asked and not control.go_on(loop):
                break
            yield item
            loop.done += 1
    finally:
        control.leave(loop)


def _site() -> tuple[str, str, int]:
    """Return where in the code the loop stands: two at different places are two loops."""
    frame = sys._getframe(2)
    return frame.f_code.co_filename, frame.f_code.co_name, frame.f_lasti


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):  # an IterableDataset's loader raises TypeError
        return None
