"""``mlsync``: what waits for the store, and the sending of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cvtrack_magics.commands.definition import Arg, Bar, command
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.journal.folder import RunFolder, read_journal
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.session import Session

LOOK = 0.25  # seconds between two looks at what another process sends
LARGE = 1_000_000_000  # bytes on disk from which on the journal is said to be large


@dataclass(frozen=True, slots=True)
class Item:
    """One run in the journal.

    ``state`` is ``"sent"``, ``"waiting"``, or ``"open"`` while a living process holds it.
    ``size`` is in bytes. ``why`` says what keeps a waiting run from being sent.
    """

    name: str
    run_id: str
    state: str
    points: int
    size: int
    status: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a call of :func:`mlsync` found and did; its text is a line for each run."""

    items: tuple[Item, ...]
    folder: str
    unreadable: tuple[str, ...] = ()

    @property
    def waiting(self) -> list[Item]:
        """The runs that the store does not have."""
        return [item for item in self.items if item.state == "waiting"]

    def __str__(self) -> str:
        if not self.items and not self.unreadable:
            return f"Nothing waits in {self.folder}."
        lines = [_line(item) for item in self.items]
        lines += [f"left     {line}" for line in self.unreadable]
        size = sum(item.size for item in self.items if item.state != "sent")
        if size > LARGE:
            lines.append(f"{size / 1e9:.1f} GB wait in {self.folder}; that is a lot.")
        return "\n".join(lines)


def _line(item: Item) -> str:
    name = f"{item.name!r}"
    if item.state == "sent":
        return f"sent     {name} ({item.points:,} points, {item.status}) as run {item.run_id[:8]}"
    if item.state == "open":
        return f"open     {name}: its process still runs, and sends it itself"
    return f"waiting  {name} ({item.points:,} points, {item.size / 1e6:.1f} MB): {item.why}"


@command(timeout=Arg("S"), progress=Arg(bar=Bar("sending", "points")))
def mlsync(
    *,
    show: bool = False,
    timeout: float = 600.0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Send what waits on disk for the store, and say what became of each run.

    Runs of kernels that are gone are sent too; one whose kernel still lives is left alone.

    Parameters
    ----------
    show : bool
        Only say what waits.
    timeout : float
        Seconds to wait for the store; what is left is sent in the background.
    progress : callable, optional
        Called with how many points are sent and how many there are.

    Returns
    -------
    Report
        A run whose process still lives, here or on another host, is listed and left alone.

    Examples
    --------
    ::

        %mlsync
    """
    session = get_session()
    _ = session.tracking.uri  # who types this means the login that is set now for this store
    session.left.recover()
    until = time.monotonic() + (0.0 if show else timeout)
    deliveries = _ended(session)
    while True:
        if not show:
            deliveries = _send(session, max(0.0, until - time.monotonic()), progress)
        items = [_item(delivery) for delivery in deliveries]
        known = {delivery.note.key for delivery in deliveries}
        folders, others = read_journal(session.journal)
        rest = [_other(one) for one in folders if one.note.key not in known | _left(one)]
        if time.monotonic() > until or all(item.state == "open" for item in rest):
            break  # nobody died since it was looked for the dead
    items += rest
    others = list({item.path: item for item in [*session.left.unreadable, *others]}.values())
    unreadable = [f"{item.path.name}: {item.why}; the folder is left as it is" for item in others]
    aside = [line for delivery in deliveries for line in delivery.notices if delivery.aside]
    return Report(tuple(items), str(session.journal), (*unreadable, *aside))


def _ended(session: Session) -> list[Delivery]:
    every = [*session.left.sender.deliveries, *session.sender.deliveries]
    return [item for item in every if item.end is not None]


def _send(
    session: Session, timeout: float, progress: Callable[[int, int], None] | None
) -> list[Delivery]:
    """Wait for what is sent here, and for what another process sends at this moment."""
    began = looked = time.monotonic()
    found = {item.note.key: item for item in _ended(session)}
    elsewhere = session.left.sent_elsewhere()
    session.sender.hurry()
    session.left.sender.hurry()
    while time.monotonic() < began + timeout:
        deliveries = found.values()
        total = sum(item.logged() for item in deliveries)
        if progress is not None:
            progress(total - sum(item.waiting for item in deliveries), total)
        answers = [item.done or item.tried.said_no_since(began) for item in deliveries]
        if not elsewhere and all(answers):
            break
        time.sleep(0.05)
        if elsewhere and time.monotonic() > looked + LOOK:
            looked = time.monotonic()
            found |= {item.note.key: item for item in session.left.recover()}
            elsewhere = session.left.sent_elsewhere()
    return list(found.values())


def _left(folder: RunFolder) -> set[str]:
    return {folder.note.key} if folder.left else set()


def _other(folder: RunFolder) -> Item:
    """Return what is said of a run that this process does not send."""
    note = folder.note
    if folder.alive:
        return Item(note.name, note.run_id, "open", 0, folder.size)
    why = "another process is sending it"
    return Item(note.name, note.run_id, "waiting", 0, folder.size, why=why)


def _item(delivery: Delivery) -> Item:
    size = delivery.folder.size if delivery.folder and not delivery.done else 0
    return Item(
        name=delivery.note.name,
        run_id=delivery.run_id,
        state="sent" if delivery.done else "waiting",
        points=delivery.logged() if delivery.done else delivery.waiting,
        size=size,
        status=delivery.end.outcome if delivery.end else "",
        why="" if delivery.done else delivery.tried.why or "not tried yet",
    )
