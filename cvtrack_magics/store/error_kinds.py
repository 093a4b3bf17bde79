"""Tells what a store will never take from what it cannot take just now.

A *refusal* is what the store itself says of this value. What a proxy, a login page or a
database in trouble says is none: it may be otherwise in a minute.
"""

from __future__ import annotations

import errno
import re

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.redact import redact

_NEVER = {
    "BAD_REQUEST",
    "FEATURE_DISABLED",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "NOT_IMPLEMENTED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
_STATES = {"INVALID_STATE", "RESOURCE_DOES_NOT_EXIST"}
_DENIED = {"CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED", "UNAUTHENTICATED"}
_UNFIT = {errno.EFBIG, errno.ENAMETOOLONG}
_DATABASE = re.compile(r"\(([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\)")
"""The driver's class, which SQLAlchemy writes in parentheses before the driver's own words."""
_OF_THE_VALUE = {
    "CharacterNotInRepertoire",
    "CheckViolation",
    "DataError",
    "DatetimeFieldOverflow",
    "IntegrityError",
    "InvalidTextRepresentation",
    "NotNullViolation",
    "NumericValueOutOfRange",
    "OverflowError",
    "StringDataRightTruncation",
    "UniqueViolation",
    "UntranslatableCharacter",
}
"""Drivers' errors that speak of what is written; all others speak of the database's state."""
_OF_NOBODY = ("API request to ",)
"""How MLflow begins when an answer was not a tracking server's own."""


def is_refusal(error: BaseException) -> bool:
    """Whether the store will never take this, whoever asks."""
    if isinstance(error, OSError) and error.errno in _UNFIT:
        return True
    code = getattr(error, "error_code", "")
    if code not in _NEVER or not is_the_stores(error):
        return False
    driver = database_error(error)
    return not driver or driver.rsplit(".", 1)[-1] in _OF_THE_VALUE


def is_no(error: BaseException) -> bool:
    """Whether the store answered, and answered no."""
    answered = getattr(error, "answered", False)
    return bool(answered) or is_refusal(error) or is_denied(error)


def is_definite(error: BaseException) -> bool:
    """Whether a refusal speaks of what was sent, and not of the state the store is in."""
    return is_refusal(error) and getattr(error, "error_code", "") not in _STATES


def is_unknown_call(error: BaseException) -> bool:
    """Whether the store does not know a call; an older one may lack it."""
    return bool(re.search(r"error code (404|405|501)\b", str(error)))


def is_denied(error: BaseException) -> bool:
    """Whether the store does not take it from this user; a new token may mend that."""
    return getattr(error, "error_code", "") in _DENIED


def is_no_answer(error: BaseException) -> bool:
    """Whether the store did not answer, or something else did in its place."""
    code = getattr(error, "error_code", None)
    said = is_refusal(error) or is_denied(error)
    return not said and (
        isinstance(error, StoreUnavailable | OSError)
        or code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "BAD_REQUEST")
    )


def is_doubtful(error: BaseException) -> bool:
    """Whether the store failed on what it was sent, and it may be that or its own state.

    What fails alone, time and again, while all beside it is taken, is at fault itself.
    """
    code = getattr(error, "error_code", "")
    if not code or is_refusal(error) or is_denied(error) or not is_the_stores(error):
        return False
    return code in _NEVER or code == "INTERNAL_ERROR"


def is_the_stores(error: BaseException) -> bool:
    """Whether the store said it: not a proxy before it, nor MLflow for want of an answer."""
    said = getattr(error, "json", None)
    if isinstance(said, dict):  # an answer in JSON; MLflow's own names the kind of error
        return isinstance(said.get("error_code"), str)
    return not str(error).startswith(_OF_NOBODY)


def database_error(error: BaseException) -> str:
    """Return the class of the database driver's error that the store passes on, or ``""``."""
    found = _DATABASE.search(str(error))
    return found.group(1) if found else ""


def reason(error: BaseException) -> str:
    """Return in one line what the store said, without SQLAlchemy's remarks before it."""
    lines = str(error).strip().split("\n")
    said = next((line for line in lines if _DATABASE.search(line)), lines[0])
    return redact(said)[:200] or type(error).__name__


def is_too_large(error: BaseException) -> bool:
    """Whether the request was too large for a server on the way; a smaller one may pass."""
    text = str(error)
    return "error code 413" in text or "413 Client Error" in text


def of_another_version(error: BaseException) -> str:
    """Say of a database that only another MLflow can use which one; empty of other errors."""
    said = str(error)
    newer = "locate revision identified by" in said
    if not newer and "out-of-date database schema" not in said:
        return ""
    from cvtrack_magics.store.client import mlflow

    which = "a newer" if newer else "an older"
    how = "'pip install -U mlflow'" if newer else "'mlflow db upgrade URI', with a copy kept,"
    return (
        f"the database was written by {which} MLflow than the installed "
        f"{mlflow().__version__}; {how} mends that."
    )
