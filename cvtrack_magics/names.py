"""Names that MLflow accepts."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from cvtrack_magics.text import utf8

KEY_LIMIT = 250
_KEY_FORBIDDEN = re.compile(r"[^\w\-. /:]")
_PROJECT_SIGNS = re.compile(r"[-_.]+")


def project_key(name: str) -> str:
    """Return a project's name as package indexes compare it: ``a-b`` for ``A_.b``."""
    return _PROJECT_SIGNS.sub("-", name).lower()


@lru_cache(maxsize=4096)
def safe_key(key: str) -> str:
    r"""Return a name of a param, metric or tag that MLflow accepts.

    Parameters
    ----------
    key : str
        Any text.

    Returns
    -------
    str
        At most 250 characters out of ``[\w\-. /:]`` that do not read as a path
        leaving its folder. A name cut short ends in 8 hexadecimal digits of its
        SHA-256, so that two long names stay two names.
    """
    clean = _KEY_FORBIDDEN.sub("_", key.strip()) or "_"
    parts = [part for part in clean.split("/") if part not in ("", ".")]
    clean = "/".join("_" * len(part) if part.strip(".") == "" else part for part in parts) or "_"
    if posixpath.normpath(clean) != clean:
        clean = clean.replace("/", "_")
    if len(clean) > KEY_LIMIT:
        import hashlib

        clean = f"{clean[: KEY_LIMIT - 9]}-{hashlib.sha256(utf8(key)).hexdigest()[:8]}"
    return clean


def file_part(name: str) -> str:
    """Return a name as one part of an artifact's path: letters, digits and ``-_.``.

    A name that had to be changed ends in 8 hexadecimal digits of its SHA-256, so that two
    names stay two files.
    """
    clean = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("._")[:80]
    if clean == name:
        return clean
    import hashlib

    return f"{clean}-{hashlib.sha256(utf8(name)).hexdigest()[:8]}".lstrip("-")
