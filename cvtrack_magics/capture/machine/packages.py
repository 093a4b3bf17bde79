"""The installed packages, read from their metadata without starting pip."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.modules import user_modules
from cvtrack_magics.capture.machine.replaced_packages import version_in_memory
from cvtrack_magics.capture.machine.requirements import (
    editable_line,
    public,
    requirement_lines,
)
from cvtrack_magics.names import project_key
from cvtrack_magics.text import json_object

if TYPE_CHECKING:
    from importlib.metadata import Distribution


@dataclass(frozen=True, slots=True)
class PackageLine:
    """One installed distribution.

    Parameters
    ----------
    name, version : str
        As in its metadata.
    line : str
        Its line of a requirements file.
    editable : bool
        Whether it is an editable install.
    installed : float
        When it was installed, in Unix seconds; 0 where that is not known.
    on_disk : str
        The version that was installed after the imported one; empty where it is the same.
    origin : str
        The file that says where an editable install is from.
    """

    name: str
    version: str
    line: str
    editable: bool = False
    installed: float = field(default=0.0, compare=False)
    on_disk: str = ""
    origin: str = field(default="", compare=False)


_cache: tuple[object, tuple[PackageLine, ...]] | None = None


def packages() -> list[PackageLine]:
    """Return the installed distributions that Python would import, sorted by name.

    Returns
    -------
    list of PackageLine
        Where two folders of ``sys.path`` hold the same project, the first counts, but
        a bare ``egg-info`` of a source folder never hides the real install of the
        same version. Read once, and again when a folder of ``sys.path`` has changed. What
        was imported before it was installed anew has the version in memory, which runs.
    """
    global _cache  # noqa: PLW0603 -- a memo of what is on disk, not state of a session
    folders = _folders()
    key = tuple(folders)
    if _cache is None or _cache[0] != key:
        _cache = (key, tuple(_read_all([path for path, _ in folders])))
    return [_as_imported(package) for package in _cache[1]]


def _as_imported(package: PackageLine) -> PackageLine:
    version = version_in_memory(package.name, package.version, package.installed)
    if not version:
        return package
    line = f"{package.name}=={version}  # {package.version} was installed after its import"
    return replace(package, version=version, line=line, on_disk=package.version)


def _folders() -> list[tuple[str, int]]:
    seen: dict[str, int] = {}
    for entry in sys.path:
        path = os.path.abspath(entry or ".")
        if os.path.basename(path) == "_vendor":  # setuptools' own copies, which nobody installed
            continue
        if path not in seen:
            try:
                seen[path] = os.stat(path).st_mtime_ns
            except OSError:
                continue
    return list(seen.items())


def _read_all(folders: list[str]) -> list[PackageLine]:
    found: dict[str, PackageLine] = {}
    weak: set[str] = set()
    for folder in folders:
        for package, certain in _read_folder(folder):
            key = project_key(package.name)
            if key not in found or (key in weak and certain):
                if key in found and found[key].version != package.version:
                    continue
                found[key] = package
                weak.discard(key)
                if not certain:
                    weak.add(key)
    return [found[key] for key in sorted(found)]


def _read_folder(folder: str) -> list[tuple[PackageLine, bool]]:
    """Read the packages of one folder; the flag is ``False`` for a source folder's egg-info."""
    if not os.path.isdir(folder):  # a zip file; rare, so its reader is loaded only here
        import importlib.metadata

        return [(_from_metadata(d), True) for d in importlib.metadata.distributions(path=[folder])]
    kept = []
    try:
        with os.scandir(folder) as entries:
            kinds = (".dist-info", ".egg-info")
            infos = [
                (-e.stat(follow_symlinks=False).st_mtime_ns, e.name)
                for e in entries
                if e.name.endswith(kinds)
            ]
    except OSError:
        return []
    # pip --target --upgrade leaves the older metadata beside the newer: the last install counts
    for changed, name in sorted(infos):
        path = os.path.join(folder, name)
        if name.startswith("~"):  # what pip leaves behind after a broken uninstall
            continue
        package = _read_info(path, name)
        if package is not None:
            package = replace(package, installed=-changed / 1e9)
            kept.append((package, name.endswith(".dist-info")))
    return kept


