"""A notebook cell that starts with ``%%mlrun`` is a true, complete, repeatable MLflow run.

``%load_ext cvtrack_magics`` in a notebook, then ``%mlhelp``. In a script the same words
are functions: ``from cvtrack_magics import log, mlrun, mlseed``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import cvtrack_magics.system  # noqa: F401 (keeps os and time before anybody replaces them)
from cvtrack_magics.commands.table import commands
from cvtrack_magics.moved import install

_HOMES = {
    "errors": (
        "ChecklistNotMet",
        "CvtrackError",
        "ExportRefused",
        "QuantizationRefused",
        "FilesAltered",
        "GateRefused",
        "ImpureModel",
        "NotAsMeasured",
        "NotIdentified",
        "PromotionBusy",
        "PromotionConflict",
        "PromotionError",
        "PromotionLost",
        "StoreUnavailable",
        "UnreadableArtifact",
        "UsageProblem",
    ),
    "capture.params.seeds": ("loader_generator", "seed_worker"),
    "commands.checkpoint": ("checkpoint",),
    "commands.gate_history": ("gate_history", "gate_rollback"),
    "commands.log": ("log",),
    "commands.mlgrid": ("log_predictions",),
    "commands.track": ("track",),
    "tasks.predictions": ("Predictions",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_HOME_OF |= {name: f"commands.{name}" for name in commands()}

__all__ = [  # noqa: PLE0604 (strings all)
    *sorted(_HOME_OF),
    "load_ipython_extension",
    "unload_ipython_extension",
]

install()  # private modules are found by their old names, too

# a reload of this module, which %reload_ext makes, must not forget what is loaded
_extensions: dict[int, Any] = globals().get("_extensions", {})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("cvtrack_magics")
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])


def load_ipython_extension(shell: Any) -> None:
    """Load the magics into an IPython shell (``%load_ext cvtrack_magics``)."""
    from cvtrack_magics.notebook.extension import Extension

    if id(shell) not in _extensions:
        extension = Extension(shell)
        extension.load()
        _extensions[id(shell)] = extension


def unload_ipython_extension(shell: Any) -> None:
    """Take everything out again (``%unload_ext cvtrack_magics``)."""
    extension = _extensions.get(id(shell))
    if extension is None:
        return
    kept = extension.kept_by_a_run
    if kept:
        print(f"{kept} cvtrack_magics does nothing while a run is open. End it first.")
        return
    del _extensions[id(shell)]
    extension.unload()
