"""Lines of JSON that say themselves whether they are whole: a CRC-32, then the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from cvtrack_magics.plainjson import dumps
from cvtrack_magics.text import json_object


def checked_line(said: Mapping[str, Any], seed: int = 0) -> bytes:
    """Return an object as a line; what its check begins with binds it to somebody."""
    text = dumps(said).encode()
    return b"%08x %b\n" % (crc32(text, seed), text)


def read_checked(line: bytes, seed: int = 0) -> dict[str, Any]:
    """Return what a line says, without its end; empty where it is not whole."""
    try:
        is_whole = crc32(line[9:], seed) == int(line[:8], 16)
    except ValueError:
        return {}
    return json_object(line[9:]) if is_whole else {}
