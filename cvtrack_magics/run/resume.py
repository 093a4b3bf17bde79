"""Finds the run that goes on with ``--resume``, and what it has: in the store, or here."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.paths import PREDICTIONS
from cvtrack_magics.capture.machine.meter import ResourceUse
from cvtrack_magics.delivery import recovery
from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.delivery.series import History, Series
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal.folder import RunFolder, read_folders
from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.record_log import read_batches
from cvtrack_magics.journal.run_note import RunNote
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Param, Record, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.run.context import RESOURCES
from cvtrack_magics.run.stretch import COUNT, PREFIX, Curves, Earlier
from cvtrack_magics.run.summary_metrics import is_summary
from cvtrack_magics.store.resuming import (
    StoredSoFar,
    files_below,
    histories,
    rename_tags,
    stored_so_far,
    versions_of,
)
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.store.writer import Point

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session

_STEP = re.compile(r"step_([0-9]+)\.npz")
RUNS = 10  # runs that have ended that this process remembers
AGAIN = 0.2  # seconds between two looks at what another process sends
BEFORE = 10.0  # seconds that the run that goes on is waited for, until all of it is in the store
REMEMBERED = 1000  # points that this process keeps of a curve of a run that has ended
_OF_A_STRETCH = ("error.type", "error.message", "stopped_at_step")
"""Tags about how a stretch ended; they would be wrong of the run that goes on."""


@dataclass(frozen=True, slots=True)
class Known:
    """A run that can go on.

    ``key`` is its journal's, for a run that the store may not have; ``where`` says in words
    who knows of it. ``note`` and ``parent``, the name of the run it is nested in, tell runs of
    one name apart.
    """

    run_id: str
    key: str
    earlier: Earlier
    where: str = "the store"
    note: RunNote | None = None
    parent: str = ""


def refuse_open(session: Session, name: str) -> None:
    """Raise :class:`UsageProblem` where another process still has the run open."""
    tracking = session.tracking
    place = (name, redact(absolute(tracking.uri)), *tracking.experiment_now())
    left = {f.note.key for f in recovery.left_behind(session.journal, _open_here(session))}
    for folder in read_folders(session.journal):
        key = folder.note.key
        if key not in left and key not in session.left.keys and _is_at(folder.note, *place):
            raise UsageProblem(
                f"Run {name!r} is still open in process {folder.note.pid} on {folder.note.host}.",
                "End it there, or give this run another name.",
            )


def in_store(session: Session, name: str, parent_id: str, notices: list[str]) -> Known | None:
    """Find the newest run of a name in the store, and name the models that were made of it.

    What earlier processes left of it is sent first.

    Raises
    ------
    StoreUnavailable
        The store does not answer.
    """
    tracking = session.tracking
    _finish_sending(session, name)
    run_id = tracking.find_run(name, parent_id)
    if not run_id:
        return None
    uri = tracking.uri
    stored = stored_so_far(uri, run_id)
    if stored.status == "RUNNING":
        notices.append(
            f"The store still calls run {name!r} RUNNING; where another machine records it, "
            "both write to it now."
        )
    _name_versions(session, uri, name, run_id)
    earlier = _earlier(uri, stored)
    ended = {
        key: f"{PREFIX}{earlier.stretch - 1}.{key}" for key in _OF_A_STRETCH if key in stored.tags
    }
    with suppress(Exception):  # they stay as they are
        rename_tags(uri, run_id, stored.tags, ended)
    if earlier.unknown:
        notices.append(earlier.unknown)
    return Known(run_id, stored.tags.get("cvtrack.run_key", ""), earlier)


def known_here(scope: RunScope) -> Known | None:
    """Return what this process, or the journal, knows of a run while the store is away."""
    session, wanted = scope.session, scope.kept.note
    parent = _parent_name(scope)
    for known in reversed(session.ended):
        if known.note and _is_same(known.note, wanted) and known.parent == parent:
            return known
    left = recovery.left_behind(session.journal, _open_here(session))
    names = {folder.note.key: folder.note.name for folder in read_folders(session.journal)}
    ended = [
        folder
        for folder in left
        if _is_same(folder.note, wanted) and names.get(folder.note.parent_key, "") == parent
    ]
    return _on_disk(ended[-1]) if ended else None


def remember(scope: RunScope, use: ResourceUse) -> None:
    """Keep what a run that ended has, in case it goes on while the store is away."""
    now = {k: s for k, s in scope.channel.history.series.items() if not k.startswith(UNSEEN)}
    whole = scope.stretch.curves(now) or {}
    thin = {name: s.decimated(REMEMBERED) for name, s in whole.items()}
    steps = {safe_key(k): s.highest for k, s in scope.channel.history.series.items() if s}
    before = scope.stretch.earlier.steps
    earlier = Earlier(
        stretch=scope.stretch.number + 1,
        params=dict(scope.params),
        tags=dict(scope.tags),
        steps={**before, **{k: max(at, before.get(k, at)) for k, at in steps.items()}},
        used=scope.stretch.total(use),
        pictures=max(scope.albums.last_step, scope.stretch.earlier.pictures),
        read=lambda: thin,
        points=lambda: points_of(thin),
    )
    key = scope.tags.get("cvtrack.run_key") or scope.kept.note.key
    note = scope.kept.delivery.note
    known = Known(scope.run_id, key, earlier, "this process", note, _parent_name(scope))
    scope.session.ended = [*scope.session.ended, known][-RUNS:]


def _parent_name(scope: RunScope) -> str:
    return scope.parent.name if scope.parent else scope.above.name if scope.above else ""


def opening_tags(earlier: Earlier) -> list[Record]:
    """Return the tags that say which stretch begins, and when."""
    now = str(int(time.time() * 1000))
    number = earlier.stretch
    return [Tag(COUNT, str(number)), Tag(f"{PREFIX}{number}.started", now)]


def marks_of(tags: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return the notes that a run's tags keep, as (step, text)."""
    found = []
    numbered = [(key.removeprefix("mark."), tags[key]) for key in tags if key.startswith("mark.")]
    for number, said in sorted((int(n), said) for n, said in numbered if n.isdigit()):
        del number
        at, _, text = said.removeprefix("step ").partition(": ")
        if at.isdigit():
            found.append((int(at), text))
    return found


