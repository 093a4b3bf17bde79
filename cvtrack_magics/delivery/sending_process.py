"""Long runs are sent by a process of their own, so that their loop has the interpreter alone.

A training loop shares Python's interpreter with every thread beside it, and each point costs
MLflow some 60 µs of it. A run that lasts is therefore handed over to a process that reads its
journal (:mod:`cvtrack_magics.delivery.sending`); here stays what the kernel knows of it. Short runs
stay with the kernel's thread, and so does everything where the process cannot be: whatever
becomes of it, the thread goes on from what the journal says is sent.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.capture.machine.hardware import memory_left
from cvtrack_magics.capture.machine.packages import own_version
from cvtrack_magics.delivery import watcher
from cvtrack_magics.delivery.attempts import Tried
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.journal.folder import Sent
from cvtrack_magics.plainjson import dumps, loads
from cvtrack_magics.programs import Program
from cvtrack_magics.store import credentials
from cvtrack_magics.system import time
from cvtrack_magics.threads import started
from cvtrack_magics.variables import variables

AFTER = 3.0  # seconds that a run is open before it is handed over
MANY = 20_000  # points that wait, from which on it is handed over at once, ended or not
AGAIN = 60.0  # seconds after which a process that ended by itself may be started once more
PREFIXES = ("MLFLOW_", "DATABRICKS_", "AWS_", "AZURE_", "GOOGLE_")
"""Environment that says how a store is reached; a process with an older one is replaced."""
LEAST_MEMORY = 500_000_000  # bytes that must be left for a process that imports MLflow
_OURS = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT")

_HERE = "the points of this run are sent by a thread of this kernel, which slows a fast loop down"
REFUSED = f"The store takes nothing from a process beside this one; {_HERE}."
VERSION = own_version()  # of the code in memory; read before it can be replaced
UPDATED = (
    f"cvtrack_magics was updated since this kernel loaded version {VERSION}; {_HERE}. Restart it."
)
NO_MEMORY = f"Less than {LEAST_MEMORY // 1_000_000} MB of memory are left; {_HERE}."


@dataclass(eq=False)
class Outsider:
    """A process that sends the runs of one store, as the kernel sees it."""

    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    ready: bool = False
    hurried: bool = False
    """Whether it was asked to hurry and has not heard that yet."""
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=forks.rlock)

    @property
    def lives(self) -> bool:
        """Whether the process can still be told something."""
        return self.process.poll() is None

    def say(self, message: Mapping[str, Any]) -> bool:
        """Tell the process something; whether it could be told."""
        pipe = self.process.stdin
        try:
            with self.lock:
                assert pipe is not None
                pipe.write(dumps(message).encode() + b"\n")
                pipe.flush()
            return True
        except (OSError, ValueError):
            return False


class Outside:
    """Hands long runs over, and takes them back.

    Parameters
    ----------
    allowed : callable
        Whether there may be such processes.
    back : callable
        Takes a run that the kernel's thread has to send again.
    changed : Condition
        Notified when something is known anew.
    """

    def __init__(
        self,
        allowed: Callable[[], bool],
        back: Callable[[Delivery], None],
        changed: threading.Condition,
    ) -> None:
        self._allowed = allowed
        self._back = back
        self._changed = changed
        self._lock = forks.rlock()
        self._outsiders: dict[str, Outsider] = {}
        self._not_before: dict[str, float] = {}
        self._refused: dict[str, Mapping[str, str]] = {}
        """The environments in which a store took nothing from such a process."""
        self._updated = False
        """Whether a process that is started now would be of another version."""
        self._stopped = False

    @property
    def deliveries(self) -> list[Delivery]:
        """The runs that are handed over and not done."""
        with self._lock:
            return [d for one in self._outsiders.values() for d in list(one.deliveries.values())]

    def takes(self, delivery: Delivery) -> bool:
        """Take a run over from the thread that sends it; called between two of its turns."""
        if not self._may_take(delivery):
            return False
        try:
            uri = delivery.full_uri()
        except Exception:  # without its credentials nobody can send it
            return False
        with self._lock:
            if self._updated or self._is_refused(uri):
                _tell_once(delivery, UPDATED if self._updated else REFUSED)
                return False
            outsider = self._outsider(uri, delivery)
            if outsider is None or not outsider.ready:
                return False
            folder = delivery.folder
            assert folder is not None
            key = delivery.note.key
            outsider.deliveries[key] = delivery
            delivery.elsewhere = lambda what: outsider.say({"key": key, **what})
            opened = outsider.say(
                {
                    "open": str(folder.path),
                    "uri": uri,
                    "ending": delivery.ending,
                    "created_late": delivery.created_late,
                    "connect_timeout": delivery.tracking.connect_timeout,
                }
            )
            if not opened:
                delivery.elsewhere = None
                del outsider.deliveries[key]
            return opened

    def _may_take(self, delivery: Delivery) -> bool:
        long_open = time.monotonic() - delivery.opened_at > AFTER
        sound = not (delivery.tried.failures or delivery.in_memory or delivery.only_here)
        known = delivery.folder is not None and bool(delivery.run_id)
        known = known and ":memory:" not in delivery.note.uri
        if delivery.note.parent_key and delivery.parent is None:
            return False  # one of many workers, which would have a process each
        many = delivery.waiting > MANY
        lasts = many or (long_open and delivery.end is None)
        lasts = lasts and not delivery.done
        return known and lasts and sound and not self._stopped and self._allowed()

    def hurry(self) -> None:
        """Let all be sent now."""
        with self._lock:
            outsiders = list(self._outsiders.values())
        for outsider in outsiders:
            if outsider.deliveries and not outsider.hurried:
                # one at a time: a process that is stopped would let the pipe run full
                outsider.hurried = outsider.say({"hurry": True})

    def look(self) -> None:
        """Take back what can no longer be sent from outside; called now and then."""
        with self._lock:
            outsiders = list(self._outsiders.items())
        for uri, outsider in outsiders:
            changed = _changed_since(outsider.environment)
            for key, delivery in list(outsider.deliveries.items()):
                refused = delivery.tried.denied
                if refused and not changed:
                    self._refused[uri] = outsider.environment
                if delivery.in_memory or refused or (changed and delivery.tried.failures):
                    outsider.say({"key": key, "release": True})
            if changed and not outsider.deliveries:
                self._end(uri, outsider)

    def stop(self) -> None:
        """Leave the processes to what they have; each ends when that is sent."""
        self._stopped = True
        with self._lock:
            for outsider in self._outsiders.values():
                _close(outsider.process)

    def _end(self, uri: str, outsider: Outsider) -> None:
        with self._lock:
            if self._outsiders.get(uri) is outsider:
                del self._outsiders[uri]
        _close(outsider.process)

    # -- the process

    def _is_refused(self, uri: str) -> bool:
        """Whether the store takes nothing from a process with today's environment."""
        before = self._refused.get(uri)
        return before is not None and not _changed_since(before)

    def _outsider(self, uri: str, delivery: Delivery) -> Outsider | None:
        found = self._outsiders.get(uri)
        if found is not None and found.lives:
            return found
        if time.monotonic() < self._not_before.get(uri, 0.0) or not credentials.may_go_with(uri):
            return None
        self._not_before[uri] = time.monotonic() + AGAIN
        if memory_left() < LEAST_MEMORY:
            _tell_once(delivery, NO_MEMORY)
            return None
        environment = variables()
        try:
            process = _start({**environment, "MLFLOW_TRACKING_URI": uri})
        except OSError:
            return None
        outsider = self._outsiders[uri] = Outsider(process, environment)
        if started(self._read, outsider, name="cvtrack-outside") is None:
            process.kill()  # nobody would hear how far it is
            return None
        return outsider

    def _read(self, outsider: Outsider) -> None:
        pipe = outsider.process.stdout
        assert pipe is not None
        try:
            for line in pipe:
                self._take(outsider, loads(line))
        except Exception:  # whatever it says: the thread goes on from what is sent
            outsider.process.kill()
        outsider.ready = False
        with suppress(subprocess.TimeoutExpired):
            outsider.process.wait(1.0)
        for delivery in list(outsider.deliveries.values()):
            self._take_back(outsider, delivery)

    def _take(self, outsider: Outsider, said: Mapping[str, Any]) -> None:
        if "hello" in said:
            outsider.ready = said.get("version") == VERSION
            if not outsider.ready:
                self._updated = True
                _close(outsider.process)
            return
        if "heard" in said:
            outsider.hurried = False
            return
        delivery = outsider.deliveries.get(said["key"])
        if delivery is None:
            return
        if "released" in said:
            self._take_back(outsider, delivery)
            return
        _apply(delivery, said)
        if delivery.done:
            outsider.deliveries.pop(said["key"], None)
        with self._changed:
            self._changed.notify_all()

    def _take_back(self, outsider: Outsider, delivery: Delivery) -> None:
        if outsider.deliveries.pop(delivery.note.key, None) is None or delivery.done:
            return
        delivery.take_back()
        delivery.opened_at = time.monotonic() + AGAIN  # not at once to the next process
        self._back(delivery)


