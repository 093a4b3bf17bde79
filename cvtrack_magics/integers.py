"""What counts as a whole number, whoever made it."""

from __future__ import annotations

import operator
from typing import Any

MAX_STEP = 2**63  # stores keep steps as 64-bit integers


def whole(value: Any) -> int | None:
    """Return a whole number of any type as a Python integer; None when it is none."""
    try:
        return read_whole(value)
    except Exception:  # NaN, infinity, text, more than one element, whatever others raise
        return None


def read_whole(value: Any) -> int | None:
    """Do as :func:`whole`, and let through what the value raises."""
    if type(value) is int:
        return value
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        return int(operator.index(value))
    except TypeError:
        item = getattr(value, "item", None)  # an array or a tensor of one element
    plain = value if item is None else item()
    if isinstance(plain, (str, bytes, bytearray)):
        return None
    number = int(plain)
    return number if number == plain else None