def _finish_sending(session: Session, name: str) -> None:
    """Wait, for some seconds, until what was left of a run is in the store, whoever sends it."""
    until = time.monotonic() + BEFORE
    while True:
        session.left.recover()
        for sender in (session.sender, session.left.sender):
            for delivery in sender.deliveries:
                if delivery.note.name == name and delivery.end is not None:
                    sender.wait(delivery, until - time.monotonic())
        if not session.left.sent_elsewhere(name) or time.monotonic() > until:
            return
        time.sleep(AGAIN)


def _open_here(session: Session) -> set[str]:
    return {scope.kept.note.key for scope in session.scopes if hasattr(scope, "kept")}


def _is_same(one: RunNote, other: RunNote) -> bool:
    """Whether two notes are of runs of one name, experiment and store."""
    return _is_at(one, other.name, other.uri, other.experiment_id, other.experiment)


def _is_at(note: RunNote, name: str, uri: str, experiment_id: str, experiment: str) -> bool:
    if (note.name, note.uri) != (name, uri):
        return False
    if note.experiment_id and experiment_id:
        return note.experiment_id == experiment_id
    return note.experiment == experiment


def _name_versions(session: Session, uri: str, name: str, run_id: str) -> None:
    with suppress(Exception):  # a store without a registry has none
        found = versions_of(uri, run_id)
        if found:
            session.host.say(
                f"cvtrack: run {name!r} is what {', '.join(found)} was made of; resuming changes "
                "the run's record, and not the registered model."
            )


