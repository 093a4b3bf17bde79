"""A package that was installed anew after its import: what runs is the one in memory."""

from __future__ import annotations

import time
from types import ModuleType

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.names import project_key

_MODULES = {
    "beautifulsoup4": "bs4",
    "opencv-contrib-python": "cv2",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
"""Projects whose module has another name."""

_imported: dict[str, float] = {}
_seen: dict[str, tuple[int, str]] = {}
"""The module, and the version that was installed, when a project was first seen imported."""


def note_import(name: str) -> None:
    """Note that a module is imported, or reloaded, now."""
    if "." not in name:
        _imported[name] = time.time()


def version_in_memory(project: str, installed: str, since: float) -> str:
    """Return the version that was imported, where another one was installed afterwards.

    Parameters
    ----------
    project : str
        Its name.
    installed : str
        The version on disk.
    since : float
        When that was installed, in Unix seconds.

    Returns
    -------
    str
        Empty where the module is not imported, or is the one on disk as far as is known.
        That it is another one is known when another version was on disk while it was
        imported already, or when it was imported before this one was installed; what a
        module calls itself alone says nothing (``cv2`` leaves out a part of it).
    """
    normal = project_key(project).replace("-", "_")
    name = _MODULES.get(normal.replace("_", "-"), normal)
    module = loaded(name)
    if not isinstance(module, ModuleType):
        _seen.pop(project, None)
        return ""
    key, version = _seen.get(project, (0, ""))
    when = _imported.get(name)
    if when is not None and when >= since:
        key, version = id(module), installed
    elif key != id(module):
        key, version = id(module), _before(module, installed, when, since)
    _seen[project] = (key, version)
    return version if version != installed else ""


def _before(module: ModuleType, installed: str, when: float | None, since: float) -> str:
    """Return the version of a module that is seen for the first time."""
    said = vars(module).get("__version__")
    if when is None or not isinstance(said, str):
        return installed
    return said if when < since and _are_two(said, installed) else installed


def _are_two(one: str, other: str) -> bool:
    """Whether two versions differ in more than spelling and local build."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(Version(one).public) != Version(Version(other).public)
    except InvalidVersion:
        return False
