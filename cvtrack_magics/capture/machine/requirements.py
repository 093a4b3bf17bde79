"""Requirements that pip installs; what it could not is a comment with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.githidden import uncovered
from cvtrack_magics.capture.params.values import hide_tokens
from cvtrack_magics.names import project_key

_TORCH_INDEX = "https://download.pytorch.org/whl/"
_TORCH = frozenset(
    (
        *("torch", "torchvision", "torchaudio", "torchtext", "torchdata", "torchao", "torchcodec"),
        *("torchrec", "torchtune", "torch-tensorrt", "fbgemm-gpu", "fbgemm-gpu-genai", "triton"),
        *("pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu"),
    )
)
_BUILD = re.compile(r"cu\d{2,3}|cpu|xpu|rocm\d+(\.\d+)*")
_SCP = re.compile(r"^(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)$")


class Package(Protocol):
    """What `requirement_lines` needs to know of a package: its line, as its metadata says."""

    @property
    def name(self) -> str:
        """The project's name."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def line(self) -> str:
        """Its requirement, not checked yet."""


def requirement_lines(packages: Iterable[Package]) -> list[str]:
    """Return option lines and requirements, each one that pip can read.

    Parameters
    ----------
    packages : iterable of Package
        Sorted by name.

    Returns
    -------
    list of str
        First an ``--extra-index-url`` for each index that a local build of PyTorch is
        on; then a line a package, a comment with the reason where pip could not read the
        name or version, or where no known index has the build.
    """
    indexes: set[str] = set()
    lines = []
    for package in packages:
        build = _torch_build(package.name, package.version)
        if build and " @ " not in package.line:
            nightly = "nightly/" if ".dev" in package.version else ""
            indexes.add(f"--extra-index-url {_TORCH_INDEX}{nightly}{build}")
        lines.append(_line(package, build))
    return [*sorted(indexes), *lines]


def _torch_build(name: str, version: str) -> str:
    local = version.partition("+")[2]
    known = project_key(name) in _TORCH
    return local if known and _BUILD.fullmatch(local) else ""


def _line(package: Package, build: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion, Version

    line = package.line.replace("\n", " ").replace("\r", " ")
    if line.startswith("-e "):
        return line
    direct = " @ " in line
    try:
        Requirement(line.split("  #")[0])
        if not direct:
            Version(package.version)
    except InvalidVersion:
        return f"# {line}  # not installable: its version is none of PEP 440"
    except InvalidRequirement:
        return f"# {line}  # not installable: pip cannot read its name, version or address"
    if "+" in package.version and not direct and not build:
        return f"# {line}  # not installable: a local build that no known index has"
    return line


def editable_line(project: str, version: str, folder: str, url: str) -> str:
    """Return the requirement of an editable install: its commit, where git knows one.

    Parameters
    ----------
    project, version : str
        As in its metadata.
    folder : str
        The checkout, ``""`` if it is not on this machine.
    url : str
        Where it was installed from, as its metadata says.

    Returns
    -------
    str
        ``project @ git+https://host/repository@commit``, with a comment when files are
        changed; ``-e folder`` of what is in no repository with a remote.
    """
    plain = f"{project}=={version}"
    local = f"-e {folder or url}  # {plain}"
    root = gitcall.find_root(Path(folder)) if folder and Path(folder).is_dir() else None
    if root is None:
        return local
    try:
        git = gitcall.opened(root)
        with uncovered(git) as seen:
            status = gitcall.read_status(seen.git)
        remote = _address(public(gitcall.remote_of(git, status.upstream)))
    except gitcall.GitUnavailable:
        return local
    if not (remote and status.commit):
        return f"{local}, commit {status.commit}" if status.commit else local
    below = Path(folder).resolve().relative_to(root).as_posix()
    part = "" if below == "." else f"#subdirectory={below}"
    changed = ", with uncommitted changes" if status.changed else ""
    return f"{project} @ git+{remote}@{status.commit}{part}  # {plain}, editable{changed}"


def public(url: str) -> str:
    """Return an address without its secrets; the user ``git`` of every SSH server stays."""
    hidden = hide_tokens(url)
    ssh = f"ssh://git@{hidden.removeprefix('ssh://')}"
    return ssh if url.startswith("ssh://git@") and "@" not in hidden else hidden


def _address(remote: str) -> str:
    """Return a remote as pip takes it, ``""`` of a folder of this machine."""
    if "://" in remote:
        return "" if remote.startswith("file:") else remote
    found = _SCP.match(remote)
    return f"ssh://git@{found[1]}/{found[2]}" if found and not remote.startswith("/") else ""
