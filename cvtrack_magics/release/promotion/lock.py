"""One promotion at a time, on a registry that has no compare-and-swap.

Lamport's bakery algorithm (L. Lamport, "A new solution of Dijkstra's concurrent programming
problem", Communications of the ACM 17(8), 1974) needs nothing but registers that one process
writes and all read. Here each register is a tag of the registered model, whose key is used
once. Who wants a turn writes a ticket without a number, reads all tickets, writes a number
above all it saw, and then waits until everybody who was there has a higher number or is gone.
A ticket that comes later reads that number before it chooses its own, so it need not be
waited for, and nobody is overtaken for ever.

Notes
-----
A read must see every write that was acknowledged before it began. The databases behind MLflow
do that; a read replica that lags behind does not.

A process that dies leaves its ticket. On the same machine its death is seen. From another
machine it is presumed, when the ticket did not change during a lease, as the one who waits
measures it; whoever has a turn gives it up when it could not show a sign of life for half
that time. What no registry without conditional writes can rule out is a request that the
server carries out only after its client gave it up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from cvtrack_magics.errors import CvtrackError, PromotionBusy, PromotionLost
from cvtrack_magics.release.promotion.tickets import (
    CHOOSING,
    PREFIX,
    Ticket,
    decode,
    is_running,
    new_ticket,
    this_place,
)
from cvtrack_magics.store.registry import LONGEST_CALL, Registry

Say = Callable[[str], None]
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """How long is waited for what, in seconds.

    Attributes
    ----------
    wait : float
        For a turn, in all.
    lease : float
        For a sign of life from another machine. Half of it is longer than the longest call,
        so that what begins in the first half has ended before others go on.
    abandoned : float
        For a sign of life from a process of this machine that still runs, but may have
        failed to take its ticket away.
    """

    wait: float = 120.0
    lease: float = 2.25 * LONGEST_CALL
    abandoned: float = 900.0


PATIENT = Terms()


def silent(line: str) -> None:
    """Say nothing."""
    del line


class Turn:
    """A ticket of this process, from the queue to its end."""

    def __init__(self, registry: Registry, name: str, who: str, terms: Terms, say: Say) -> None:
        self._registry = registry
        self._name = name
        self._terms = terms
        self._say = say
        self._ticket = new_ticket(who, time.time())
        self._beat = _now()
        self._first_seen: dict[str, tuple[str, float]] = {}

    def take(self) -> None:
        """Wait until it is our turn."""
        self._say("asks for its turn")
        self._write(self._ticket)
        self._say("chooses a number")
        others = self._others(self._tags())
        highest = max((t.number for t in others.values() if t is not None), default=CHOOSING)
        self._write(replace(self._ticket, number=highest + 1))
        self._say("has a number")
        self._queue()

    def renew(self) -> None:
        """Show a sign of life, unless the last one is recent.

        Raises
        ------
        PromotionLost
            The last one is so old that others may have gone on.
        """
        if _passed_since(self._beat) < self._terms.lease / 10:
            return
        self._require_recent()
        if self._ticket.key not in self._tags():
            raise self._lost()
        self._write(self._ticket)

    def leave(self) -> None:
        """Give the turn, or the place in the queue, back."""
        with suppress(CvtrackError):  # then it counts as abandoned one day
            self._registry.delete_tag(self._name, self._ticket.key)

    def _write(self, ticket: Ticket) -> None:
        began = _now()
        self._require_recent()
        self._ticket = replace(ticket, beat=ticket.beat + 1, seen=time.time())
        self._registry.set_tag(self._name, self._ticket.key, self._ticket.encode())
        self._beat = began

    def _require_recent(self) -> None:
        if _passed_since(self._beat) > self._terms.lease / 2:
            raise self._lost()

    def _lost(self) -> PromotionLost:
        return PromotionLost(
            f"This promotion of {self._name!r} paused for too long and gave its turn up.",
            "Run it again: the next call repairs what was left half done.",
        )

    def _tags(self) -> Mapping[str, str]:
        return self._registry.tags(self._name)

    def _others(self, tags: Mapping[str, str]) -> dict[str, Ticket | None]:
        """Return all tickets but ours by key; those of the dead are taken away."""
        keys = [key for key in tags if key.startswith(PREFIX) and key != self._ticket.key]
        living = {}
        for key in keys:
            ticket = decode(key, tags[key])
            if self._is_dead(key, tags[key], ticket):
                self._registry.delete_tag(self._name, key)
            else:
                living[key] = ticket
        return living

    def _is_dead(self, key: str, value: str, ticket: Ticket | None) -> bool:
        if ticket is not None and ticket.place == this_place():
            return not is_running(ticket) or time.time() - ticket.seen > self._terms.abandoned
        seen, since = self._first_seen.get(key, ("", 0.0))
        if seen != value:
            since = time.monotonic()
            self._first_seen[key] = (value, since)
        return time.monotonic() - since > self._terms.lease

    def _queue(self) -> None:
        deadline = time.monotonic() + self._terms.wait
        ahead: set[str] | None = None
        pause, told = _FIRST_PAUSE, ""
        while True:
            tags = self._tags()
            if self._ticket.key not in tags:
                raise self._lost()
            others = self._others(tags)
            ahead = {
                key
                for key, ticket in others.items()
                if (ahead is None or key in ahead) and self._goes_first(ticket)
            }
            if not ahead:
                return
            first = _first(others[key] for key in ahead)
            holder = "somebody" if first is None else first.holder
            if time.monotonic() > deadline:
                raise self._busy(first, holder)
            if holder != told:
                self._say(f"waits for {holder}")
                told = holder
            self.renew()
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (spreads out the reads)
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _goes_first(self, ticket: Ticket | None) -> bool:
        # one that is being written, or that nobody understands, may turn out to have any number
        return ticket is None or ticket.number == CHOOSING or ticket.rank < self._ticket.rank

    def _busy(self, first: Ticket | None, holder: str) -> PromotionBusy:
        since = "" if first is None else f", since {_clock(first.since)}"
        return PromotionBusy(
            f"Another promotion of {self._name!r} is under way: {holder}{since}.",
            "Try again when it is over; if it hangs, end that process.",
        )


def _first(tickets: Iterator[Ticket | None]) -> Ticket | None:
    """Return the ticket whose turn it is, as far as that is known."""
    known = [ticket for ticket in tickets if ticket is not None]
    return min(known, key=lambda t: (t.number == CHOOSING, *t.rank), default=None)


def _now() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _passed_since(mark: tuple[float, float]) -> float:
    """Return the most seconds that may have passed: one clock stops in sleep, one is set."""
    return max(now - then for now, then in zip(_now(), mark, strict=True))


def _clock(seconds: float) -> str:
    try:
        when = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "an unknown time"
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def turn(registry: Registry, name: str, who: str, terms: Terms, say: Say) -> Iterator[Turn]:
    """Wait for a turn, and have no other promotion of the model beside the body.

    Parameters
    ----------
    registry, name : Registry, str
        The registered model.
    who : str
        Who is told to those that wait.
    terms : Terms
        How long is waited.
    say : callable
        Told in a few words what happens.

    Raises
    ------
    PromotionBusy
        The turn did not come in time.
    """
    mine = Turn(registry, name, who, terms, say)
    try:
        mine.take()
        say("has its turn")
        yield mine
        say("gives its turn back")
    finally:
        mine.leave()
