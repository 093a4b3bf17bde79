"""Says in one plain line why a run could not be sent."""

from __future__ import annotations

import re

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store import error_kinds as refusals
from cvtrack_magics.store.denials import ANSWER, LOGIN, answer_in, why_denied
from cvtrack_magics.store.uris import sqlite_file

_TOO_MANY = re.compile(r"too many (\d{3}) error responses")


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
    no = why_denied(error)
    return f"The store {no}: {LOGIN.format(what='write there')}." if no else ""


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
    return f"The server answers with {answer_in(error)}." if ANSWER.search(text) else ""
