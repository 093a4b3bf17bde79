"""A webhook is told what is wrong with a run; it is waited for by nobody, and known to nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cvtrack_magics.run.watch.webhook import MOST, Webhook, is_address
from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, runs_of

SECRET = "/services/T02K4/B9XQ1/pW8z3LrT6vYq"


class Receiver:
    """A server that keeps what it is told, and answers by the path."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.told.append((self.path, json.loads(body)))
                code = {"/gone": 410, "/moved": 302}.get(self.path, 200)
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", f"{outer.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_is_said_of_a_run_is_told_and_the_address_recorded_nowhere(
    shell: Shell, store: str, receiver: Receiver
) -> None:
    url = f"{receiver.url}{SECRET}"
    shell.run(f"%config CvTrack.watch_webhook = {url!r}")
    body = "for i in range(4):\n    log({'train/loss': float('nan')})\nprint(1)"
    shell.run(f"%%mlrun quiet\n{body}")
    assert not receiver.told  # without --watch nobody is told
    shell.run(f"%%mlrun bad --watch\n{body}\nprint({url!r})")
    (path, told), *others = receiver.told
    assert not others
    assert path == SECRET
    assert told["text"] == "bad: train/loss is NaN since step 0."
    run = runs_of(store)["bad"]
    assert (told["kind"], told["run"], told["run_id"]) == ("not_finite", "bad", run.info.run_id)
    for name in artifact_names(store, run):
        if name.endswith((".py", ".ipy", ".ipynb", ".txt", ".json")):
            assert SECRET.rsplit("/", 1)[-1] not in artifact(store, run, name), name
    assert SECRET.rsplit("/", 1)[-1] not in str(run.data.tags)


@pytest.mark.parametrize(
    ("path", "why"), [("/gone", "it answers with 410"), ("/moved", "it answers with 302")]
)
def test_what_is_not_taken_is_said_without_the_address(
    receiver: Receiver, path: str, why: str
) -> None:
    webhook = Webhook(receiver.url + path)
    webhook.send({"text": "a"})
    webhook.send({"text": "b"})
    assert webhook.settle(30) == f"The webhook at 127.0.0.1 did not take 2 lines: {why}."
    assert {told for told, _ in receiver.told} == {path}  # nobody else is told the address


def test_a_receiver_that_never_answers_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        webhook = Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", timeout=30)
        for number in range(3):
            webhook.send({"text": str(number)})
        said = webhook.settle(0.1)
        assert said == ("The webhook at 127.0.0.1 did not take 3 lines: it did not answer in time.")


def test_no_more_than_a_few_lines_of_a_run_are_sent(receiver: Receiver) -> None:
    webhook = Webhook(receiver.url)
    for number in range(3 * MOST):
        webhook.send({"text": str(number)})
    assert not webhook.settle(30)
    assert len(receiver.told) == MOST


@pytest.mark.parametrize(
    ("url", "fit"),
    [
        ("https://hooks.example/a", True),
        ("http://127.0.0.1:8/a", True),
        ("file:///etc/passwd", False),
        ("ftp://a/b", False),
        ("hooks.example/a", False),
        ("http://", False),
        ("http://a:b:c", False),
    ],
)
def test_only_a_server_is_told(shell: Shell, store: str, url: str, fit: bool) -> None:
    assert is_address(url) == fit
    if not fit:
        shell.run(f"%config CvTrack.watch_webhook = {url!r}")
        assert "nobody is told" in shell.run("%%mlrun a --watch --no-code\nlog({'a': 1})")


def test_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cvtrack_magics.config import CvTrack

    monkeypatch.setenv("CVTRACK_WATCH_WEBHOOK", "https://hooks.example/a")
    assert CvTrack().watch_webhook == "https://hooks.example/a"
