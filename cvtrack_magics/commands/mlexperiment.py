"""``mlexperiment()``: which experiment the runs go to."""

from __future__ import annotations

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.names import safe_key
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said


@command(name=Arg("EXPERIMENT", joined, many="*"), metric=Arg("NAME"))
def mlexperiment(name: str | None = None, *, metric: str = "") -> Said:
    """Make an MLflow experiment the current one, creating it when it is new.

    Without a name: say which one is current and where the store is.

    Parameters
    ----------
    name : str, optional
        One for each model family or question.
    metric : str
        The metric it is about, which MLflow's page shows first; ``NAME:max`` or ``NAME:min``
        where its name does not say what is better. Otherwise the first run that ends names one.

    Examples
    --------
    ::

        %mlexperiment resnet-backbone-ablations --metric val/mAP50
    """
    session = get_session()
    tracking = session.tracking
    primary = _primary(metric) if metric else None
    if name is None:
        if primary:
            tracking.set_primary_metric(*primary)
        return Said(f"Experiment {tracking.current_experiment()!r} in {tracking.place}")
    if not name.strip():
        raise UsageProblem("An experiment needs a name.", "%mlexperiment resnet-ablations")
    why = tracking.set_experiment(name)
    tracking.typed_experiment = name
    session.chose(name)
    if why:
        return Said(
            f"{why} Runs from now on are kept on disk and go to experiment {name!r} "
            "when the store answers."
        )
    if primary:
        tracking.set_primary_metric(*primary)
    return Said(f"Experiment {name!r} in {tracking.place}")


def _primary(said: str) -> tuple[str, bool]:
    """Return a metric's name as it is stored, and whether more of it is better."""
    name, _, way = said.rpartition(":")
    if way not in ("max", "min") or not name:
        name, way = said, direction_of(said)
    if not way:
        raise UsageProblem(
            f"Whether more or less of {said!r} is better does not follow from its name.",
            f"--metric {said}:max or {said}:min",
        )
    return safe_key(name), way == "max"