def _earlier(uri: str, stored: StoredSoFar) -> Earlier:
    names = [
        name
        for name in stored.metrics
        if not name.startswith((UNSEEN, RESOURCES)) and not is_summary(name)
    ]
    used, unknown = _used(stored)
    return Earlier(
        stretch=_stretches(stored.tags) + 1,
        params=stored.params,
        tags={key: value for key, value in stored.tags.items() if key not in _OF_A_STRETCH},
        steps={name: step for name, (_, step, _) in stored.metrics.items()},
        used=used,
        pictures=_pictures(uri, stored.run_id),
        read=lambda: curves_of(histories(uri, stored.run_id, names)),
        unknown=unknown,
        points=lambda: chain.from_iterable(histories(uri, stored.run_id, names).values()),
    )


def _pictures(uri: str, run_id: str) -> int:
    """Return the highest step of the run's predictions; -1 where there are none."""
    with suppress(Exception):
        names = [Path(path).name for path in files_below(uri, run_id, PREDICTIONS)]
        found = [_STEP.fullmatch(name) for name in names]
        return max((int(match[1]) for match in found if match), default=-1)
    return -1


def _stretches(tags: Mapping[str, str]) -> int:
    said = tags.get(COUNT, "")
    return max(1, int(said)) if said.isdigit() else 1


def _used(stored: StoredSoFar) -> tuple[ResourceUse, str]:
    """Return what a run used; of a stretch that was killed only the time is known."""

    def value(key: str) -> float:
        return stored.metrics.get(RESOURCES + key, (0.0, 0, 0))[0]

    number = _stretches(stored.tags)
    began = int(stored.tags.get(f"{PREFIX}{number}.started", "") or stored.started)
    measured = stored.metrics.get(RESOURCES + "wall_time_s", (0.0, 0, 0))[2] >= began
    gpu = RESOURCES + "gpu_peak_memory_mb" in stored.metrics
    killed = 0.0 if measured else max(0.0, (stored.ended - began) / 1000)
    use = ResourceUse(
        wall_s=value("wall_time_s") + killed,
        cpu_s=value("cpu_time_s"),
        peak_rss_bytes=int(value("peak_memory_mb") * 1e6),
        gpu_peak_bytes=int(value("gpu_peak_memory_mb") * 1e6) if gpu else None,
    )
    if measured:
        return use, ""
    return use, (
        f"Stretch {number} of run {stored.name!r} did not measure its processor time and memory: "
        "the totals lack them."
    )


def curves_of(points: Mapping[str, Sequence[Point]]) -> Curves:
    """Return the points that a store has of some metrics as series."""
    found: dict[str, Series] = {}
    for name, rows in points.items():
        series = found[name] = Series()
        for _, value, unix_ms, step in rows:
            series.append(step, value, unix_ms / 1000)
    return found


def points_of(curves: Curves) -> Iterator[Point]:
    """Return the points that are here of some curves."""
    for name, series in curves.items():
        for step, value, at in zip(series.steps, series.values, series.times, strict=True):
            yield safe_key(name), value, int(at * 1000), step


def _on_disk(folder: RunFolder) -> Known:
    """Return what a journal knows of a run; the store may know more."""
    note = folder.note
    series = _points(folder)
    records = [item for batch in read_batches(folder.path) for item in batch.records]
    tags = dict(note.tags)
    tags.update({item.key: item.value for item in records if isinstance(item, Tag)})
    wall = max(0.0, (folder.last_change - note.started) / 1000)
    earlier = Earlier(
        stretch=_stretches(tags) + 1,
        params={item.key: item.value for item in records if isinstance(item, Param)},
        tags=tags,
        steps={safe_key(name): found.highest for name, found in series.items() if found},
        used=ResourceUse(wall, 0.0, 0, None),
        read=lambda: {k: s for k, s in series.items() if not k.startswith(UNSEEN)},
        points=lambda: points_of({k: s for k, s in series.items() if not k.startswith(UNSEEN)}),
    )
    return Known(note.run_id, tags.get("cvtrack.run_key", note.key), earlier, "the disk")


def _points(folder: RunFolder) -> dict[str, Series]:
    history = History()
    for name, files in folder.segments().items():
        for rows in Cursor(StoredStream(files, name=name)).read():
            history.extend(rows, {})
    return history.series
