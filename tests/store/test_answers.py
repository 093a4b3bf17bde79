"""Only a tracking server's own answer counts, and nobody waits behind another's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.records import Refused
from cvtrack_magics.store import answers, credentials
from cvtrack_magics.store.client import client_of, creating
from cvtrack_magics.store.isolating import RunNotThere
from cvtrack_magics.store.writer import write_points

RUN = {"info": {"run_id": "r" * 32, "experiment_id": "0", "lifecycle_stage": "active"}, "data": {}}
JSON, HTML = "application/json", "text/html"


class Front:
    """A server that answers ``log-batch`` as it is told to, and all else well."""

    def __init__(self) -> None:
        self.status, self.kind, self.body = 200, JSON, b"{}"
        self.headers: dict[str, str] = {}
        self.limit = 10**9
        self.refuses: set[int] = set()
        self.calls = 0
        self.took: set[int] = set()
        self.authorizations: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                front.say(self, 200, JSON, json.dumps({"run": RUN}).encode())

            def do_POST(self) -> None:
                front.take(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, handler: Any, body: bytes) -> None:
        self.calls += 1
        self.authorizations.append(handler.headers.get("Authorization", ""))
        steps = {int(m["step"]) for m in json.loads(body)["metrics"]}
        if len(body) > self.limit:
            return self.say(handler, 413, HTML, b"<h1>Request Entity Too Large</h1>")
        if steps & self.refuses:
            said = {"error_code": "INVALID_PARAMETER_VALUE", "message": "no such step"}
            return self.say(handler, 400, JSON, json.dumps(said).encode())
        if self.status == 200 and self.body == b"{}":
            self.took |= steps
        return self.say(handler, self.status, self.kind, self.body)

    def say(self, handler: Any, status: int, kind: str, body: bytes) -> None:
        handler.send_response(status)
        for name, value in {**self.headers, "Content-Type": kind}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def front() -> Iterator[Front]:
    serving = Front()
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


def send(front: Front, count: int = 8) -> list[Any]:
    with creating():
        points = [("m", float(i), 1000 + i, i) for i in range(count)]
        return write_points(client_of(front.uri), "r" * 32, points)


NOT_ITS_OWN: list[tuple[int, str, bytes]] = [
    (400, HTML, b"<html>Bad Request (a proxy)</html>"),
    (400, JSON, b'{"error": "bad request"}'),
    (400, JSON, b'{"detail": "unknown host"}'),
    (400, JSON, b'{"error_code": 400, "message": "gateway"}'),
    (403, HTML, b"<html>Forbidden by the firewall</html>"),
    (404, HTML, b"<html>no such site</html>"),
    (409, HTML, b""),
    (200, HTML, b"<html><form>Log in</form></html>"),
    (200, JSON, b'{"status": "ok"}'),
    (200, JSON, b"[]"),
    (200, JSON, b'"{}"'),
    (200, JSON, b""),
    (204, JSON, b""),
    (202, JSON, b"{}"),
    (302, HTML, b""),
    (500, HTML, b"<html>upstream</html>"),
    (502, HTML, b""),
    (503, HTML, b"maintenance"),
]


@pytest.mark.parametrize(("status", "kind", "body"), NOT_ITS_OWN)
def test_what_is_not_the_servers_own_answer_is_neither_taken_nor_refused(
    front: Front, status: int, kind: str, body: bytes
) -> None:
    front.status, front.kind, front.body = status, kind, body
    with pytest.raises(Exception) as seen:  # noqa: PT011 (MLflow's error, or one of ours)
        send(front)
    assert not isinstance(seen.value, RunNotThere)
    front.status, front.kind, front.body = 200, JSON, b"{}"
    assert send(front) == []
    assert front.took == set(range(8))


CALLS = {
    "runs/create": "run",
    "runs/get": "run",
    "runs/update": "run_info",
    "experiments/get": "experiment",
    "experiments/get-by-name": "experiment",
    "experiments/create": "experiment_id",
    "model-versions/create": "",
    "artifacts/list": "",
    "runs/search": "",
    "logged-models/search": "",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_page_or_an_empty_answer_is_none_to_what_makes_or_reads(call: str) -> None:
    def told(body: bytes) -> object:
        answer = SimpleNamespace(status_code=200, headers={}, content=body)
        ask = answers.watched(lambda method, url: answer, lambda: True)
        try:
            return ask("POST", f"http://h/api/2.0/mlflow/{call}")
        except answers.NotTheStore:
            return None

    key = CALLS[call]
    for body in (b"<html>Log in</html>", b"", b"[]", b"null", b'"{}"', b"0"):
        assert told(body) is None
    for empty in (b"{}", json.dumps({key: {}}).encode(), json.dumps({key: None}).encode()):
        assert not key or told(empty) is None
    assert told(json.dumps({key: "1"} if key else {}).encode()) is not None


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4}, {0, 2, 4, 6}, {1}, {5, 7}, {2, 3, 6}, {4}, {6}])
def test_what_the_server_itself_refuses_is_refused_alone(front: Front, bad: set[int]) -> None:
    front.refuses = bad
    refused = send(front)
    assert {item.what["step"] for item in refused if isinstance(item, Refused)} == bad
    assert front.took == set(range(8)) - bad


@pytest.mark.parametrize("limit", [400, 700, 1500, 3000, 20_000])
def test_what_is_too_large_goes_in_parts(front: Front, limit: int) -> None:
    front.limit = limit
    assert send(front, 200) == []
    assert front.took == set(range(200))


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "90", 60.0),
        (503, "90", 60.0),
        (503, "7", 7.0),
        (429, "0", 0.0),
        (500, "1.5", 1.5),
        (502, "30", 30.0),
        (504, "100000", 60.0),
        (408, "59", 59.0),
        (429, "Fri, 01 Jan 2100 00:00:00 GMT", 60.0),
        (503, "Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
    ],
)
def test_a_server_that_asks_to_wait_is_asked_once_and_not_waited_for(
    front: Front, status: int, said: str, seconds: float
) -> None:
    front.status, front.kind, front.body = status, HTML, b"slow down"
    front.headers = {"Retry-After": said}
    with pytest.raises(StoreUnavailable, match="asks to wait") as seen:
        send(front)
    assert front.calls == 1
    assert answers.seconds_to_wait(seen.value) == seconds


FAR = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


@pytest.mark.parametrize("said", ["", "soon", "-", "1 hour", "nan", "9, 9", "0x10", FAR])
def test_a_retry_after_that_cannot_be_read_says_nothing(front: Front, said: str) -> None:
    front.status, front.kind, front.body = 503, JSON, b"{}"
    front.headers = {"Retry-After": said}
    with pytest.raises(Exception) as seen:  # noqa: PT011
        send(front)
    assert answers.seconds_to_wait(seen.value) == 0.0


def test_credentials_go_only_to_the_server_they_are_meant_for(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_meant", {})
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token-of-a")
    credentials.note(front.uri)
    send(front)
    assert front.authorizations[-1] == "Bearer token-of-a"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token-of-b")
    credentials.note("http://another.example:5000")
    send(front)
    assert front.authorizations[-1] == ""
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "b")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "of-b")
    send(front)
    assert front.authorizations[-1] == ""
    credentials.note(front.uri)
    send(front)
    assert front.authorizations[-1].startswith("Basic ")


def test_a_new_token_is_the_current_servers_once_it_has_stayed_the_current_one(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setattr(credentials, "_meant", {})
    monkeypatch.setattr(credentials, "_first_seen", {})
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(front.uri)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "first")
        credentials.note(front.uri)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second")
        send(front)
        assert front.authorizations[-1] == ""  # the store may be changed in the next line
        mlflow.set_tracking_uri("http://another.example:5000")
        monkeypatch.setattr(credentials, "SETTLED", 0.0)
        send(front)
        assert front.authorizations[-1] == ""
        mlflow.set_tracking_uri(front.uri)
        send(front)
        assert front.authorizations[-1] == "Bearer second"
    finally:
        mlflow.set_tracking_uri(before)
