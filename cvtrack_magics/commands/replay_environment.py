"""A fresh environment with the packages that a run recorded, to run it again in."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cvtrack_magics import programs
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import redact
from cvtrack_magics.text import visible
from cvtrack_magics.variables import variables

FOLDER, REQUIREMENTS, MARK, OUTPUT = ".venv", "requirements.txt", "built", "environment.txt"
_NAMED = re.compile(r"^(?:-e\s|[A-Za-z0-9])")
_REFUSED = re.compile(r"^\s*(?:-(?!e\s)|--(?!extra-index-url\s+https://download\.pytorch\.org/))")
"""Options of pip that a store's text may not give: another index, a file of more options."""


def left_out(requirements: str) -> Iterator[str]:
    """Yield the packages that were recorded and that pip cannot install, with the reason."""
    for line in requirements.splitlines():
        name, _, reason = line.partition("  # not installable: ")
        if reason:
            yield f"{name.removeprefix('# ')} ({reason})"


def environment_in(folder: Path, requirements: str, python_version: str = "") -> Path:
    """Return the Python of an environment with some packages, made where it is not there yet.

    Parameters
    ----------
    folder : Path
        The replay's. What pip or uv says is in its ``environment.txt``.
    requirements : str
        As they were recorded.
    python_version : str
        Of the run; uv gets it where it can, and with venv it must be this process's.

    Raises
    ------
    UsageProblem
        None were recorded, they have options that nobody recorded, or Python is another.
    CvtrackError
        They cannot be installed.
    """
    if not any(_NAMED.match(line) for line in requirements.splitlines()):
        raise UsageProblem("The run's packages were not recorded.", "Leave out --env.")
    refused = next((line for line in requirements.splitlines() if _REFUSED.match(line)), "")
    if refused:
        raise UsageProblem(f"The recorded requirements have an option: {visible(refused)[:80]!r}.")
    place = folder / FOLDER
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    digest = hashlib.sha256(f"{python_version}\n{requirements}".encode()).hexdigest()
    mark = place / MARK
    if python.exists() and mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return python
    shutil.rmtree(place, ignore_errors=True)
    clean = own_variables(variables())
    with (folder / OUTPUT).open("wb") as output:
        for command in _commands(place, python, folder / REQUIREMENTS, python_version):
            ran = programs.run(command, env=clean, stdout=output, stderr=subprocess.STDOUT)
            if ran.returncode:
                raise _failed(folder / OUTPUT)
    mark.write_text(digest, encoding="utf-8")
    return python


def _commands(place: Path, python: Path, listed: Path, version: str) -> list[list[str]]:
    """Return what makes the environment: uv where it is, else venv and pip."""
    uv = shutil.which("uv")
    if uv:
        wanted = ["--python", version] if version else []
        return [
            [uv, "venv", *wanted, str(place)],
            [uv, "pip", "install", "--python", str(python), "-r", str(listed)],
        ]
    here = ".".join(map(str, sys.version_info[:2]))
    if version and ".".join(version.split(".")[:2]) != here:
        raise UsageProblem(
            f"The run had Python {version}; this is {here}.", "pip install uv gets the other one."
        )
    return [
        [sys.executable, "-m", "venv", str(place)],
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(listed)],
    ]


def _failed(output: Path) -> CvtrackError:
    lines = output.read_bytes().decode("utf-8", "replace").strip().splitlines()
    wrong = [line for line in lines if re.match(r"\s*(ERROR|error|×|╰)", line)] or lines
    said = redact(visible(" ".join(line.strip() for line in wrong[:2])))[:300]
    return CvtrackError(f"The environment could not be made: {said}", f"All of it is in {output}.")


def own_variables(environment: Mapping[str, str], leave: Sequence[str] = ()) -> dict[str, str]:
    """Return variables without those that would bring this process's packages along."""
    away = {*leave, "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONUSERBASE"}
    return {key: value for key, value in environment.items() if key not in away}
