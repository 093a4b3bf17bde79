"""Which session is in force: the loaded extension's, or one made for a plain script.

It is made when it is first needed, so that loading the extension costs next to nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.threads import started

if TYPE_CHECKING:
    from cvtrack_magics.config import CvTrack
    from cvtrack_magics.delivery.channel import Channel
    from cvtrack_magics.run.session import Session

HEAD_START = 0.05  # seconds that what follows the loading has the interpreter to itself


def _for_script(config: CvTrack | None = None) -> Session:
    from cvtrack_magics.config import CvTrack
    from cvtrack_magics.run.host import ScriptHost
    from cvtrack_magics.run.session import Session

    return Session(ScriptHost(), config or CvTrack())


class _Current:
    """The one reference that the package rebinds."""

    def __init__(self) -> None:
        self.lock = forks.rlock()
        self.make: Callable[[], Session] = _for_script
        self.session: Session | None = None
        self.making = False
        self.channel: Channel | None = None
        """Where log() writes: the innermost open run's channel, looked up in one step."""
        self.log_any: Callable[..., None] | None = None
        """The longer way of log(), once a run has been open: what imports may be patched then."""
        self.forked_from: Session | None = None
        """The session of the process that this one was forked by; its runs are not ours."""

    def in_child(self) -> None:
        """Let a forked worker begin a session of its own, with the settings of its parent's.

        The threads that would send the parent's runs are not here.
        """
        self.channel = None
        self.making = False
        if self.session is not None:
            self.forked_from, config = self.session, self.session.config
            self.session.process.in_child()
            self.session, self.make = None, partial(_for_script, config)


_current = _Current()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_current.in_child)


def use(make: Callable[[], Session] | None) -> None:
    """Say how the session is made from now on; None means the one of a plain script."""
    with _current.lock:
        _current.make, _current.session = make or _for_script, None
        _current.channel = None


def is_unused() -> bool:
    """Whether nobody has a session in this process, and it would be one of a plain script."""
    return _current.session is None and _current.make is _for_script


def end() -> None:
    """End the session in force; who asks for one afterwards gets a new one."""
    session = _current.session
    if session is not None:
        try:
            session.stop()
        finally:
            use(None)


def log_to(channel: Channel | None) -> None:
    """Say where log() writes from now on."""
    if channel is not None:  # before a signal's handler can come in between
        from cvtrack_magics.run.long_log import log_any

        _current.log_any = log_any
    _current.channel = channel


def forked_from() -> Session | None:
    """Return the session of the process that this one was forked by, if it had one."""
    return _current.forked_from


def peek() -> Session | None:
    """Return the session if it has been made."""
    return _current.session


def get_session() -> Session:
    """Return the session, making it when it is first asked for."""
    session = _current.session
    if session is None:
        with _current.lock:
            if _current.session is None:
                _current.session = _made()
            session = _current.session
    return session


def _made() -> Session:
    if _current.making:  # a signal's handler came in between; the lock keeps other threads away
        raise UsageProblem("The session is being made.", "Try again a moment later.")
    try:
        _current.making = True
        return _current.make()
    finally:
        _current.making = False


def prepare_soon() -> None:
    """Make the session and import MLflow in the background."""

    def work() -> None:
        with suppress(Exception):  # whatever fails here shows itself when it is needed
            time.sleep(HEAD_START)
            get_session().prepare()

    started(work, name="cvtrack-prepare")
