"""An output that is kept up to date while what it shows goes on: no widget, no kernel message."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from cvtrack_magics.commands.show_lines import show
from cvtrack_magics.run.current import get_session, peek
from cvtrack_magics.threads import started

EVERY, SELDOM, SHARE = 5.0, 60.0, 0.05
"""Seconds between two looks at the store, as it is at first and where nothing changes for long,
and the most of a processor's time that these may take."""
MISSES = 5
"""Looks in a row that may fail before the output stays as it is."""


class Shown(Protocol):
    """What shows itself."""

    def _repr_mimebundle_(self) -> Mapping[str, Any]: ...


T = TypeVar("T", bound=Shown)


def follow(
    kind: str,
    first: T,
    look: Callable[[], T],
    sign: Callable[[T], object],
    *,
    soon: bool = False,
) -> None:
    """Show something, and show it anew in its place for as long as it goes on.

    Parameters
    ----------
    kind : str
        Of a kind just the newest output is kept up to date.
    first : object
        As it is now.
    look : callable
        Returns it as it is then; called from a thread.
    sign : callable
        Returns what differs when it has changed; None where it will not change any more.
    soon : bool
        What is there is not as it is now: look at once, whatever the sign says.
    """
    session = get_session()
    host = session.host
    mine = session.followed[kind] = object()
    if not (host.interactive_display and host.has_page and (soon or sign(first) is not None)):
        show(first)
        return
    place = f"cvtrack-{uuid.uuid4().hex}"
    host.show(first._repr_mimebundle_(), place)

    def work() -> None:
        misses, pause, last = 0, 0.0 if soon else EVERY, "soon" if soon else sign(first)
        while misses < MISSES and last is not None:
            time.sleep(pause)
            if peek() is not session or session.followed.get(kind) is not mine:
                return
            began = time.thread_time()
            try:
                now = look()
                host.update(now._repr_mimebundle_(), place)
            except Exception:  # what stands there is still true of when it was read
                misses += 1
                continue
            before, last, misses = last, sign(now), 0
            slower = min(SELDOM, pause * 1.1) if last == before else EVERY
            pause = max(slower, (time.thread_time() - began) / SHARE)

    started(work, name="cvtrack-follow")
