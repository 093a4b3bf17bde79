"""Remembers on disk which files were hashed, one small file for each folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"cvtrack-hashes 1"


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a folder.

    Parameters
    ----------
    digest : str
        SHA-256 of the manifest.
    signature : str
        A line a file: bytes, mtime, ctime (ns), inode, escaped name.
    manifest : str
        The manifest, with the same files in the same order.
    """

    digest: str
    signature: str
    manifest: str

    def by_signature(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its signature line."""
        lines = self.signature.split("\n")[:-1]
        return {line: row[:64] for line, row in zip(lines, self.manifest.split("\n"), strict=False)}


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
        return Known(digest.decode(), body[:split].decode(), body[split:].decode())
    except (OSError, ValueError):
        return None


def save(cache: Path, root: str, known: Known) -> None:
    """Write what is known of a folder, whole or not at all; a full disk is no error."""
    signature = known.signature.encode()
    body = signature + known.manifest.encode()
    check = hashlib.sha256(body).hexdigest()
    head = _MAGIC + f" {check} {len(signature)} {known.digest}\n".encode()
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
