"""MLflow's settings for the whole process: what a cell switches is put back at its end."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cvtrack_magics.redact import redact
from cvtrack_magics.store.client import mlflow

EXPERIMENT, EXPERIMENT_ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"
TRACKING, REGISTRY = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"
VARIABLES = (EXPERIMENT, EXPERIMENT_ID, TRACKING, REGISTRY, "MLFLOW_RUN_ID")


@dataclass(frozen=True)
class Switches:
    """Where runs go, and what is logged by itself.

    ``autologging`` has the settings of each integration that was ever switched, ``hooks`` what
    ``mlflow.autolog`` will do when a library is imported. ``held`` is the experiment that was
    made the current one for the run, where there was none: MLflow would look for the name in
    the environment at the server, each time that a run is started.
    """

    experiment_id: str | None
    tracking_uri: str | None
    registry_uri: str | None
    environment: dict[str, str | None]
    autologging: dict[str, Any]
    hooks: dict[str, Any]
    held: str | None = None


def hold_experiment(before: Switches, experiment_id: str) -> Switches:
    """Make an experiment the current one while a run is open, where there was none."""
    fluent = mlflow().tracking.fluent
    if before.experiment_id is not None or fluent._active_experiment_id is not None:
        return before
    fluent._active_experiment_id = experiment_id or None
    return replace(before, held=experiment_id or None)


def _since(before: Switches) -> Switches:
    """Return the settings in force, as if nothing had been held for the run."""
    now = switches_now()
    held = before.held is not None and now.experiment_id == before.held
    return replace(now, experiment_id=before.experiment_id) if held else now


def switches_now() -> Switches:
    """Return the settings in force."""
    module = mlflow()
    return Switches(
        module.tracking.fluent._active_experiment_id,
        _tracking()._tracking_uri,
        _registry()._registry_uri,
        {name: os.environ.get(name) for name in VARIABLES},
        {name: dict(settings) for name, settings in _integrations().items()},
        {name: copy.copy(found) for name, found in _hooks().items()},
    )


def with_experiment(before: Switches, now: Switches) -> Switches:
    """Return settings with the experiment of later ones, which the user has chosen since."""
    ids = {EXPERIMENT_ID: now.environment[EXPERIMENT_ID]}
    return replace(
        before,
        experiment_id=now.experiment_id,
        environment={**before.environment, **ids},
    )


def with_autologging(before: Switches, now: Switches) -> Switches:
    """Return settings with the autologging of later ones, which the user has chosen since."""
    return replace(before, autologging=now.autologging, hooks=now.hooks)


def name_experiment(name: str) -> None:
    """Tell libraries and child processes the name of the experiment, by the environment."""
    if name:
        os.environ[EXPERIMENT] = name


def put_back(before: Switches, experiment: str = "") -> list[str]:
    """Put settings back; return what was undone, in words.

    Parameters
    ----------
    before : Switches
        The settings to come back to.
    experiment : str
        The name of the experiment that they mean, for the words.
    """
    now = _since(before)
    undone = list(_undone(before, now, experiment))
    mlflow().tracking.fluent._active_experiment_id = before.experiment_id
    if now.tracking_uri != before.tracking_uri:
        mlflow().set_tracking_uri(before.tracking_uri)
    _registry()._registry_uri = before.registry_uri
    for name, value in before.environment.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value
    _put_autologging_back(before, now)
    return undone


def put_places_back(before: Switches, experiment: str = "") -> list[str]:
    """Put experiment and store back, for a run that is opened now; return what was undone."""
    now = _since(before)
    places = (before.experiment_id, before.tracking_uri)
    if places == (now.experiment_id, now.tracking_uri):
        return []
    undone = list(_undone(before, with_autologging(now, before), experiment))
    if now.experiment_id != before.experiment_id:
        mlflow().tracking.fluent._active_experiment_id = before.experiment_id
        os.environ.pop(EXPERIMENT_ID, None)
        if before.experiment_id is not None:
            os.environ[EXPERIMENT_ID] = before.experiment_id
        name_experiment(experiment)
    if now.tracking_uri != before.tracking_uri:
        mlflow().set_tracking_uri(before.tracking_uri)
        named = before.environment[TRACKING]
        if named is not None:
            os.environ[TRACKING] = named
    return undone


def _undone(before: Switches, now: Switches, experiment: str) -> Iterator[str]:
    if (now.experiment_id, now.environment[EXPERIMENT_ID]) != (
        before.experiment_id,
        before.environment[EXPERIMENT_ID],
    ) and now.experiment_id is not None:
        to = f"; runs go to {experiment!r} as before" if experiment else ""
        yield f"{_chosen(before, now)}{to} (%mlexperiment changes that)"
    here = now.tracking_uri or now.environment[TRACKING]
    if here not in (before.tracking_uri or before.environment[TRACKING], None):
        yield (
            f"mlflow.set_tracking_uri({redact(str(here))!r}); "
            "call it in a cell of its own to change the store"
        )
    if now.registry_uri not in (before.registry_uri, None):
        yield f"mlflow.set_registry_uri({redact(str(now.registry_uri))!r})"
    switched = _switched(before, now)
    if switched:
        said = ", ".join(
            "mlflow.autolog()" if name == "mlflow" else f"mlflow.{name}.autolog()"
            for name in switched
        )
        yield f"{said}; call it in a cell of its own, or %mlautolog, to keep it on"


def _chosen(before: Switches, now: Switches) -> str:
    """Return in words how another experiment was chosen: by a call, or in the environment."""
    if now.experiment_id != before.experiment_id:
        name = os.environ.get(EXPERIMENT) or now.experiment_id
        return f"mlflow.set_experiment({name!r})"
    return f"{EXPERIMENT_ID}={now.environment[EXPERIMENT_ID]} in os.environ"


def _switched(before: Switches, now: Switches) -> list[str]:
    """Return the integrations that were switched on; for all of them it is ``mlflow``."""
    changed = [
        name
        for name, settings in now.autologging.items()
        if settings != before.autologging.get(name, {})
        and not settings.get("disable", not settings)
    ]
    return ["mlflow"] if "mlflow" in changed else changed


def _put_autologging_back(before: Switches, now: Switches) -> None:
    table = _integrations()
    for name, settings in now.autologging.items():
        old = before.autologging.get(name)
        if settings != old:
            table[name] = dict(old or {})  # without settings it is off
    if now.hooks != before.hooks:
        hooks = _hooks()
        for name, found in now.hooks.items():
            if name not in before.hooks:
                hooks.pop(name, None)
            elif found is not None:
                hooks[name] = before.hooks[name]


def _tracking() -> Any:
    from mlflow.tracking._tracking_service import utils

    return utils


def _registry() -> Any:
    from mlflow.tracking._model_registry import utils

    return utils


def _integrations() -> dict[str, Any]:
    from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS

    found: dict[str, Any] = AUTOLOGGING_INTEGRATIONS
    return found


def _hooks() -> dict[str, Any]:
    from mlflow.utils import import_hooks

    found: dict[str, Any] = import_hooks._post_import_hooks
    return found


def autologs(name: str) -> bool:
    """Whether MLflow's autologging of an integration, such as ``"pytorch"``, is on.

    Autologging of PyTorch takes up what TensorBoard's writers are given, too.
    """
    known = getattr(
        sys.modules.get("mlflow.utils.autologging_utils"), "AUTOLOGGING_INTEGRATIONS", None
    )
    settings: dict[str, Any] = (known or {}).get(name) or {"disable": True}
    return not settings.get("disable", False)
