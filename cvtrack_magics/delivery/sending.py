"""The process that sends long runs beside the kernel that writes them.

Started by :mod:`cvtrack_magics.delivery.sending_process`, one for each store, with the environment
of that store.
It learns from lines of JSON which runs to send, reads their journals as they grow, and says by
lines of JSON how far it has come. What it sends, and by which rules, is what a thread of the
kernel would send (:class:`~cvtrack_magics.delivery.outbox.Delivery`).

When the kernel is gone, it sends the rest and gives the runs their end, then ends itself.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.machine.packages import own_version
from cvtrack_magics.delivery import recovery
from cvtrack_magics.delivery.lines import Lines
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.delivery.sender import TURN
from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.contents import read_contents
from cvtrack_magics.journal.folder import RunFolder
from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.journal.record_log import GrowingFacts
from cvtrack_magics.journal.run_note import read_note
from cvtrack_magics.journal.stored import GrowingStream, stream_files
from cvtrack_magics.plainjson import dumps, loads
from cvtrack_magics.store import credentials
from cvtrack_magics.store.tracking import Tracking

IDLE = 60.0  # seconds without a run after which the process ends
AFTERWARDS = 120.0  # seconds that what a kernel left is tried to be sent
SOON = 3.0  # seconds that a failed try of that is waited after at most
INTERVAL = 0.5  # seconds between two looks at the journals


class GrowingRun:
    """A run that the kernel still writes, and its way to the store.

    Parameters
    ----------
    tracking : Tracking
        Speaks to the store.
    folder : RunFolder
        The run's folder, which is claimed.
    uri : str
        The tracking URI with its credentials.
    """

    def __init__(self, tracking: Tracking, folder: RunFolder, uri: str) -> None:
        self.folder = folder
        self.delivery = Delivery(tracking, folder.note, {}, lambda: 0, folder=folder, uri=uri)
        self.delivery.damage = self._damage
        self._facts = GrowingFacts(folder.path, self.delivery.sent.facts)
        self._streams: dict[str, GrowingStream] = {}

    def look(self) -> None:
        """Take up what was written since; the end comes with the last facts."""
        self.delivery.facts.extend(self._facts.look())
        self.delivery.knows(self._facts.models)
        self.delivery.end = self._facts.end
        files = stream_files(self.folder.path)
        for name in files:
            place = self.delivery.sent.place(name)
            if name not in self._streams:
                self._streams[name] = GrowingStream(self.folder.path, name)
                self.delivery.read_also({name: Cursor(self._streams[name], place)})
            self._streams[name].forget(place[0])
            self._streams[name].look(files)

    def _damage(self) -> list[str]:
        told, files = read_contents(self.folder.path), stream_files(self.folder.path)
        found = [*self._facts.damage, *self._facts.lacking(told.facts)]
        found += [item for one in self._streams.values() for item in one.damage.values()]
        return [*map(str, found), *told.missing(files)]

    def state(self) -> dict[str, Any]:
        """Return how far the run is, for the kernel."""
        delivery = self.delivery
        return {
            "key": delivery.note.key,
            "sent": [delivery.sent.facts, delivery.sent.points, dict(delivery.sent.streams)],
            "done": delivery.done,
            "tried": delivery.tried.told(),
            "notices": delivery.notices,
            "aside": str(delivery.aside or ""),
        }


class Work:
    """The runs of one store, and what is heard from the kernel.

    Parameters
    ----------
    pipe : int
        Where the kernel's lines come in.
    answers : int
        Where lines for the kernel go.
    """

    def __init__(self, pipe: int, answers: int) -> None:
        self._pipe = pipe
        self._answers = answers
        self._lines = Lines()
        self.closed = False
        self._chooser = selectors.DefaultSelector()
        self._chooser.register(pipe, selectors.EVENT_READ)
        self._runs: dict[str, GrowingRun] = {}
        self._told: dict[str, dict[str, Any]] = {}
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        credentials.note(uri)  # the environment is this store's, as the kernel has found out
        self._tracking = Tracking(uri, 3.0)
        self._kernel: tuple[Path, str, str] | None = None

    @property
    def kernel_lives(self) -> bool:
        """Whether the process that writes the runs is there; it holds a lock as long as it is."""
        return self._kernel is None or liveness.is_alive(*self._kernel)

    def run(self) -> None:
        """Send until there is nothing to send any more, or nobody to send it for."""
        self.say({"hello": os.getpid(), "version": own_version()})
        idle_since, more = time.monotonic(), False
        while self.kernel_lives and not (self.closed and not self._runs):
            self.hear(0.0 if more else INTERVAL)
            more = self._advance()
            if self._runs:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE:
                return
        self._finish()

    def _advance(self) -> bool:
        more = False
        for key, run in list(self._runs.items()):
            if run.delivery.next_try > time.monotonic():
                continue
            run.look()
            more |= run.delivery.try_to_advance(TURN)
            self._tell(run)
            if run.delivery.done:
                del self._runs[key]
            self.hear(0.0)
        return more

    def _tell(self, run: GrowingRun) -> None:
        state = run.state()
        news = {**state, "tried": run.delivery.tried}  # whose times do not run on
        if news != self._told.get(state["key"]):
            self.say(state)
            self._told[state["key"]] = news

    # -- the kernel

    def say(self, message: Mapping[str, Any]) -> None:
        """Tell the kernel; it may be gone."""
        data = memoryview(dumps(message).encode() + b"\n")
        try:
            while data:
                data = data[os.write(self._answers, data) :]
        except OSError:
            self.closed = True

    def hear(self, timeout: float) -> None:
        """Take in what the kernel says, waiting so long for the first of it."""
        while not self.closed and self._chooser.select(timeout):
            data = os.read(self._pipe, 1 << 16)
            self.closed |= not data
            for line in self._lines.take(data):
                self._take(loads(line))
            timeout = 0.0
        if self.closed and timeout:
            time.sleep(timeout)

    def _take(self, said: Mapping[str, Any]) -> None:
        if "hurry" in said:
            self.say({"heard": True})
            for run in self._runs.values():
                run.delivery.next_try = run.delivery.tried.not_before
        elif "open" in said:
            self._open(said)
        elif said.get("key") in self._runs:
            run = self._runs[said["key"]]
            if "release" in said:
                self._runs.pop(said["key"]).folder.let_go()
                self.say({"key": said["key"], "released": True})
            if "note" in said:
                run.delivery.change(**said["note"])
            if "ending" in said:
                run.delivery.ending = said["ending"]
        elif "release" in said:
            self.say({"key": said["key"], "released": True})

    def _open(self, said: Mapping[str, Any]) -> None:
        path = Path(said["open"])
        try:
            folder = RunFolder(path, read_note(path))
            claimed = folder.claim()
        except (OSError, ValueError, TypeError):
            claimed = False
        if not claimed:  # another process has it; the kernel's own thread will find out
            self.say({"key": path.name, "released": True})
            return
        self._tracking.connect_timeout = float(said["connect_timeout"])
        run = GrowingRun(self._tracking, folder, said["uri"])
        run.delivery.ending = said["ending"]
        run.delivery.created_late = said["created_late"]
        self._runs[folder.note.key] = run
        self._kernel = (path.parent, folder.note.owner, folder.note.boot)

    # -- afterwards

    def _finish(self) -> None:
        """Send what a kernel left that is gone, with the end that its runs have earned."""
        folders = []
        for run in self._runs.values():
            run.folder.let_go()
            folders.append(run.folder)
        until = time.monotonic() + AFTERWARDS
        left = recovery.claim(self._tracking, folders)
        while left and time.monotonic() < until:
            for delivery in left:
                if delivery.next_try <= time.monotonic():
                    delivery.try_to_advance(TURN)
                    soon = max(delivery.tried.not_before, time.monotonic() + SOON)
                    delivery.next_try = min(delivery.next_try, soon)
            left = [delivery for delivery in left if not delivery.done]
            if all(delivery.next_try > time.monotonic() for delivery in left):
                time.sleep(0.1)


def main() -> None:
    """Send the runs that come in by the standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)  # what MLflow prints must not come between our lines
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (for good)
    Work(0, answers).run()


if __name__ == "__main__":
    main()
