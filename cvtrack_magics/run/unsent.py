"""Runs that other processes left: who sends them, and what is said of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtrack_magics.delivery.outbox import Delivery
    from cvtrack_magics.run.session import Session


def send_what_ended(session: Session, timeout: float) -> bool:
    """Wait until the runs of this session that have ended are in the store.

    Parameters
    ----------
    session : Session
        Whose runs.
    timeout : float
        Seconds; where the store does not answer, its first refusal ends the wait.

    Returns
    -------
    bool
        False where one still waits.
    """
    until, sent = time.monotonic() + timeout, True
    for sender in (session.sender, session.left.sender):
        for delivery in list(sender.deliveries):
            if delivery.end is not None and not delivery.done:
                sent &= sender.wait(delivery, max(0.0, until - time.monotonic()))
    return sent


def in_words(found: Sequence[Delivery]) -> str:
    """Say in a line or two what became of the runs that other processes left."""
    sent = [item for item in found if item.done]
    waiting = [item for item in found if not item.done]
    lines = []
    killed = [item for item in sent if item.end and item.end.outcome == "KILLED"]
    others = [item for item in sent if item not in killed]
    if killed:
        lines.append(
            f"cvtrack: the kernel died with {_names(killed)} open; ended as KILLED in the store, "
            f"with all {sum(item.logged() for item in killed):,} points."
        )
    if others:
        lines.append(f"cvtrack: {_names(others)} waited on disk and is in the store now.")
    going = [item for item in waiting if not item.tried.failures]
    if going:
        points = sum(item.waiting for item in going)
        lines.append(
            f"cvtrack: {_names(going)} waited on disk and is being sent ({points:,} points)."
        )
    waiting = [item for item in waiting if item.tried.failures]
    if waiting:
        size = sum(item.folder.size for item in waiting if item.folder)
        lines.append(
            f"cvtrack: {_names(waiting)} still waits on disk, {size / 1e6:.1f} MB "
            f"({waiting[0].tried.why}) Type %mlsync when the store answers."
        )
    return "\n".join(lines)


def _names(deliveries: Sequence[Delivery]) -> str:
    names = [repr(item.note.name) for item in deliveries]
    if len(names) > 5:
        names = [*names[:5], f"{len(names) - 5} more"]
    return ", ".join(names)
