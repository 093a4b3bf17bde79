"""Runs that other processes left in the journal: taken up and sent beside one's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.delivery.sender import Sender
from cvtrack_magics.journal.folder import read_folders
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.store.tracking import Tracking

if TYPE_CHECKING:
    from cvtrack_magics.delivery import recovery
    from cvtrack_magics.delivery.outbox import Delivery
    from cvtrack_magics.journal.folder import Unreadable
else:
    recovery = Lazy("cvtrack_magics.delivery.recovery")

PATIENCE = 10.0  # seconds after which it is said what becomes of runs that others left
LEFT_TO_OTHERS, AGAIN = 300.0, 2.0  # seconds that another process's runs are looked after


class LeftRuns:
    """Takes up what no living process holds.

    Parameters
    ----------
    tracking : Tracking
        Speaks to the stores.
    journal : callable
        Returns the folder of all runs that are not in the store yet.
    sender : Sender
        Sends them; a run that is open never waits for that.
    """

    def __init__(self, tracking: Tracking, journal: Callable[[], Path], sender: Sender) -> None:
        self._tracking = tracking
        self._journal = journal
        self.sender = sender
        self.keys: set[str] = set()
        """Keys of the runs in the journal that this session sends, its own too."""
        self.unreadable: list[Unreadable] = []
        """Folders in the journal that could not be made ready to be sent."""
        self._lock = forks.rlock()

    def recover(self) -> list[Delivery]:
        """Take up the runs that no living process holds, and begin to send them."""
        with self._lock:
            self.unreadable = []
            left = recovery.left_behind(self._journal(), self.keys)
            found = recovery.claim(self._tracking, left, self.unreadable)
            for delivery in found:
                self.keys.add(delivery.note.key)
                self.sender.open(delivery)
        return found

    def send(self, say: Callable[[str], object]) -> None:
        """Take up what there is, and say what became of it within some seconds."""
        from cvtrack_magics.run.unsent import in_words

        found = self.recover()
        if found:
            for delivery in found:
                self.sender.wait(delivery, PATIENCE)
            say(in_words(found))

    def look_after_others(self) -> None:
        """Take up what another process was sending when that is gone before all is sent."""
        until = time.monotonic() + LEFT_TO_OTHERS
        while self.sent_elsewhere() and time.monotonic() < until:
            time.sleep(AGAIN)
            self.recover()

    def sent_elsewhere(self, name: str = "") -> bool:
        """Whether runs that nobody writes any more, of a name or of any, are another's to send."""
        return any(
            not (folder.note.key in self.keys or folder.left or folder.alive)
            for folder in read_folders(self._journal())
            if name in ("", folder.note.name)
        )
