"""Remembers on disk which files were hashed, one small file for each folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

_MAGIC = b"cvtrack-hashes 2"
_MASK = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a folder.

    Parameters
    ----------
    digest : str
        SHA-256 of the manifest.
    stats : bytes
        Four 64-bit integers a file, in the order of the manifest: bytes, mtime and
        ctime (ns), inode.
    manifest : str
        The manifest.
    """

    digest: str
    stats: bytes
    manifest: str

    def by_name(self) -> dict[str, tuple[bytes, str]]:
        """Return stats and SHA-256 of each file, by its name as it is in the manifest."""
        return {
            line[65:].partition("\t")[2]: (self.stats[32 * n : 32 * n + 32], line[:64])
            for n, line in enumerate(self.manifest.split("\n")[:-1])
        }


def pack(rows: Iterable[tuple[int, int, int, int]]) -> bytes:
    """Return stats as `Known` keeps them."""
    numbers = list(chain.from_iterable(rows))
    try:
        return array("q", numbers).tobytes()
    except OverflowError:  # an inode may use all 64 bits, or more on Windows
        return array("q", [number & _MASK for number in numbers]).tobytes()


def _file(cache: Path, root: str) -> Path:
    name = hashlib.sha256(os.path.realpath(root).encode("utf-8", "surrogateescape")).hexdigest()
    return cache / f"{name[:32]}.hashes"


def load(cache: Path | None, root: str) -> Known | None:
    """Return what is known of a folder; ``None`` if nothing, or if the file is damaged."""
    if cache is None:
        return None
    try:
        data = _file(cache, root).read_bytes()
        head, _, body = data.partition(b"\n")
        magic, check, length, digest = head.rsplit(b" ", 3)
        # A file cut short by a full disk must not pass for a short list.
        if magic != _MAGIC or hashlib.sha256(body).hexdigest().encode() != check:
            return None
        split = int(length)
        return Known(digest.decode(), body[:split], body[split:].decode())
    except (OSError, ValueError):
        return None


def save(cache: Path, root: str, known: Known) -> None:
    """Write what is known of a folder, whole or not at all; a full disk is no error."""
    body = known.stats + known.manifest.encode()
    check = hashlib.sha256(body).hexdigest()
    head = _MAGIC + f" {check} {len(known.stats)} {known.digest}\n".encode()
    target = _file(cache, root)
    temporary = ""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=cache)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head)
            file.write(body)
        os.replace(temporary, target)
    except OSError:
        with contextlib.suppress(OSError):
            if temporary:
                os.unlink(temporary)
