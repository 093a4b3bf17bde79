"""Tells what a store will never take from what it cannot take just now."""

from __future__ import annotations

import errno

from cvtrack_magics.redact import redact

_NEVER = {
    "BAD_REQUEST",
    "FEATURE_DISABLED",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
_NO_ROOM = {errno.EACCES, errno.EDQUOT, errno.ENAMETOOLONG, errno.ENOSPC, errno.EROFS}


def is_refusal(error: Exception) -> bool:
    """Whether trying again would fail again."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    return getattr(error, "error_code", "") in _NEVER


def in_one_line(error: Exception) -> str:
    """Return the first line of an error, without credentials."""
    return redact(str(error).strip().split("\n", 1)[0])[:200] or type(error).__name__
