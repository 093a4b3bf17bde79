"""Tells what a store will never take from what it cannot take just now."""

from __future__ import annotations

import errno

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
_NO_ROOM = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.EROFS,
}


def is_refusal(error: Exception) -> bool:
    """Whether trying again would fail again."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    return getattr(error, "error_code", "") in _NEVER
