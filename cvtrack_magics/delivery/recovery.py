"""Runs that other processes left in the journal: found, and made ready to be sent."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.journal.folder import RunFolder, Unreadable, read_folders, tidy
from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.record_log import read_facts
from cvtrack_magics.journal.run_note import me
from cvtrack_magics.records import End, Tag
from cvtrack_magics.store.deferred_runs import STRETCHES
from cvtrack_magics.store.tracking import Tracking


def left_behind(root: Path, open_here: Collection[str]) -> list[RunFolder]:
    """Return the runs of a journal that no living process holds, the oldest first.

    Parameters
    ----------
    root : Path
        The journal.
    open_here : collection of str
        Keys of the runs that this process holds.
    """
    tidy(root)
    host, pid, created = me()
    found = []
    for folder in read_folders(root):
        note = folder.note
        if note.key in open_here or folder.left:
            continue
        ours = (note.host, note.pid) == (host, pid) and abs(note.created - created) < 1
        if ours or not folder.alive:
            found.append(folder)
    return found


def claim(
    tracking: Tracking, folders: list[RunFolder], unreadable: list[Unreadable] | None = None
) -> list[Delivery]:
    """Take the runs that no other process is sending at this moment.

    One that cannot be read never keeps the others from being sent; it is added to
    ``unreadable``.
    """
    deliveries: dict[str, Delivery] = {}
    for folder in folders:
        if folder.claim():
            parent = deliveries.get(folder.note.parent_key)
            try:
                deliveries[folder.note.key] = revive(tracking, folder, parent)
            except Exception as error:
                folder.let_go()
                if unreadable is not None:
                    unreadable.append(Unreadable(folder.path, f"{type(error).__name__}: {error}"))
    return list(deliveries.values())


def revive(tracking: Tracking, folder: RunFolder, parent: Delivery | None) -> Delivery:
    """Make the delivery of a run from what its process left on disk."""
    sent = folder.acknowledged()
    facts = read_facts(folder.path, sent.facts)
    segments = folder.segments()
    told = facts.told
    streams = {
        name: StoredStream(
            segments.get(name, ()),
            sent.place(name)[0],
            facts.ends.get(name, (-1, 0)),
            made=told.segments.get(name, ()),
            sent=told.sent.get(name, ()),
            name=name,
        )
        for name in {**segments, **facts.ends, **told.segments}
    }
    left = 0
    last = folder.last_change
    for name, stream in streams.items():
        left += sum(rows.points for rows in Cursor(stream, sent.place(name)).read())
        for rows in Cursor(stream).read():
            last = max(last, int(rows.times[-1]) // 1_000_000)
    delivery = Delivery(
        tracking,
        folder.note,
        {name: Cursor(stream, sent.place(name)) for name, stream in streams.items()},
        lambda: sent.points + left,
        folder=folder,
        parent=parent,
    )
    delivery.left = True
    end = facts.end
    for batch in facts.batches:
        if batch.number > sent.facts:
            delivery.facts.append(batch)
        delivery.knows(batch.records)
        for item in batch.records:  # a note of before did not say which stretch it is
            if isinstance(item, Tag) and item.key == STRETCHES and item.value.isdigit():
                delivery.stretch = max(delivery.stretch, int(item.value))
    found = [*facts.damage, *(item for one in streams.values() for item in one.damage.values())]
    lines = [str(item) for item in found]
    delivery.damage = lambda: lines
    if folder.note.guest:
        delivery.ending = "kill" if end is None else "leave"
    elif end is None and folder.note.run_id:
        delivery.ending = "kill"
    delivery.end = end or End("KILLED", max(last, folder.note.started))
    return delivery
