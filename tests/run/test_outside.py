"""A run that lasts is sent by a process; whatever becomes of that, nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cvtrack_magics import log, mlparams, mlrun
from cvtrack_magics.delivery import sending_process as outside
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.delivery.sending import GrowingRun
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.folder import RunFolder, RunNote, me, read_note
from cvtrack_magics.run import current
from cvtrack_magics.store.tracking import Tracking
from tests import warm
from tests.conftest import closed_uri
from tests.store_views import artifact_names, points, runs_of


@pytest.fixture(autouse=True)
def at_once(script: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(outside, "AFTER", 0.0)
    monkeypatch.setattr(outside, "AGAIN", 0.5)
    session = current.get_session()
    monkeypatch.setattr(session.config, "sender", "process")
    yield
    with contextlib.suppress(AttributeError):
        for one in list(session.sender._outside._outsiders.values()):
            one.process.kill()
            one.process.wait(10)


def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return what()


def delivery() -> Delivery:
    scope = current.get_session().current
    assert scope is not None
    return scope.kept.delivery


def handed_over() -> Delivery:
    found = delivery()
    until(lambda: found.elsewhere is not None)
    return found


def threads_named(name: str) -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == name]


def process_of(found: Delivery) -> Any:
    outsiders = current.get_session().sender._outside._outsiders.values()
    return next(one for one in outsiders if found in one.deliveries.values())


def count(start: int, stop: int) -> None:
    for step in range(start, stop):
        log({"loss": float(step), "acc": step / 2}, step=step)


def check(store: str, name: str, steps: int, status: str = "FINISHED") -> Any:
    run = until(lambda: [r for n, r in runs_of(store).items() if n == name])[0]
    until(lambda: runs_of(store)[name].info.status == status)
    assert points(store, run, "loss") == [(step, float(step)) for step in range(steps)]
    assert points(store, run, "acc") == [(step, step / 2) for step in range(steps)]
    return runs_of(store)[name]


def test_a_long_run_is_sent_from_outside_to_its_end(store: str) -> None:
    with mlrun("long", output=False):
        count(0, 500)
        found = handed_over()
        count(500, 30_000)
        mlparams({"lr": 0.1})
        until(lambda: found.sent.points > 10_000)
        count(30_000, 40_000)
    run = check(store, "long", 40_000)
    assert run.data.params["lr"] == "0.1"
    assert found.done
    assert not found.facts
    assert found.folder is not None
    assert not found.folder.path.exists()


def test_what_is_read_back_is_there(store: str) -> None:
    import mlflow

    with mlrun("read", output=False) as run:
        handed_over()
        for step in range(20):
            mlflow.log_metric("a", step, step=step)
            history = mlflow.MlflowClient().get_metric_history(run.run_id, "a")
            assert len(history) == step + 1
        mlflow.log_text("words", "a.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run.run_id}/a.txt") == "words"
    assert "a.txt" in artifact_names(store, runs_of(store)["read"])


def test_a_short_run_with_a_backlog_is_handed_over_after_its_end(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "AFTER", 60.0)
    with mlrun("first", output=False):  # so that the process is there
        monkeypatch.setattr(outside, "AFTER", 0.0)
        handed_over()
    monkeypatch.setattr(outside, "AFTER", 60.0)
    monkeypatch.setattr(outside, "MANY", 5_000)
    monkeypatch.setattr(current.get_session().config, "close_timeout", 0.0)
    with mlrun("few", output=False):
        count(0, 100)
        few = delivery()
    with mlrun("many", output=False):
        count(0, 30_000)
        many = delivery()
    until(lambda: many.elsewhere is not None)
    check(store, "many", 30_000)
    check(store, "few", 100)
    until(lambda: many.done)
    assert few.elsewhere is None


def test_a_run_whose_last_facts_are_sent_still_gets_its_end(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlrun("first", output=False):  # so that the process is there
        handed_over()
    monkeypatch.setattr(outside, "AFTER", 60.0)
    monkeypatch.setattr(outside, "MANY", 10**9)
    monkeypatch.setattr(current.get_session().config, "close_timeout", 0.0)
    with mlrun("ended", output=False):
        count(0, 40_000)
        found = delivery()
    last = found.facts[-1].number
    until(lambda: found.sent.facts == last)
    assert found.elsewhere is None
    monkeypatch.setattr(outside, "MANY", 100)
    until(lambda: found.elsewhere is not None)
    check(store, "ended", 40_000)


def test_a_run_whose_process_is_gone_at_once_stays_here(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes, gone = outside.Outside.takes, []

    def and_dies(self: outside.Outside, found: Delivery) -> bool:
        taken = takes(self, found)
        if taken and not gone:
            process = process_of(found).process
            process.kill()
            until(lambda: found.elsewhere is None and not threads_named("cvtrack-outside"))
            gone.append(process)
        return taken

    monkeypatch.setattr(outside, "AGAIN", 60.0)
    monkeypatch.setattr(outside.Outside, "takes", and_dies)
    with mlrun("gone", output=False):
        found = delivery()
        until(lambda: gone)
        count(0, 1_000)
        lane = next(iter(current.get_session().sender._lanes.values()))
        assert [item for item in lane.deliveries if item is found] == [found]
    check(store, "gone", 1_000)


def test_what_a_process_was_told_before_it_died_is_on_disk(store: str) -> None:
    with mlrun("told", output=False):
        found = handed_over()
        process = process_of(found).process
        os.kill(process.pid, signal.SIGSTOP)
        found.change(tags={"who": "me"})
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: found.elsewhere is None)
        assert found.folder is not None
        assert read_note(found.folder.path).tags == {"who": "me"}
        found.change(tags={"who": "somebody else"})
        os.kill(process_of(handed_over()).process.pid, signal.SIGKILL)
        until(lambda: found.elsewhere is None)
        assert read_note(found.folder.path).tags == {"who": "somebody else"}


def test_segments_that_are_sent_are_let_go(store: str) -> None:
    with mlrun("segments", output=False):
        found = handed_over()
        count(0, 30_000)
        until(lambda: not found.waiting, 90)
        assert found.folder is not None
        until(lambda: len(list(found.folder.path.glob("main-*.rows"))) == 1)
    check(store, "segments", 30_000)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_dies_is_stood_in_for(store: str, how: signal.Signals) -> None:
    with mlrun("dies", output=False):
        for times in range(3):
            found = handed_over()
            count(times * 5_000, (times + 1) * 5_000)
            process = process_of(found).process
            os.kill(process.pid, how)
            until(lambda found=found: found.elsewhere is None)
        count(15_000, 16_000)
    check(store, "dies", 16_000)


def test_a_process_that_hangs_is_only_waited_for_so_long(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current.get_session().config, "close_timeout", 1.0)
    with mlrun("hangs", output=False):
        found = handed_over()
        process = process_of(found).process
        os.kill(process.pid, signal.SIGSTOP)
        count(0, 1_000)
    assert not found.done
    os.kill(process.pid, signal.SIGCONT)
    check(store, "hangs", 1_000)


def test_facts_that_found_no_room_are_sent_from_here(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlrun("full", output=False):
        found = handed_over()
        count(0, 1_000)
        scope = current.get_session().current
        assert scope is not None
        facts = scope.kept._facts

        def full(*args: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(facts, "_append", full)
            mlparams({"in": "memory"})
        mlparams({"on": "disk"})
        until(lambda: found.elsewhere is None)
        count(1_000, 2_000)
    run = check(store, "full", 2_000)
    assert {"in": "memory", "on": "disk"}.items() <= run.data.params.items()


def test_two_runs_in_one_process_and_a_child(store: str) -> None:
    with mlrun("outer", output=False):
        count(0, 100)
        outer = handed_over()
        with mlrun("inner", output=False, nested=True):
            count(0, 200)
            inner = handed_over()
            assert process_of(inner) is process_of(outer)
        count(100, 300)
    check(store, "outer", 300)
    check(store, "inner", 200)


def test_forked_children_are_read_from_outside(store: str) -> None:
    with mlrun("forks", output=False):
        handed_over()
        count(0, 100)
        pids = []
        for at in range(3):
            pid = os.fork()
            if pid == 0:
                for step in range(50):
                    log({f"child{at}": float(step)}, step=step)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
    run = check(store, "forks", 100)
    for at in range(3):
        assert points(store, run, f"child{at}") == [(step, float(step)) for step in range(50)]


def test_off_is_off(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = current.get_session()
    monkeypatch.setattr(session.config, "sender", "thread")
    with mlrun("here", output=False):
        count(0, 100)
        time.sleep(1.5)
        assert delivery().elsewhere is None
    check(store, "here", 100)


KILLED = """
import os, time
import cvtrack_magics as cv
from cvtrack_magics.delivery import sending_process as outside
from cvtrack_magics.run import current
outside.AFTER = 0.0
with cv.mlrun("killed", output=False):
    found = current.get_session().current.kept.delivery
    step = 0
    while found.elsewhere is None or step < 20_000:
        cv.log({"loss": float(step), "acc": step / 2}, step=step)
        step += 1
        time.sleep(0.0001)
    print(step, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_kernels_run_is_ended_by_the_process(store: str, tmp_path: Path) -> None:
    ran = warm.run(
        ["-c", KILLED],
        env={**os.environ, "CVTRACK_SENDER": "process", "MLFLOW_TRACKING_URI": store},
    )
    assert ran.returncode == -9, ran.stderr
    began = time.monotonic()
    check(store, "killed", int(ran.stdout), "KILLED")
    assert not list((tmp_path / "home" / "state" / "cvtrack_magics").glob("journal/*/run.json"))
    print(f"KILLED after {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("error", [StoreUnavailable("It is away."), KeyError("x")])
def test_the_kernel_knows_what_a_failed_try_of_the_process_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tracking = Tracking(closed_uri(), 1.0)
    folder = RunFolder.make(tmp_path, RunNote("k" * 32, "r", closed_uri(), 1, *me()))
    there, here = GrowingRun(tracking, folder, ""), Delivery(tracking, folder.note, {}, lambda: 0)

    def fails(turn: float) -> bool:
        raise error

    monkeypatch.setattr(there.delivery, "advance", fails)
    for tried in (1, 2):
        there.delivery.try_to_advance()
        outside._apply(here, json.loads(json.dumps(there.state())))
        assert (here.tried.failures, here.tried.why) == (tried, there.delivery.tried.why)
        # %mlsync waits for as long as one more try may say something else
        assert here.tried.settled is (isinstance(error, StoreUnavailable) or tried == 2)


def test_a_process_of_another_version_is_not_used(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "VERSION", "0.0.1")
    with mlrun("old", output=False):
        count(0, 500)
        found = delivery()
        until(lambda: outside.UPDATED in found.notices)
        count(500, 1_000)
        assert found.elsewhere is None
    check(store, "old", 1_000)


BABEL = """
import json, sys
print(json.dumps({"hello": 1, "version": sys.argv[1]}), flush=True)
key = json.loads(sys.stdin.readline())["open"].rsplit("/", 1)[1]
print(sys.argv[2].replace("?", key), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "line", ["no JSON", "[]", '{"key": "?"}', '{"key": "?", "sent": [1]}', "{}"]
)
def test_what_a_process_says_that_nobody_understands_stops_nothing(
    store: str, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(_: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", BABEL, outside.VERSION, line]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe))
        return started[-1]

    monkeypatch.setattr(outside, "_start", start)
    monkeypatch.setattr(outside, "AGAIN", 60.0)
    with mlrun("babel", output=False):
        count(0, 500)
        until(lambda: started and started[0].poll() is not None)
        assert started[0].returncode == -signal.SIGKILL  # it was handed the run, and lost it
        count(500, 1_000)
        until(lambda: delivery().elsewhere is None)
        count(1_000, 1_500)
    check(store, "babel", 1_500)


class Door(BaseHTTPRequestHandler):
    """Lets requests with a header through to a server, and asks the others to log in."""

    protocol_version = "HTTP/1.1"
    upstream = 0
    refused = 0
    key = ("X-Door", "open")
    seen: ClassVar[set[str]] = set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name, wanted = self.key
        self.seen.add(self.headers.get(name, ""))
        if self.headers.get(name) != wanted and self.path != "/health":
            type(self).refused += 1
            self._say(401, b"who are you?", "text/plain")
            return
        there = http.client.HTTPConnection("127.0.0.1", self.upstream)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        there.request(self.command, self.path, body, kept)
        answer = there.getresponse()
        kind = answer.headers.get("Content-Type", "text/plain")
        self._say(answer.status, answer.read(), kind)
        there.close()

    def _say(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer


@pytest.mark.server
def test_a_login_that_only_this_process_has_is_used_from_here(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking.request_header import registry
    from mlflow.tracking.request_header.abstract_request_header_provider import (
        RequestHeaderProvider,
    )

    class Key(RequestHeaderProvider):
        def in_context(self) -> bool:
            return True

        def request_headers(self) -> dict[str, str]:
            return {"X-Door": "open"}

    known = registry._request_header_provider_registry
    monkeypatch.setattr(known, "_registry", [*known, Key()])
    with door_of(server, monkeypatch) as uri:
        with mlrun("door", output=False) as run:
            found = handed_over()
            count(0, 500)
            until(lambda: Door.refused > 0)
            until(lambda: found.elsewhere is None)
            until(lambda: not found.waiting)
            time.sleep(1.0)  # longer than AGAIN: it stays here
            refused = Door.refused
            count(500, 600)
            until(lambda: not found.waiting)
        assert Door.refused == refused
        check(uri, "door", 600)
        assert [line for line in run.summary.notices if "process beside this one" in line]


@pytest.mark.server
def test_a_token_that_is_changed_goes_to_a_new_process_and_nowhere_else(
    server: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "key", ("Authorization", "Bearer first"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "first")
    with door_of(server, monkeypatch) as uri:
        with mlrun("rotated", output=False):
            found = handed_over()
            before = process_of(found).process
            count(0, 500)
            until(lambda: not found.waiting)
            assert process_of(found).process is before  # the first login is its own, at once
            Door.key = ("Authorization", "Bearer second")
            count(500, 600)
            until(lambda: found.tried.denied or found.elsewhere is None)
            assert found.waiting
            monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second")
            until(lambda: not found.waiting)
            until(lambda: before.poll() is not None)
            found.opened_at = 0.0  # it stays here for a minute otherwise
            until(lambda: found.elsewhere is not None)
            after = process_of(found).process
            assert after is not before
            count(600, 700)
            until(lambda: not found.waiting)
            assert process_of(found).process is after
            assert not [line for line in found.notices if "process beside this one" in line]
        check(uri, "rotated", 700)
        assert Door.seen <= {"Bearer first", "Bearer second", ""}
    for path in current.get_session().config.state.rglob("*"):
        if path.is_file():
            assert b"second" not in path.read_bytes(), path


@contextlib.contextmanager
def door_of(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put a door before a server, and make it the store."""
    import mlflow

    monkeypatch.setattr(Door, "upstream", int(server.uri.rpartition(":")[2]))
    monkeypatch.setattr(Door, "refused", 0)
    monkeypatch.setattr(Door, "seen", set())
    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{door.server_port}"
    mlflow.set_tracking_uri(uri)
    try:
        yield uri
    finally:
        door.shutdown()
        door.server_close()
        mlflow.set_tracking_uri("")


def test_where_little_memory_is_left_the_thread_sends(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "memory_left", lambda: 400_000_000)
    with mlrun("small", output=False) as run:
        count(0, 100)
        until(lambda: not delivery().waiting)
        time.sleep(0.5)
        assert delivery().elsewhere is None
    check(store, "small", 100)
    assert len([line for line in run.summary.notices if "500 MB of memory" in line]) == 1
