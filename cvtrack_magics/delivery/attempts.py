"""What the last try to send a run came to, in the process that made it and in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cvtrack_magics.delivery.reasons import reason_of
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store import answers
from cvtrack_magics.store.error_kinds import is_denied, is_no
from cvtrack_magics.store.writer import FilesHeld
from cvtrack_magics.system import time


@dataclass(frozen=True, slots=True)
class Tried:
    """The last try; with the values it has by itself: it went well, or none was made yet.

    Times are monotonic seconds of this process.
    """

    failures: int = 0
    """How many in a row failed."""
    failed_at: float = 0.0
    """When the one that failed began."""
    not_before: float = 0.0
    """Until when the server asked to be left alone."""
    why: str = ""
    answered: bool = False
    """Whether the store answered no; asking again may change nothing."""
    denied: bool = False
    """Whether the store wants other credentials."""
    only_files: bool = False
    """Whether it failed for files alone; the store has all the rest."""
    settled: bool = False
    """Whether another one at once would say the same."""

    def and_failed(self, error: Exception, began: float, uri: str = "") -> Tried:
        """Return what is known after one more try, which failed."""
        answered, only_files = is_no(error), isinstance(error, FilesHeld)
        asked = answers.seconds_to_wait(error)
        return Tried(
            self.failures + 1,
            began,
            time.monotonic() + asked if asked else 0.0,
            reason_of(error, uri),
            answered,
            is_denied(error),
            only_files,
            answered or only_files or isinstance(error, StoreUnavailable) or self.failures > 0,
        )

    def failed_since(self, when: float) -> bool:
        """Whether a try failed that began after a moment; those of before say nothing of it."""
        return self.failed_at > when

    def said_no_since(self, when: float) -> bool:
        """Whether one failed since, and once more where a single failure says little."""
        return self.failed_since(when) and self.settled

    @property
    def asked_to_wait(self) -> bool:
        """Whether the server wants to be left alone now."""
        return self.not_before > time.monotonic()

    def told(self) -> dict[str, Any]:
        """Return it for another process, whose clock may be another."""
        now = time.monotonic()
        ago = now - self.failed_at if self.failed_at else 0.0
        return {**asdict(self), "failed_at": ago, "not_before": max(0.0, self.not_before - now)}

    @classmethod
    def heard(cls, told: Mapping[str, Any]) -> Tried:
        """Return what another process told."""
        now, that = time.monotonic(), cls(**told)
        return replace(
            that,
            failed_at=now - that.failed_at if that.failed_at else 0.0,
            not_before=now + that.not_before if that.not_before else 0.0,
        )
