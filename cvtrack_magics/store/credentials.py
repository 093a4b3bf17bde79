"""Which server the credentials in the environment are meant for.

MLflow sends those of the environment to whichever server it speaks to. A run that waits for
one server would so be sent with the token of another. A token that is changed while a server
is the current one, and stays so, is that server's new one.
"""

from __future__ import annotations

import os
import time
from urllib.parse import urlsplit

_NAMES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
SETTLED = 5.0  # seconds in which who changes the token for another store also changes the store
_meant: dict[tuple[str, int | None], set[tuple[str, ...]]] = {}
_first_seen: dict[tuple[object, tuple[str, ...]], float] = {}


def note(uri: str) -> None:
    """Take the environment's credentials for those of the current store's server."""
    server = _server(uri)
    if server is not None:
        _meant.setdefault(server, set()).add(_now())


def are_meant_for(url: str) -> bool:
    """Whether what the environment says now was said while this server was the current one."""
    now, server = _now(), _server(url)
    if not any(now) or now in _meant.get(server or ("", None), ()):
        return True
    from cvtrack_magics.store.client import mlflow  # which looks at answers, and those at this

    if server is None or server != _server(str(mlflow().get_tracking_uri())):
        _first_seen.clear()
        return False
    since = _first_seen.setdefault((server, now), time.monotonic())
    if time.monotonic() - since < SETTLED:
        return False
    _meant.setdefault(server, set()).add(now)
    return True


def may_go_with(uri: str) -> bool:
    """Whether a process that speaks to this store only may be given the environment's."""
    return _server(uri) is None or are_meant_for(uri)


def _now() -> tuple[str, ...]:
    return tuple(os.environ.get(name, "") for name in _NAMES)


def _server(uri: str) -> tuple[str, int | None] | None:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    try:
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
