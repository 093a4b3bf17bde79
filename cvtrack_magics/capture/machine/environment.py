"""Python, operating system and package versions of a run; never environment variables."""

from __future__ import annotations

import os
import platform
import re
import sys

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.paths import ENVIRONMENT, REQUIREMENTS
from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.machine.hardware import gpu_names, hardware_facts
from cvtrack_magics.capture.machine.packages import (
    PackageLine,
    packages,
    requirements_text,
    version_of,
    versions,
)
from cvtrack_magics.records import Artifact, Notice, Param, Tag

__all__ = [
    "PackageLine",
    "environment_facts",
    "environment_records",
    "packages",
    "requirements_text",
]

_KEY_PACKAGES = (
    *("mlflow", "numpy", "pandas", "pillow", "scikit-learn", "matplotlib", "timm", "lightning"),
    *("albumentations", "albumentationsx", "onnx", "onnxruntime", "ultralytics", "transformers"),
    *("ipython", "ipykernel", "jupyterlab"),
)

_VERSION = re.compile(r"^__version__\b[^=\n]*=\s*['\"](?P<version>[^'\"\n]+)['\"]", re.MULTILINE)
_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*['\"](?P<version>[\d.]+)['\"]", re.MULTILINE)


def environment_facts() -> dict[str, str]:
    """Return the rows of a readable table of the software.

    Returns
    -------
    dict
        Label to text; only what is there. Versions come from metadata, those of PyTorch from
        its own file, so that nothing is imported for it.
    """
    facts = {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "OS": _operating_system(),
        "torch": _torch_version("torch"),
        "torchvision": _torch_version("torchvision"),
        "CUDA": cuda_version(),
        "cuDNN": cudnn_version(),
    }
    installed = versions()
    facts |= {project: installed.get(project, "") for project in _KEY_PACKAGES}
    facts["packages"] = str(len(installed))
    return {label: text for label, text in facts.items() if text}


def _operating_system() -> str:
    if platform.system() != "Linux":
        return platform.platform(terse=True)
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    return f"{name or 'Linux'} (kernel {platform.release()}, {platform.machine()})"


def _torch_version(package: str) -> str:
    """Return the version with its build (``+cu121``), which the metadata of a wheel may lack.

    The same before and after the import: the file that is read is the one the module reads.
    """
    version = getattr(loaded(package), "__version__", None)
    found = _VERSION.search("" if version else _version_file(package))
    return str(version or "") or (found["version"] if found else version_of(package))


def _version_file(package: str) -> str:
    """Return what says the version and the build of a package of PyTorch, without importing it."""
    for folder in sys.path:
        place = os.path.join(folder or ".", package)
        if os.path.isfile(os.path.join(place, "__init__.py")):
            try:
                with open(os.path.join(place, "version.py"), encoding="utf-8") as file:
                    return file.read()
            except (OSError, ValueError):
                return ""
    return ""


def cuda_version() -> str:
    """Return the CUDA version torch was built for, or ``""``; torch is not imported."""
    torch = loaded("torch")
    if torch is not None:
        return str(torch.version.cuda or "")
    found = _CUDA.search(_version_file("torch"))
    return found["version"] if found else ""


def cudnn_version() -> str:
    """Return cuDNN's version in the form torch gives it (``"91900"``), or ``""``."""
    torch = loaded("torch")
    if torch is not None:
        return str(torch.backends.cudnn.version() or "")
    cuda = cuda_version()
    # a build for the processor alone uses none, whoever else installed one
    wanted = ("nvidia-cudnn", f"nvidia-cudnn-cu{cuda.partition('.')[0]}") if cuda else ()
    for package in packages():
        if package.name in wanted:
            major, minor, patch = (int(n) for n in [*package.version.split("."), "0", "0"][:3])
            # cudnn_version.h: 10000 a major version since 9, 1000 before.
            return str(major * (10000 if major >= 9 else 1000) + minor * 100 + patch)
    return ""


def _replaced(package: PackageLine) -> str:
    return (
        f"{package.name} {package.version} was imported before {package.on_disk} was installed; "
        "it is what runs, and what is recorded. Restart the kernel to use the other."
    )


def environment_records() -> list[Param | Tag | Artifact | Notice]:
    """Return the software and hardware as records.

    Returns
    -------
    list of Param, Artifact and Notice
        ``python_version``, ``pytorch_version``, ``torchvision_version``,
        ``cuda_version``, ``cudnn_version``, ``gpu_model`` and ``num_gpus`` as
        parameters (what is not installed is left out);
        ``environment/requirements.txt`` and ``environment/environment.json``.
    """
    names = gpu_names()
    installed = packages()
    known = {
        "python_version": platform.python_version(),
        "pytorch_version": _torch_version("torch"),
        "torchvision_version": _torch_version("torchvision"),
        "cuda_version": cuda_version(),
        "cudnn_version": cudnn_version(),
        "gpu_model": names[0] if names else "CPU",
        "num_gpus": str(len(names)),
    }
    whole = Environment(
        software=environment_facts(),
        hardware=hardware_facts(),
        packages={package.name: package.version for package in installed},
        installed_after_import={
            package.name: package.on_disk for package in installed if package.on_disk
        },
    )
    return [
        *(Notice(_replaced(package)) for package in installed if package.on_disk),
        *(Param(key, text) for key, text in known.items() if text),
        Artifact(REQUIREMENTS, content=requirements_text()),
        Artifact(ENVIRONMENT, content=written(whole)),
    ]
