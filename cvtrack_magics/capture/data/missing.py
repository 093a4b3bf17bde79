"""What is said of a path that is not there."""

from __future__ import annotations

import os
from pathlib import Path

from cvtrack_magics.errors import did_you_mean


def near(path: Path) -> str:
    """Return the names beside a path that are nearly its own, in words."""
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""


def looked(path: Path) -> str:
    """Say where a path was looked for."""
    if not path.parent.is_dir():
        return f"There is no folder {str(path.parent)!r} either."
    return f"Looked in {str(path.parent)!r}."
