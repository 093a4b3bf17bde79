"""Tickets: who waits for a turn, and whether the process behind one still lives."""

from __future__ import annotations

import hashlib
import json
import math
import os
import socket
import uuid
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from cvtrack_magics.release.promotion.ledger import loaded, plain

PREFIX = "cvtrack.ticket."
CHOOSING = 0
_HIGHEST = 2**53
_SAME_START = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the queue, as one tag of the registered model.

    Attributes
    ----------
    id : str
        Never used by another ticket.
    number : int
        Lower numbers come first; ``CHOOSING`` while it is not known.
    place : str
        Stands for a machine, its boot and its process ids.
    pid, started : int, float
        The process; ``started`` in seconds since the boot on Linux, since 1970 elsewhere.
    host, who : str
        For people.
    since : float
        Unix time in seconds at which it was taken.
    beat : int
        Goes up while the process works on.
    seen : float
        Unix time in seconds of the last beat, by the clock of its own machine.
    """

    id: str
    number: int
    place: str
    pid: int
    started: float
    host: str
    who: str
    since: float
    beat: int
    seen: float

    @property
    def key(self) -> str:
        """The key of its tag."""
        return PREFIX + self.id

    @property
    def rank(self) -> tuple[int, str]:
        """The order of turns; equal numbers are told apart by the id."""
        return self.number, self.id

    @property
    def holder(self) -> str:
        """Whose it is, in words."""
        return f"{self.who or 'somebody'} (process {self.pid} on {self.host})"

    def encode(self) -> str:
        """Return the value of its tag."""
        return json.dumps(asdict(self), separators=(",", ":"))


def new_ticket(who: str, now: float) -> Ticket:
    """Return a ticket of this process whose number is not chosen yet; ``now`` is Unix time."""
    pid = os.getpid()
    return Ticket(
        id=uuid.uuid4().hex,
        number=CHOOSING,
        place=this_place(),
        pid=pid,
        started=start_of(pid) or 0.0,
        host=plain(socket.gethostname(), 60),
        who=plain(who, 60),
        since=now,
        beat=0,
        seen=now,
    )


def decode(key: str, value: str) -> Ticket | None:
    """Return the ticket in a tag; None when the value is not one."""
    found = loaded(value)
    try:
        ticket = Ticket(
            id=key.removeprefix(PREFIX),
            number=int(found["number"]),
            place=str(found["place"]),
            pid=int(found["pid"]),
            started=float(found["started"]),
            host=plain(found["host"], 60),
            who=plain(found["who"], 60),
            since=float(found["since"]),
            beat=int(found["beat"]),
            seen=float(found["seen"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    sound = all(map(math.isfinite, (ticket.started, ticket.since, ticket.seen)))
    known = 0 < ticket.pid < _HIGHEST and CHOOSING <= ticket.number < _HIGHEST
    return ticket if sound and known else None


def is_running(ticket: Ticket) -> bool:
    """Whether the process of a ticket of this place still runs."""
    started = start_of(ticket.pid)
    if started is None:
        return False
    return math.isnan(started) or abs(started - ticket.started) < _SAME_START


def start_of(pid: int) -> float | None:
    """Return when a process began, as :class:`Ticket` has it.

    Returns
    -------
    float or None
        None when the process is gone, NaN when the system does not tell.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        # on Linux the boot's time is in it, and moves when somebody sets the clock
        moved = psutil.boot_time() if psutil.LINUX else 0.0
        return float(process.create_time()) - moved
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        return None
    except psutil.Error:
        return math.nan


@lru_cache(maxsize=1)
def this_place() -> str:
    """Return what stands for this machine, its boot and its table of process ids.

    Two containers may well have one host name, and both a process 7.
    """
    parts = [socket.gethostname(), hex(uuid.getnode())]
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            parts.append(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):
            parts.append("")
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
