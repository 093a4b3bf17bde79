"""Says in one plain line why a run could not be sent."""

from __future__ import annotations

import re

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.redact import redact
from cvtrack_magics.store import error_kinds as refusals
from cvtrack_magics.store.uris import sqlite_file

LOGIN = (
    "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, to "
    "those of a user who may write there"
)
_ANSWER = re.compile(r"failed with error code (\d{3}) != \S+ Response body: '(.*)'", re.DOTALL)
_TOO_MANY = re.compile(r"too many (\d{3}) error responses")
SHORT = 120


def reason_of(error: Exception, uri: str = "") -> str:
    """Return why a try failed to send to a store."""
    cause = error.__cause__ if isinstance(error, CvtrackError) else error
    if isinstance(cause, Exception):
        plain = _login(cause) or _gone(cause, uri) or _server(cause)
        if plain:
            return plain
    if isinstance(error, CvtrackError):
        return str(error) if refusals.is_no(error) else error.problem
    return refusals.reason(error)


def _login(error: Exception) -> str:
    if not refusals.is_denied(error):
        return ""
    return f"The store does not take this login ({_said(error)}): {LOGIN}."


def _gone(error: Exception, uri: str) -> str:
    file = sqlite_file(uri) if uri.startswith("sqlite") else None
    if file is None or not refusals.database_error(error):
        return ""
    if not file.exists():
        return f"The store's file {file} is not there."
    if "no such table" in str(error):  # SQLite makes an empty file where one is gone
        return f"The store's file {file} is not there as it was: it has no tables of MLflow's."
    return ""


def _server(error: Exception) -> str:
    text = str(error)
    found = _TOO_MANY.search(text)
    if found:
        return f"The server answers with error {found.group(1)}; its log says why."
    return f"The server answers with {_said(error)}." if _ANSWER.search(text) else ""


def _said(error: Exception) -> str:
    found = _ANSWER.search(str(error))
    if not found:
        return refusals.reason(error)[:SHORT]
    line = redact(found.group(2).strip().split("\n", 1)[0])[:SHORT].rstrip(".")
    return f"error {found.group(1)}: {line}" if line else f"error {found.group(1)}"
