"""Optuna, as a sweep uses it: where its journal lies, what chooses parameters, what prunes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.sweep.spec import SweepSpec
from cvtrack_magics.store.uris import absolute, sqlite_file

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session

FOLDER = "cvtrack-sweeps"
BOUNDS = "bounds"
"""The attribute of a trial that says how far it is from each rule."""


def optuna() -> Any:
    """Import Optuna; :class:`UsageProblem` where it is not installed."""
    try:
        import optuna as found
    except ImportError:
        raise UsageProblem(
            "%%mlsweep needs Optuna, which is not installed.", "pip install 'optuna>=4'"
        ) from None
    found.logging.set_verbosity(found.logging.WARNING)
    return found


def sampler_of(spec: SweepSpec, trials: list[Any]) -> Any:
    """Return what chooses parameters; it never begins with those it began with before."""
    rules = spec.rules
    bounded = (lambda trial: trial.user_attrs.get(BOUNDS, [1.0] * len(rules))) if rules else None
    beside = any(one.state.name == "RUNNING" for one in trials)
    repeats = spec.seed is not None and not beside
    seed = (spec.seed or 0) + len(trials) if repeats else None
    with warnings.catch_warnings():  # the other way, which Optuna 5 recommends, is not in 4
        warnings.simplefilter("ignore", FutureWarning)
        return optuna().samplers.TPESampler(seed=seed, constraints_func=bounded)


def pruner_of(spec: SweepSpec) -> Any:
    """Return what ``trial.should_prune()`` goes by."""
    kinds = optuna().pruners
    return {
        "median": kinds.MedianPruner,
        "halving": kinds.SuccessiveHalvingPruner,
        "hyperband": kinds.HyperbandPruner,
        "none": kinds.NopPruner,
    }[spec.pruner]()


def folder_of(session: Session) -> Path:
    """Return where the studies of a store lie: beside its file, or in the state folder."""
    uri = absolute(session.tracking.uri)
    file = sqlite_file(uri) if uri.startswith("sqlite") else None
    found = file.parent / FOLDER if file is not None else session.config.state / FOLDER
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found
