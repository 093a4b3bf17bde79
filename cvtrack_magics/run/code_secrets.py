"""Secrets that stand in the code of a session: known before a run records what it does with them.

The code itself is recorded beside the run, by another thread and later than the first params and
lines of output, in which such a value may stand bare.
"""

from __future__ import annotations

from collections.abc import Sequence

from cvtrack_magics.secrets import Masker

LOOKED_AT = 20_000  # characters of code that a run's opening waits for; the newest count


class CodeSecrets:
    """What of a session's code has been looked through.

    Parameters
    ----------
    masker : Masker
        Remembers what is found.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._seen = 0

    def look(self, sources: Sequence[str], running: str) -> None:
        """Look through the cells that were executed since the last time, and the running one."""
        fresh = [*sources[self._seen :], running]
        self._seen = len(sources)
        left = LOOKED_AT
        for source in reversed(list(dict.fromkeys(fresh))):
            if left <= 0:
                return
            self._masker.mask(source[:left])
            left -= len(source)
