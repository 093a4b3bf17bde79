"""``mlautolog()``: MLflow's autologging of PyTorch, on or off."""

from __future__ import annotations

from typing import Literal

from cvtrack_magics.commands.definition import command
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said


@command()
def mlautolog(mode: Literal["explore", "production"]) -> Said:
    """Switch MLflow's autologging of PyTorch on or off.

    Parameters
    ----------
    mode : {'explore', 'production'}
        ``explore`` logs every epoch but no models; ``production`` logs nothing by
        itself, so that the record holds just what the code says.

    Examples
    --------
    ::

        %mlautolog explore
    """
    if mode not in ("explore", "production"):
        raise UsageProblem(
            f"%mlautolog does not know {mode!r}.", "Type '%mlautolog explore' or 'production'."
        )
    session = get_session()
    session.tracking.autolog(explore=mode == "explore")
    for scope in session.scopes:
        scope.guard.chosen()
    if mode == "explore":
        return Said("Autologging is on: metrics every epoch, no models. Lightning trainers only.")
    return Said("Autologging is off: the record holds what log() and the magics say.")
