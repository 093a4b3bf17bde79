"""The files by which a project says what it needs: locks, requirements, environments."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from cvtrack_magics.artifacts.paths import PROJECT_FILES
from cvtrack_magics.capture.code.gitcall import find_root
from cvtrack_magics.limits import file_bytes
from cvtrack_magics.records import Artifact, Notice
from cvtrack_magics.secrets.records import LARGEST

_NAMES = (
    *("uv.lock", "pixi.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"),
    *("pylock.toml", "pylock.*.toml", "conda-lock.yml", "conda-lock.yaml"),
    *("environment.yml", "environment.yaml", "requirements*.txt"),
)
_WITH_A_LOCK = {
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock"),
    "pixi.toml": ("pixi.lock",),
    "Pipfile": ("Pipfile.lock",),
}
"""What a lock cannot be installed without; a pyproject.toml alone says nothing of versions."""
_LEVELS = 12
_MOST = 24
"""Files of a project; a folder of a hundred requirements is not one."""


def project_file_records(folder: Path) -> list[Artifact | Notice]:
    """Return the files around a notebook that say what it needs, as they are now.

    Parameters
    ----------
    folder : Path
        That of the notebook. The folders above it, up to the top of its repository, are
        looked at too; of each name the nearest is taken.

    Returns
    -------
    list of Artifact and Notice
        Each as ``environment/project/<name>``. What is no regular file, or a link to one outside
        of the repository, is none of the project's; one that is too large is named.
    """
    found: dict[str, Path] = {}
    for place in _places(folder):
        here = dict(_named(place))
        for name, locks in _WITH_A_LOCK.items():
            if any(lock in here for lock in locks) and (place / name).is_file():
                here[name] = place / name
        found = {**here, **found}
    top = _top(folder)
    inside = {n: p for n, p in sorted(found.items()) if p.resolve().is_relative_to(top)}
    records = [_record(name, path) for name, path in list(inside.items())[:_MOST]]
    if len(inside) > _MOST:
        records.append(Notice(f"Of {len(inside)} requirements and locks {_MOST} were recorded."))
    return [record for record in records if record is not None]


def _top(folder: Path) -> Path:
    return find_root(folder) or folder.resolve()


def _places(folder: Path) -> list[Path]:
    """Return the folders that are looked into, the nearest first."""
    here, top = folder.resolve(), _top(folder)
    above = [here, *here.parents][:_LEVELS]
    return [place for place in above if place.is_relative_to(top)]


def _named(place: Path) -> Iterator[tuple[str, Path]]:
    for path in place.iterdir():
        if any(fnmatchcase(path.name, name) for name in _NAMES) and path.is_file():
            yield path.name, path


def _record(name: str, path: Path) -> Artifact | Notice | None:
    try:
        content = file_bytes(path, LARGEST)
    except OSError as error:
        return Notice(f"{name} could not be read: {error.strerror or error}.")
    if len(content) > LARGEST:
        return Notice(f"{name} is over {LARGEST // 1_000_000} MB and was not recorded.")
    return Artifact(f"{PROJECT_FILES}/{name}", content) if content else None
