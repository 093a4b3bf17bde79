"""What is said where a store does not take a login, or does not let it do something."""

from __future__ import annotations

import re

from cvtrack_magics.redact import redact
from cvtrack_magics.store import error_kinds

LOGIN = (
    "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, to "
    "those of a user who may {what}"
)
ANSWER = re.compile(r"failed with error code (\d{3}) != \S+ Response body: '(.*)'", re.DOTALL)
_READ_ON = re.compile(r"\W*(please )?see <?https?://.*", re.IGNORECASE)
SHORT = 120


def why_denied(error: BaseException) -> str:
    """Return that a login is not taken, or may not do it, as the words after "the store".

    Empty of an error that is no denial.
    """
    if not error_kinds.is_denied(error):
        return ""
    unknown = getattr(error, "error_code", "") != "PERMISSION_DENIED"
    no = "does not take this login" if unknown else "does not let this login do that"
    return f"{no} ({answer_in(error)})"


def what_to_set(error: BaseException, what: str = "") -> str:
    """Return what to do about a denial, as a sentence; empty of another error.

    Parameters
    ----------
    error : Exception
        What the store answered.
    what : str
        What the user to be named has to be allowed.
    """
    if not error_kinds.is_denied(error):
        return ""
    said = LOGIN.format(what=what or "do that")
    return f"{said[:1].upper()}{said[1:]}."


def answer_in(error: BaseException) -> str:
    """Return the status and the first words of an answer, without where to read on."""
    found = ANSWER.search(str(error))
    if not found:
        return _READ_ON.sub("", error_kinds.reason(error))[:SHORT]
    line = found.group(2).strip().split("\n", 1)[0]
    line = redact(_READ_ON.sub("", line))[:SHORT].rstrip(".")
    return f"error {found.group(1)}: {line}" if line else f"error {found.group(1)}"
