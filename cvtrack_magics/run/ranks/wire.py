"""What a notebook and its ranks tell each other: lines of JSON over a private socket."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.delivery.lines import Lines
from cvtrack_magics.journal.fact_lines import from_json, to_json
from cvtrack_magics.records import Artifact, Notice, Record
from cvtrack_magics.text import json_object

SOCKET, BOARD, ERRORS, LOGS = "socket", "stop", "launcher.txt", "logs"
"""The files of the folder: the socket, where the ranks stop, and what the launcher writes."""


PATIENCE = 5.0  # seconds that a connection has for its first line


class Wire:
    """One end of a connection.

    Parameters
    ----------
    connection : socket
        Connected.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lock = forks.rlock()
        self._lines = Lines()

    def send(self, **message: Any) -> None:
        """Send a message; may be called from any thread."""
        line = json.dumps(message, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with self._lock:
            self.connection.sendall(line)

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the messages that have come; None once the other end is gone."""
        try:
            read = self.connection.recv(1 << 16)
        except OSError:
            return None
        if not read:
            return None
        return [json_object(line) for line in self._lines.take(read)]


def greeting(connection: socket.socket) -> dict[str, Any]:
    """Return the first line of a connection, and not a byte more; empty where there is none."""
    connection.settimeout(PATIENCE)
    line = bytearray()
    try:
        while not line.endswith(b"\n"):
            read = connection.recv(1)
            if not read:
                return {}
            line += read
    except OSError:
        return {}
    connection.settimeout(None)
    return json_object(bytes(line))


def packed(records: Iterable[Record]) -> list[list[Any]]:
    """Return records as they are sent; files by their content."""
    return [_packed(item) for item in records]


def _packed(item: Record) -> list[Any]:
    if isinstance(item, Notice):
        return ["notice", {"text": item.text}]
    if not isinstance(item, Artifact):
        return to_json(item)
    content = item.source.read_bytes() if item.source is not None else item.content
    if isinstance(content, bytes):
        return ["bytes", {"path": item.path, "content": base64.b64encode(content).decode()}]
    return ["text", {"path": item.path, "content": content}]


def unpacked(sent: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Record]:
    """Return the records that were sent; one of an unknown kind is passed over."""
    found = [_unpacked(kind, fields) for kind, fields in sent]
    return [item for item in found if item is not None]


def _unpacked(kind: str, fields: Mapping[str, Any]) -> Record | None:
    if kind == "notice":
        return Notice(str(fields["text"]))
    if kind == "bytes":
        return Artifact(str(fields["path"]), base64.b64decode(fields["content"]))
    if kind == "text":
        return Artifact(str(fields["path"]), str(fields["content"]))
    made: Record | None = from_json(kind, fields)
    return made
