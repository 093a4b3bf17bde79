"""A notebook cell that starts with ``%%mlrun`` is a true, complete, repeatable MLflow run.

``%load_ext cvtrack_magics`` in a notebook, then ``%mlhelp``. In a script the same words
are functions: ``from cvtrack_magics import log, mlrun, mlseed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.moved import install

if TYPE_CHECKING:
    from cvtrack_magics.capture.params.seeds import loader_generator, seed_worker
    from cvtrack_magics.commands.log import log
    from cvtrack_magics.commands.mlbench import mlbench
    from cvtrack_magics.commands.mlcam import mlaugment, mlcam
    from cvtrack_magics.commands.mlcard import mlcard
    from cvtrack_magics.commands.mlcheck import mlcheck
    from cvtrack_magics.commands.mleval import mleval
    from cvtrack_magics.commands.mlexport import mlexport
    from cvtrack_magics.commands.mlgate import mlgate
    from cvtrack_magics.commands.mlgrid import log_predictions, mlgrid
    from cvtrack_magics.commands.mlload import mlload
    from cvtrack_magics.commands.mlmodel import mlmodel
    from cvtrack_magics.commands.mlruns import mlruns
    from cvtrack_magics.commands.mlshow import mlshow
    from cvtrack_magics.commands.mlsync import mlsync
    from cvtrack_magics.commands.track import track
    from cvtrack_magics.errors import (
        ChecklistNotMet,
        CvtrackError,
        ExportRefused,
        FilesAltered,
        GateRefused,
        ImpureModel,
        NotAsMeasured,
        NotIdentified,
        PromotionBusy,
        PromotionConflict,
        PromotionError,
        PromotionLost,
        StoreUnavailable,
        UsageProblem,
    )
    from cvtrack_magics.run.operations import mlend, mlexperiment, mlrun, mltags
    from cvtrack_magics.run.run_records import mlautolog, mlconfig, mldata, mlenv, mlparams, mlseed
    from cvtrack_magics.tasks.predictions import Predictions

_HOMES = {
    "cvtrack_magics.errors": (
        "ChecklistNotMet",
        "CvtrackError",
        "ExportRefused",
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
        "UsageProblem",
    ),
    "cvtrack_magics.capture.params.seeds": ("loader_generator", "seed_worker"),
    "cvtrack_magics.run.operations": ("mlend", "mlexperiment", "mlrun", "mltags"),
    "cvtrack_magics.run.run_records": (
        "mlautolog",
        "mlconfig",
        "mldata",
        "mlenv",
        "mlparams",
        "mlseed",
    ),
    "cvtrack_magics.commands.mlcam": ("mlaugment", "mlcam"),
    "cvtrack_magics.commands.log": ("log",),
    "cvtrack_magics.commands.mlgrid": ("log_predictions", "mlgrid"),
    "cvtrack_magics.commands.mleval": ("mleval",),
    "cvtrack_magics.commands.mlcard": ("mlcard",),
    "cvtrack_magics.commands.mlcheck": ("mlcheck",),
    "cvtrack_magics.commands.mlexport": ("mlexport",),
    "cvtrack_magics.commands.mlgate": ("mlgate",),
    "cvtrack_magics.commands.mlload": ("mlload",),
    "cvtrack_magics.commands.mlmodel": ("mlmodel",),
    "cvtrack_magics.commands.mlbench": ("mlbench",),
    "cvtrack_magics.commands.mlruns": ("mlruns",),
    "cvtrack_magics.commands.mlshow": ("mlshow",),
    "cvtrack_magics.commands.track": ("track",),
    "cvtrack_magics.commands.mlsync": ("mlsync",),
    "cvtrack_magics.tasks.predictions": ("Predictions",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ChecklistNotMet",
    "CvtrackError",
    "ExportRefused",
    "FilesAltered",
    "GateRefused",
    "ImpureModel",
    "NotAsMeasured",
    "NotIdentified",
    "Predictions",
    "PromotionBusy",
    "PromotionConflict",
    "PromotionError",
    "PromotionLost",
    "StoreUnavailable",
    "UsageProblem",
    "load_ipython_extension",
    "loader_generator",
    "log",
    "log_predictions",
    "mlaugment",
    "mlautolog",
    "mlbench",
    "mlcam",
    "mlcard",
    "mlcheck",
    "mlconfig",
    "mldata",
    "mlend",
    "mlenv",
    "mleval",
    "mlexperiment",
    "mlexport",
    "mlgate",
    "mlgrid",
    "mlload",
    "mlmodel",
    "mlparams",
    "mlrun",
    "mlruns",
    "mlseed",
    "mlshow",
    "mlsync",
    "mltags",
    "seed_worker",
    "track",
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
        from importlib import import_module

        return getattr(import_module(_HOME_OF[name]), name)
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
    if extension.is_reloaded_in_a_run:
        print("%reload_ext cvtrack_magics does nothing while a run is open. End it first.")
        return
    del _extensions[id(shell)]
    extension.unload()
