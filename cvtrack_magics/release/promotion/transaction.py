"""What is done to one registered model while nobody else promotes there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone

from cvtrack_magics.errors import CvtrackError, PromotionConflict, PromotionLost
from cvtrack_magics.release.promotion.history import entries_of, last_change
from cvtrack_magics.release.promotion.ledger import PROMOTED, fitting
from cvtrack_magics.release.promotion.lock import Say, Terms, Turn, turn
from cvtrack_magics.release.promotion.plan import (
    Change,
    Found,
    Intent,
    Label,
    backward,
    champion_of,
    forward,
    has_moved,
    intents_in,
    look,
)
from cvtrack_magics.store.registry import Registry


class Section:
    """A turn, and the changes made in it.

    Attributes
    ----------
    repaired : tuple of str
        What others had left half done and was ended first, a line each.
    """

    def __init__(self, registry: Registry, name: str, who: str, mine: Turn, say: Say) -> None:
        self._registry = registry
        self._name = name
        self._who = who
        self._mine = mine
        self._say = say
        self.repaired: tuple[str, ...] = ()

    def settle(self) -> None:
        """End every intention there is: we have the turn, so its owner no longer does."""
        for key, intent in intents_in(self._registry.tags(self._name)):
            if intent is None:
                self._perform([Label("an unreadable intention is removed", key, None)])
                line = f"Removed an unreadable intention of {self._name!r}."
            else:
                line = self._end(intent)
            self.repaired += (line,)
            self._say(line)

    def carry_out(self, intent: Intent, found: Found) -> None:
        """Do all that an intention says.

        What breaks off in this very process is repaired at once, and not at the next call.
        """
        try:
            self._perform([intent.announced()])
            self._perform(forward(intent, found))
        except PromotionLost:
            raise
        except BaseException as error:
            try:
                self.settle()
            except CvtrackError:
                self._tell_of_a_part(intent, error)
            raise

    def _tell_of_a_part(self, intent: Intent, error: BaseException) -> None:
        """Raise where the champion has moved and what belongs to it could not be written."""
        if not isinstance(error, CvtrackError):
            return
        try:
            found = look(self._registry, self._name)
        except CvtrackError:
            return
        if intent.key in found.tags and has_moved(intent, found):
            raise CvtrackError(
                f"Version {intent.entry.after} is the champion of {self._name!r} now, and the "
                f"record of it is not written: {error.problem}.",
                "The next promotion, or rollback, ends it.",
            ) from error

    def _perform(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._say(str(change))
            self._mine.renew()
            change.perform(self._registry, self._name)

    def _end(self, intent: Intent) -> str:
        found = look(self._registry, self._name)
        entry = intent.entry
        by = f"{self._who} at {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
        what = "promotion" if entry.what == PROMOTED else "rollback"
        this = f"the {what} of {self._name!r} to version {entry.after} that {entry.who} began"
        if not has_moved(intent, found):
            self._perform(backward(intent, found, by))
            return f"Took back {this}: the champion had not moved."
        told = replace(intent, entry=fitting(replace(entry, repaired=by)))
        self._perform(forward(told, found))
        return f"Completed {this}."


@contextmanager
def section(registry: Registry, name: str, who: str, terms: Terms, say: Say) -> Iterator[Section]:
    """Wait for a turn, and end first what others left half done; see :func:`turns.turn`."""
    with turn(registry, name, who, terms, say) as mine:
        ours = Section(registry, name, who, mine, say)
        ours.settle()
        yield ours


def require_champion(found: Found, expected: str | None, hint: str) -> str:
    """Return the champion's version, empty without one.

    Raises
    ------
    PromotionConflict
        It is not the expected one; the line says who made it champion.
    """
    champion = champion_of(found)
    number = "" if champion is None else champion.version
    if number == (expected or ""):
        return number
    change = last_change(entries_of(found.versions.values()), number)
    if change is None:
        now = f"version {number}" if number else "none"
        said = f"The champion of {found.name!r} is {now} now, and no record says why"
    else:
        how = "promoted" if change.what == PROMOTED else "brought back"
        when = f"{change.time:%Y-%m-%d %H:%M:%S} UTC"
        said = f"Version {number} of {found.name!r} was {how} by {change.who} at {when}"
    was = f"version {expected}" if expected else "none"
    raise PromotionConflict(f"{said}, while the champion looked at was {was}.", hint)
