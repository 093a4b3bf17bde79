"""Says within seconds whether a tracking store can be used.

MLflow itself retries for minutes before it gives up on a dead server or a broken
database, with the notebook cell waiting.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.redact import redact
from cvtrack_magics.store.file_store import folder_of, require_allowed
from cvtrack_magics.store.uris import sqlite_file

DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def probe(uri: str, timeout: float) -> None:
    """Raise :class:`StoreUnavailable` when a store cannot be reached, read or written.

    Parameters
    ----------
    uri : str
        An MLflow tracking URI.
    timeout : float
        Seconds to wait for a server.
    """
    scheme = urlsplit(uri).scheme.split("+")[0]
    if scheme in ("http", "https"):
        _probe_http(uri, timeout)
    elif scheme == "sqlite":
        _probe_sqlite(uri, timeout)
    elif scheme in DEFAULT_PORTS:
        _probe_port(uri, DEFAULT_PORTS[scheme], timeout)
    elif scheme in ("", "file"):
        _probe_folder(uri)


def _probe_http(uri: str, timeout: float) -> None:
    parts = urlsplit(uri)
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    if parts.port:
        netloc += f":{parts.port}"
    health = f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}/health"
    try:
        urllib.request.urlopen(health, timeout=timeout).close()  # noqa: S310 (scheme is checked)
    except urllib.error.HTTPError as answer:
        if answer.code >= 500:
            raise StoreUnavailable(
                f"The MLflow server at {redact(uri)} answers with error {answer.code}.",
                "Look at the server's log, then run the cell again.",
            ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreUnavailable(
            f"No MLflow server answers at {redact(uri)} ({reason}).",
            "Start it, or type mlflow.set_tracking_uri('sqlite:///mlflow.db') to record here.",
        ) from None


def _probe_port(uri: str, default_port: int, timeout: float) -> None:
    parts = urlsplit(uri)
    try:
        address = (parts.hostname or "localhost", parts.port or default_port)
        socket.create_connection(address, timeout).close()
    except (OSError, ValueError) as error:
        raise StoreUnavailable(
            f"No database answers at {redact(uri)} ({error}).",
            "Start it, or set another tracking URI with mlflow.set_tracking_uri(...).",
        ) from None


def _probe_sqlite(uri: str, timeout: float) -> None:
    path = sqlite_file(uri)
    if path is None:
        return
    if not path.exists():
        _require_writable(path.absolute().parent, uri)
        return
    try:
        # one slash begins it: after two, SQLite takes the first folder for a host
        place = quote(f"/{path.absolute().as_posix().lstrip('/')}")
        connection = sqlite3.connect(f"file:{place}?mode=rw", uri=True, timeout=timeout)
        try:
            _read_and_begin_to_write(connection, path)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(
            f"The tracking database {path} cannot be used ({error}).",
            "Repair or move the file, or type mlflow.set_tracking_uri('sqlite:///other.db').",
        ) from None


def _read_and_begin_to_write(connection: sqlite3.Connection, path: Path) -> None:
    """Try both: who cannot read waits for a lock that is held, who cannot write for a turn."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise StoreUnavailable(
            f"Another process holds the tracking database {path} locked.",
            "Let it finish or end it; nothing recorded is lost meanwhile.",
        ) from None
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise  # else somebody is writing: busy, not broken


def _probe_folder(uri: str) -> None:
    require_allowed(uri)
    path = folder_of(uri) or Path.cwd()
    while not path.exists() and path != path.parent:
        path = path.parent
    _require_writable(path, uri)


def _require_writable(folder: Path, uri: str) -> None:
    if not folder.is_dir():
        raise StoreUnavailable(
            f"The tracking store {redact(uri)} needs the folder {folder}, which does not exist.",
            "Make the folder, or set another tracking URI with mlflow.set_tracking_uri(...).",
        )
    if not os.access(folder, os.W_OK):
        raise StoreUnavailable(
            f"The tracking store {redact(uri)} is in a folder you may not write to ({folder}).",
            "Change the folder's permissions, or type mlflow.set_tracking_uri(...).",
        )