def _read_info(path: str, name: str) -> PackageLine | None:
    if name.endswith(".dist-info"):
        head = _head(f"{path}/METADATA")
    else:
        head = _head(f"{path}/PKG-INFO") or _head(path)
    project = version = ""
    for line in head.splitlines():
        label, _, rest = line.partition(":")
        if label == "Name":
            project = rest.strip()
        elif label == "Version":
            version = rest.strip()
        if (project and version) or not line:
            break
    if not (project and version):
        return None
    if name.endswith(".dist-info") and os.path.exists(f"{path}/direct_url.json"):
        origin = Path(path, "direct_url.json")
        line, editable = _direct_line(project, version, origin)
        return PackageLine(project, version, line, editable, origin=str(origin) * editable)
    return PackageLine(project, version, f"{project}=={version}")


def _head(path: str) -> str:
    # Name and Version stand in the first lines; the long description after them can
    # be hundreds of kilobytes.
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return ""
    try:
        return os.read(descriptor, 1024).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _from_metadata(found: Distribution) -> PackageLine:
    name = found.metadata["Name"] or "unknown"
    return PackageLine(name, found.version, f"{name}=={found.version}")


def _direct_line(project: str, version: str, path: Path) -> tuple[str, bool]:
    """Return the requirement of an install from a URL (PEP 610), and whether it is editable."""
    plain = f"{project}=={version}"
    try:
        origin = json_object(path.read_text(encoding="utf-8"))
        url = public(str(origin["url"]))
    except (OSError, ValueError, KeyError):
        return plain, False
    local = _local_path(url)
    subfolder = origin.get("subdirectory")
    fragment = f"subdirectory={subfolder}" if subfolder else ""
    if _part(origin, "dir_info").get("editable"):
        return editable_line(project, version, local, url), True
    if local and not os.path.exists(local):
        return f"{plain}  # was installed from a local file that is gone", False
    version_control = _part(origin, "vcs_info")
    if version_control:
        commit = version_control.get("commit_id", "")
        url = f"{version_control.get('vcs', 'git')}+{url}{'@' + commit if commit else ''}"
    archive = _part(origin, "archive_info")
    hashes = _part(archive, "hashes")
    if "sha256" in hashes:
        fragment = "&".join(filter(None, [f"sha256={hashes['sha256']}", fragment]))
    elif str(archive.get("hash", "")).startswith("sha256="):
        fragment = "&".join(filter(None, [archive["hash"], fragment]))
    return f"{project} @ {url}{'#' + fragment if fragment else ''}", False


def _part(origin: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = origin.get(name)
    return found if isinstance(found, dict) else {}


def _local_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return ""
    if os.name == "nt":  # slow to import, and only Windows paths need it
        from urllib.request import url2pathname

        return url2pathname(parts.path)
    return unquote(parts.path)


def requirements_text() -> str:
    """Return the installed packages as a requirements file for pip.

    Returns
    -------
    str
        One line a package, sorted, after a comment with the Python version; pip
        itself is left out. What pip could not install is a comment with the reason; an
        index that a local build needs stands as an option line. Installs from a
        URL, a repository or a local folder keep their origin; tokens in URLs are removed.
    """
    header = f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    wanted = [_as_it_is_now(p) for p in packages() if p.name.lower() != "pip"]
    return "\n".join([header, *requirement_lines(wanted)]) + "\n"


def _as_it_is_now(package: PackageLine) -> PackageLine:
    """Return an editable install with the commit and the changes that it has now."""
    if not package.origin or package.on_disk:
        return package
    line, _ = _direct_line(package.name, package.version, Path(package.origin))
    return replace(package, line=line)


def installed_key() -> object:
    """Return what changes with a package on disk, or with a commit or file of an editable one."""
    found = packages()
    editable = [package for package in found if package.origin]
    return tuple(found), tuple(_stamp(Path(package.origin)) for package in editable)


def _stamp(origin: Path) -> tuple[int, ...]:
    try:
        folder = _local_path(str(json_object(origin.read_text(encoding="utf-8"))["url"]))
    except Exception:  # whatever is wrong with the file, a run begins
        return ()
    root = gitcall.find_root(Path(folder)) if folder and os.path.isdir(folder) else None
    if root is None:
        return ()
    below = [str(path) for path in user_modules() if path.is_relative_to(folder)]
    return tuple(map(_changed, [f"{root}/.git/HEAD", f"{root}/.git/index", *below]))


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def version_of(project: str) -> str:
    """Return the installed version of a project without importing it, or ``""``."""
    return versions().get(project_key(project), "")


def versions() -> dict[str, str]:
    """Return the version of each installed project by its key, see `project_key`."""
    return {project_key(package.name): package.version for package in packages()}


def own_version() -> str:
    """Return the version of this package that is on disk now; ``""`` where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cvtrack_magics")
    except PackageNotFoundError:
        return ""
