"""Tells what a store will never take from what it cannot take just now."""

from __future__ import annotations

import errno

_NEVER = {
    "BAD_REQUEST",
    "FEATURE_DISABLED",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "NOT_IMPLEMENTED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
_DENIED = {"CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED", "UNAUTHENTICATED"}
_UNFIT = {errno.EFBIG, errno.ENAMETOOLONG}


def is_refusal(error: Exception) -> bool:
    """Whether the store will never take this, whoever asks."""
    if isinstance(error, OSError) and error.errno in _UNFIT:
        return True
    return getattr(error, "error_code", "") in _NEVER


def is_denied(error: Exception) -> bool:
    """Whether the store does not take it from this user; a new token may mend that."""
    return getattr(error, "error_code", "") in _DENIED
