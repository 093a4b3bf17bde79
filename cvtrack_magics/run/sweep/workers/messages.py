"""What a worker and its driver say to each other: plain JSON and bytes, which run nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cvtrack_magics import forks, plainjson


class WorkerGone(Exception):
    """The process that ran a trial ended, or its node did."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, plain values, and bytes that are kept as they are."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    blob: bytes = b""

    def head(self) -> bytes:
        """Return all of it but the bytes."""
        return plainjson.dumps([self.kind, dict(self.data)], default=_plain).encode()

    @classmethod
    def of(cls, head: bytes, blob: bytes) -> Message:
        """Return what :meth:`head` and its bytes say."""
        kind, data = plainjson.loads(head)
        return cls(str(kind), data, blob)


def _plain(value: Any) -> Any:
    """Return a NumPy number as Python's own."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} is no number or text")
    return item()


class Mailbox:
    """Messages that one thread puts, and another takes; a forked child finds it free."""

    def __init__(self) -> None:
        self._items: deque[Message] = deque()
        self._changed = forks.condition()
        self.is_closed = False

    def put(self, message: Message) -> None:
        """Add one."""
        with self._changed:
            self._items.append(message)
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more come."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def get(self) -> Message:
        """Return the next, as soon as it is there."""
        with self._changed:
            while not self._items:
                self._changed.wait()
            return self._items.popleft()

    def take(self, timeout: float) -> list[Message]:
        """Return all that are there; waits for the first, or the end of all."""
        with self._changed:
            if not self._items and not self.is_closed:
                self._changed.wait(timeout)
            found = list(self._items)
            self._items.clear()
        return found


class Worker(Protocol):
    """A process that runs bodies, as its driver sees it. Each call may raise :class:`WorkerGone`.

    A process that is gone is made again by the next :meth:`ready`.
    """

    def ready(self, timeout: float) -> bool:
        """Wait until it can be given something; return whether it can."""

    def send(self, message: Message) -> None:
        """Give it a message."""

    def take(self, timeout: float) -> list[Message]:
        """Return what it said since; waits for the first."""

    def kill(self) -> None:
        """End it at once."""


class Engine(Protocol):
    """Where the bodies of trials run."""

    @property
    def size(self) -> int:
        """How many can run at once."""

    def worker(self) -> Worker:
        """Return one more place for a body."""

    def close(self) -> None:
        """Give all back."""


class Link:
    """A worker's side: tells its driver, and waits for answers.

    Parameters
    ----------
    put : callable
        Brings a message to the driver.
    """

    def __init__(self, put: Callable[[Message], None]) -> None:
        self._put = put
        self._answers = Mailbox()

    def tell(self, kind: str, /, blob: bytes = b"", **data: Any) -> None:
        """Say something."""
        self._put(Message(kind, data, blob))

    def ask(self, kind: str, /, **data: Any) -> Message:
        """Say something, and return the answer."""
        self._put(Message(kind, data))
        return self._answers.get()

    def answered(self, message: Message) -> None:
        """Take the answer to what was asked."""
        self._answers.put(message)
