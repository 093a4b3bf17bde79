"""A notebook cell that starts with ``%%mlrun`` is a true, complete, repeatable MLflow run.

``%load_ext cvtrack_magics`` in a notebook, then ``%mlhelp``. In a script the same words
are functions: ``from cvtrack_magics import log, mlrun, mlseed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvtrack_magics.capture.seeds import loader_generator, seed_worker
    from cvtrack_magics.runs.api import mlend, mlexperiment, mlrun, mltags
    from cvtrack_magics.runs.explaining import mlaugment, mlcam
    from cvtrack_magics.runs.facts import mlautolog, mlconfig, mldata, mlenv, mlparams, mlseed
    from cvtrack_magics.runs.log import log
    from cvtrack_magics.runs.looking import log_predictions, mlgrid
    from cvtrack_magics.runs.measuring import mleval
    from cvtrack_magics.runs.releasing.carding import mlcard
    from cvtrack_magics.runs.releasing.checking import mlcheck
    from cvtrack_magics.runs.releasing.exporting import mlexport
    from cvtrack_magics.runs.releasing.gating import mlgate
    from cvtrack_magics.runs.releasing.loading import mlload
    from cvtrack_magics.runs.releasing.modelling import mlmodel
    from cvtrack_magics.runs.releasing.timing import mlbench
    from cvtrack_magics.runs.showing import mlshow
    from cvtrack_magics.runs.sync import mlsync
    from cvtrack_magics.runs.track import track
    from cvtrack_magics.vision.predictions import Predictions

_HOMES = {
    "cvtrack_magics.capture.seeds": ("loader_generator", "seed_worker"),
    "cvtrack_magics.runs.api": ("mlend", "mlexperiment", "mlrun", "mltags"),
    "cvtrack_magics.runs.facts": (
        "mlautolog",
        "mlconfig",
        "mldata",
        "mlenv",
        "mlparams",
        "mlseed",
    ),
    "cvtrack_magics.runs.explaining": ("mlaugment", "mlcam"),
    "cvtrack_magics.runs.log": ("log",),
    "cvtrack_magics.runs.looking": ("log_predictions", "mlgrid"),
    "cvtrack_magics.runs.measuring": ("mleval",),
    "cvtrack_magics.runs.releasing.carding": ("mlcard",),
    "cvtrack_magics.runs.releasing.checking": ("mlcheck",),
    "cvtrack_magics.runs.releasing.exporting": ("mlexport",),
    "cvtrack_magics.runs.releasing.gating": ("mlgate",),
    "cvtrack_magics.runs.releasing.loading": ("mlload",),
    "cvtrack_magics.runs.releasing.modelling": ("mlmodel",),
    "cvtrack_magics.runs.releasing.timing": ("mlbench",),
    "cvtrack_magics.runs.showing": ("mlshow",),
    "cvtrack_magics.runs.track": ("track",),
    "cvtrack_magics.runs.sync": ("mlsync",),
    "cvtrack_magics.vision.predictions": ("Predictions",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Predictions",
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
    "mlseed",
    "mlshow",
    "mlsync",
    "mltags",
    "seed_worker",
    "track",
    "unload_ipython_extension",
]

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
    from cvtrack_magics.magics.extension import Extension

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