def _apply(delivery: Delivery, said: Mapping[str, Any]) -> None:
    """Know of a run what the process says of it."""
    facts, points, streams = said["sent"]
    places = {str(name): (int(at[0]), int(at[1])) for name, at in streams.items()}
    delivery.sent = Sent(int(facts), int(points), places)
    while delivery.facts and delivery.facts[0].number <= facts:
        if delivery.facts[0].number in delivery.only_here:
            break
        delivery.facts.popleft()
    delivery.on_sent({name: place[0] for name, place in places.items()})
    delivery.tried = Tried.heard(said["tried"])
    delivery.notices += [line for line in said["notices"] if line not in delivery.notices]
    delivery.aside = Path(said["aside"]) if said["aside"] else None
    delivery.done = bool(said["done"])


def _tell_once(delivery: Delivery, line: str) -> None:
    if line not in delivery.notices:
        delivery.notices.append(line)


def _changed_since(before: Mapping[str, str]) -> bool:
    """Whether the environment says something else of stores; what is away says nothing."""
    return any(
        value != before.get(name)
        for name, value in variables().items()
        if name.startswith(PREFIXES) and not name.startswith(_OURS)
    )


def _start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the process: in a session of its own, where nobody's modules lie."""
    root = str(Path(__file__).resolve().parents[2])
    code = (
        "import sys; sys.path[:1] = []; sys.path.append(sys.argv.pop()); "
        "from cvtrack_magics.delivery.sending import main; main()"
    )
    return Program(
        [sys.executable, "-c", code, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**environment, **watcher.QUIET},
        start_new_session=True,
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.close()
