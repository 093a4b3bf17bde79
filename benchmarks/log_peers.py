"""Where the peers live: an environment of their own, so that they change none of ours."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HOME = Path(__file__).parent.parent / ".bench" / "peers"
MODULES = ("tensorboard", "trackio", "wandb")


@functools.cache
def python_with(module: str) -> str | None:
    """Return the interpreter that has a module: this one, else the peers'; None for neither."""
    if importlib.util.find_spec(module) is not None:
        return sys.executable
    python = _python()
    if not python.exists():
        return None
    found = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return str(python) if found.returncode == 0 else None


@functools.cache
def version(module: str) -> str:
    """Return a peer's version, empty where it is not installed."""
    python = python_with(module)
    if python is None:
        return ""
    code = f"from importlib.metadata import version; print(version({module!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def install() -> None:
    """Install the peers that are missing; without a package index they stay missing.

    They see the packages of this environment and add to them, so that all trackers run
    on one torch and one MLflow.
    """
    missing = [module for module in MODULES if importlib.util.find_spec(module) is None]
    if not missing or _python().exists():
        return
    print(f"installing {', '.join(missing)} into .bench/peers (once) …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.run([_python(), "-c", code], capture_output=True, text=True, check=True)
    Path(theirs.stdout.strip(), "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *missing], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"not installed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        shutil.rmtree(HOME)


def _python() -> Path:
    return HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
