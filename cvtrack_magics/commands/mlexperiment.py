"""``mlexperiment()``: which experiment the runs go to."""

from __future__ import annotations

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said


@command(name=Arg("EXPERIMENT", joined, many="*"))
def mlexperiment(name: str | None = None) -> Said:
    """Make an MLflow experiment the current one, creating it when it is new.

    Without a name: say which one is current and where the store is.

    Parameters
    ----------
    name : str, optional
        One for each model family or question.

    Examples
    --------
    ::

        %mlexperiment resnet-backbone-ablations
    """
    session = get_session()
    tracking = session.tracking
    if name is None:
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
    return Said(f"Experiment {name!r} in {tracking.place}")
