"""Which packages a kept model needs, and in which version."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from cvtrack_magics.errors import CvtrackError

ALWAYS = ("torch", "torchvision", "numpy", "pillow")


def required_by(packages: set[str]) -> tuple[str, ...]:
    """Return the packages that serving imports, with the versions of now."""
    known = distributions(tuple((one, changed(one)) for one in sys.path))
    wanted = {name for package in packages for name in known.get(package, [])[:1]}
    pinned = {}
    for name in (*ALWAYS, *sorted(wanted)):
        try:
            pinned[name.lower()] = f"{name}=={metadata.version(name).partition('+')[0]}"
        except metadata.PackageNotFoundError as error:
            raise CvtrackError(f"{name} is not installed.", f"pip install {name}") from error
    return tuple(pinned.values())


@functools.lru_cache(maxsize=1)
def distributions(_: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """Return the distributions by what they install, which takes a second to find out."""
    return metadata.packages_distributions()


def changed(folder: str) -> int:
    """Return when something was installed in a folder, or taken away, last."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0
