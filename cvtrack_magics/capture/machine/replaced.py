"""A package that was installed anew after its import: what runs is the one in memory."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import ModuleType

from cvtrack_magics.capture.loaded import loaded

_MODULES = {
    "beautifulsoup4": "bs4",
    "msgpack-python": "msgpack",
    "opencv-contrib-python": "cv2",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
"""Projects whose module has another name."""
_SOURCES = ("__init__.py", "_version.py", "version.py", "__about__.py")
_NORMALIZE = re.compile(r"[-_.]+")


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
        Empty where the module is not imported, is the one on disk, or does not say. A
        module that always calls itself otherwise than its project does is no other one.
    """
    normal = _NORMALIZE.sub("_", project).lower()
    module = loaded(_MODULES.get(normal.replace("_", "-"), normal))
    said = vars(module).get("__version__") if isinstance(module, ModuleType) else None
    if module is None or not isinstance(said, str) or said == installed:
        return ""
    another = _are_two(said, installed) and since > _process_start()
    return said if another and not _is_written_on_disk(module, said) else ""


@cache
def _process_start() -> float:
    import psutil

    return float(psutil.Process().create_time())


def _are_two(one: str, other: str) -> bool:
    """Whether two versions differ in more than spelling and local build."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(Version(one).public) != Version(Version(other).public)
    except InvalidVersion:
        return False


def _is_written_on_disk(module: ModuleType, version: str) -> bool:
    """Whether the module's sources, as they are now, have this version as a text."""
    file = vars(module).get("__file__")
    if not isinstance(file, str):
        return False
    folder = Path(file).parent
    names = _SOURCES if Path(file).name == "__init__.py" else (Path(file).name,)
    for name in names:
        try:
            text = (folder / name).read_text("utf-8", "replace")
        except OSError:
            continue
        if f'"{version}"' in text or f"'{version}'" in text:
            return True
    return False
