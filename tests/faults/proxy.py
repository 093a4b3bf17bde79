"""A proxy between one schedule's processes and the server they share with others.

It speaks just enough HTTP/1.1 to take one request at a time, so that it can do its
harm at a chosen point of the request.
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

KINDS = {
    "refuse": "the port is closed",
    "slow": "each request waits first",
    "hang": "taken, never forwarded, never answered",
    "late": "taken, forwarded when the fault is over, whoever still waits for it",
    "cut": "the server did it, the answer never came",
    "torn": "the server did it, half the answer came",
    "half": "dropped when half the request had come",
    "500": "Internal Server Error",
    "503": "Service Unavailable",
    "429": "Too Many Requests, with Retry-After",
    "401": "Unauthorized, as a proxy that asks for a login says it",
    "403": "Forbidden, as MLflow says it",
    "page": "a page of somebody between, given with the fault",
    "limit": "413 for what is larger than the fault says",
}
LONGEST_HANG = 60.0  # seconds
PASS_BACK = ("content-type", "location", "content-disposition")


@dataclass(frozen=True)
class Page:
    """What somebody between answers in the server's place."""

    status: int
    kind: str = "text/html"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self) -> bytes:
        """Return it as it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} Made Up", f"Content-Type: {self.kind}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [] if self.status == 204 else [f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if self.status == 204 else self.body)


@dataclass(frozen=True)
class Fault:
    """What happens to requests; ``share`` of them (0..1), after ``delay`` seconds.

    ``only`` is what the path of a request holds that is harmed; ``limit`` is in bytes.
    """

    kind: str
    share: float = 1.0
    delay: float = 0.0
    only: str = ""
    page: Page | None = None
    limit: int = 0


class Proxy:
    """Listens on a port of its own and forwards to ``upstream``."""

    def __init__(self, upstream: int, seed: object = 0) -> None:
        self.upstream = upstream
        self.hits: Counter[str] = Counter()
        self._random = random.Random(f"proxy {seed}")
        self._fault: Fault | None = None
        self._changed = threading.Condition()
        self._clients: set[socket.socket] = set()
        self._closed = False
        self._listener = self._bound(0)
        self.port = int(self._listener.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self.port}"
        self._listen()

    def _bound(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return listener

    def _listen(self) -> None:
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def set(self, fault: Fault | None) -> None:
        """Change what happens to requests from now on."""
        refused = self._fault is not None and self._fault.kind == "refuse"
        refuse = fault is not None and fault.kind == "refuse"
        with self._changed:
            self._fault = fault
            self._changed.notify_all()
        if refuse and not refused:
            _close(self._listener)
            # bound and not listening: the port stays ours, and connecting is refused
            self._listener = self._bound(self.port)
            self._drop_clients()
        elif refused and not refuse:
            self._listen()

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        self.set(None)
        _close(self._listener)
        self._drop_clients()

    def _drop_clients(self) -> None:
        for client in list(self._clients):
            _reset(client)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client.makefile("rb") as stream:
                while self._one(client, stream):
                    pass
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            self._clients.discard(client)
            _close(client)

    def _one(self, client: socket.socket, stream: object) -> bool:
        """Take one request; False when the connection is to be dropped."""
        head = stream.readline().decode("latin-1").split()  # type: ignore[attr-defined]
        if len(head) != 3:
            return False
        headers = http.client.parse_headers(stream)  # type: ignore[arg-type]
        length = int(headers.get("Content-Length", 0))
        fault = self._draw(head[1], length)
        kind = fault.kind if fault else ""
        if kind == "half":
            stream.read(length // 2)  # type: ignore[attr-defined]
            _reset(client)
            return False
        body = _chunked(stream) if "Transfer-Encoding" in headers else b""
        body = body or stream.read(length)  # type: ignore[attr-defined]
        if kind == "slow":
            assert fault is not None
            time.sleep(fault.delay)
        elif kind in ("hang", "late"):
            self._wait_while(fault)
            if kind == "hang":
                _reset(client)
                return False
        elif kind == "page":
            assert fault is not None
            assert fault.page is not None
            client.sendall(fault.page.answer())
            return True
        elif kind == "limit":
            client.sendall(Page(413, body=b"<h1>Request Entity Too Large</h1>").answer())
            return True
        elif kind.isdigit():
            client.sendall(_refusal(int(kind)))
            return True
        answer = self._forward(head[0], head[1], dict(headers.items()), body)
        if kind == "cut":
            _reset(client)
            return False
        if kind == "torn":
            client.sendall(answer[: len(answer) // 2])
            _reset(client)
            return False
        client.sendall(answer)
        return not self._closed

    def _draw(self, path: str, length: int) -> Fault | None:
        fault = self._fault
        if fault is None or self._random.random() >= fault.share:
            return None
        if fault.only not in path or length < fault.limit:
            return None
        self.hits[fault.kind] += 1
        return fault

    def _wait_while(self, fault: Fault | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not fault, LONGEST_HANG)

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        try:
            headers = {k: v for k, v in headers.items() if k.lower() != "transfer-encoding"}
            headers.update({"Connection": "close", "Content-Length": str(len(body))})
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{k}: {v}" for k, v in answer.getheaders() if k.lower() in PASS_BACK]
        lines += [f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + content


def _chunked(stream: object) -> bytes:
    parts = []
    while True:
        size = int(stream.readline().split(b";")[0], 16)  # type: ignore[attr-defined]
        parts.append(stream.read(size))  # type: ignore[attr-defined]
        stream.readline()  # type: ignore[attr-defined]
        if not size:
            return b"".join(parts)


def _refusal(status: int) -> bytes:
    body = b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "made up by a test"}'
    if status == 403:
        body = b'{"error_code": "PERMISSION_DENIED", "message": "the token has expired"}'
    if status in (401, 500):
        body = b"<html>made up by a test</html>"
    lines = [f"HTTP/1.1 {status} Made Up", f"Content-Length: {len(body)}"]
    lines += ["Retry-After: 1"] if status == 429 else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        connection.close()


def _reset(client: socket.socket) -> None:
    """Drop a connection with a reset, as a process that dies does."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(client)
