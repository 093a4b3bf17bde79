"""Names and digests that are kept of texts with secrets: none can be guessed back from them."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cvtrack_magics.names import KEY_LIMIT, file_part, safe_key
from cvtrack_magics.private import unfit
from cvtrack_magics.secrets.masker import Masker

FILE = "names.key"
_LENGTH = 32  # bytes
_MASK = re.compile(r"\*{3}(?:([^*]+)\*{3})?")


class Key:
    """A random key of the user's, the same in all processes that have the same state folder.

    Parameters
    ----------
    folder : callable, optional
        Gives the state folder. Where the key cannot be kept there, it is one of this process
        and of those that are forked from it.
    """

    def __init__(self, folder: Callable[[], Path] | None = None) -> None:
        self._folder = folder
        self._own = os.urandom(_LENGTH)
        self._found = b""

    def digits(self, text: str) -> str:
        """Return 8 hexadecimal digits that tell texts apart and are nothing without the key."""
        content = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._bytes(), content, "sha256").hexdigest()[:8]

    def _bytes(self) -> bytes:
        if not self._found:
            self._found = self._own
            if self._folder is not None:
                with suppress(OSError):
                    self._found = _kept(self._folder() / FILE, self._own)
        return self._found


def _kept(path: Path, fresh: bytes) -> bytes:
    """Return the key in a file, where it is made when there is none; ``fresh`` if it is unfit."""
    if not path.exists():
        made = path.with_name(f"{FILE}.{os.getpid()}-{fresh[:4].hex()}")
        try:
            handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh)
            with suppress(FileExistsError):  # another process was first
                os.link(made, path)
        finally:
            made.unlink(missing_ok=True)
    held = b"" if unfit(path) else path.read_bytes()
    return held if len(held) == _LENGTH else fresh


_masker, _key = Masker(), Key()


def use(masker: Masker, folder: Callable[[], Path]) -> None:
    """Keep names by what a session's masker knows from now on, and its key in a folder."""
    global _masker, _key
    _masker, _key = masker, Key(folder)


def name_without_secrets(name: str, masker: Masker | None = None) -> str:
    """Return a name as it is kept: itself where it holds no secret.

    Two that differ in a secret only stay two: each ends in 8 hexadecimal digits of a keyed
    digest (HMAC-SHA-256), the same in every process and stretch of a run on this machine. A
    plain digest would tell a short password to whoever tries all of them.
    """
    masked = (masker or _masker).mask(name)
    if not masked.found:
        return masked.text
    return safe_key(f"{_MASK.sub(_without_stars, masked.text)}-{_key.digits(name)}")


def stored_key(name: str) -> str:
    """Return a name as MLflow takes it; one so long that it ends in a digest without secrets."""
    return safe_key(name_without_secrets(name) if len(name.strip()) > KEY_LIMIT else name)


def stored_part(name: str) -> str:
    """Return a name without secrets as one part of an artifact's path."""
    return file_part(name_without_secrets(name))


def lasting(text: str) -> str:
    """Return a text whose digest may be kept: without secrets, and the same in every process."""
    return Masker(_masker.mode, _masker.allowed, alone=True).mask(text).text


def digits_of(text: str) -> str:
    """Return what tells texts with secrets apart, for this user's processes only."""
    return _key.digits(text)


def _without_stars(mask: re.Match[str]) -> str:
    """Return a mask as MLflow takes it in a name."""
    return "-".join(("masked", *filter(None, mask.groups())))
