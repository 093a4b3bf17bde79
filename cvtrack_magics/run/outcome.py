"""Whether a run is FINISHED, FAILED or KILLED, by how its code ended.

A process that is told to go ends its runs in :mod:`cvtrack_magics.run.process`; one that is
killed has them ended by the companion, or by the next load (:mod:`cvtrack_magics.delivery`).
"""

from __future__ import annotations

from cvtrack_magics.records import Outcome
from cvtrack_magics.text import is_a


def outcome_of(error: BaseException | None) -> Outcome:
    """Return the status a run has earned: KILLED by an interrupt, FAILED by an error.

    An exit because of an interrupt, as Lightning's, is an interrupt.
    """
    import asyncio

    if error is None:
        return "FINISHED"
    if is_a(error, SystemExit) and error.__context__ is not None:
        error = error.__context__
    if is_a(error, KeyboardInterrupt, asyncio.CancelledError):
        return "KILLED"
    return "FAILED"
