"""A fresh environment has what was recorded, and nothing of this process's; or says why not."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cvtrack_magics import CvtrackError, UsageProblem
from cvtrack_magics.commands.replay_environment import (
    REQUIREMENTS,
    environment_in,
    left_out,
    own_variables,
)


def wheel(folder: Path, name: str) -> Path:
    """Write a package of one module, as pip installs it without a network."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "here = True\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    lines = [f"{path},sha256={digests[path]},{len(text)}" for path, text in files.items()]
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
        archive.writestr(f"{about}/RECORD", "\n".join([*lines, f"{about}/RECORD,,"]))
    return path


def of(folder: Path, requirements: str, version: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / REQUIREMENTS).write_text(requirements)
    return environment_in(folder, requirements, version)


def test_it_has_what_was_recorded_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)  # by venv and pip, on any machine
    package = wheel(tmp_path, "recorded_then")
    listed = f"# a comment\nrecorded_then @ {package.as_uri()}  # as it was\n"
    version = ".".join(map(str, sys.version_info[:3]))
    python = of(tmp_path / "replay", listed, version)
    code = "import recorded_then, sys\ntry: import numpy\nexcept ImportError: print(sys.prefix)"
    ran = subprocess.run(
        [str(python), "-c", code],
        env=own_variables({"PYTHONPATH": "/nowhere", "PATH": ""}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(tmp_path / "replay" / ".venv")
    package.unlink()
    assert of(tmp_path / "replay", listed, version) == python  # not made again
    with pytest.raises(CvtrackError, match="could not be made: ERROR"):
        of(tmp_path / "replay", f"{listed}other_one @ {package.as_uri()}\n", version)
    assert not (tmp_path / "replay" / ".venv" / "built").exists()


@pytest.mark.parametrize(
    ("requirements", "version", "said"),
    [
        ("", "", "were not recorded"),
        ("# Python 3.11, Linux\n", "", "were not recorded"),
        ("numpy==1\n--index-url https://example.invalid/simple\n", "", "an option"),
        ("numpy==1\n  -r /etc/passwd\n", "", "an option"),
        ("numpy==1\n--extra-index-url https://example.invalid/whl/cpu\n", "", "an option"),
        ("numpy==1\n", "2.7.18", "Python 2.7.18"),
    ],
)
def test_what_cannot_be_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirements: str, version: str, said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageProblem, match=said):
        of(tmp_path / "replay", requirements, version)


def test_what_pip_cannot_install_is_named() -> None:
    listed = "numpy==2.0\n# own==1.0+local  # not installable: a local build\n# own==2\n"
    assert list(left_out(listed)) == ["own==1.0+local (a local build)"]
