"""What is known of a cell while IPython runs it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.text import is_a, trace_of

if TYPE_CHECKING:
    from cvtrack_magics.run.ranks.plan import Plan
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.unopened import Unopened


@dataclass(eq=False)
class Frame:
    """One cell that IPython is running, and the run opened in it."""

    facts: CellFacts
    info: object = None
    """What IPython knows of the cell; one object from its begin to its end."""
    scope: RunScope | None = None
    verify: bool = False
    ranks: Plan | None = None
    """What other processes execute in this one's place."""
    last_error: object = None
    failed_inside: BaseException | None = None
    """The last error of a cell that was run by this one, or of a command that it gave."""
    missed: list[Unopened] = field(default_factory=list)
    """Runs that could not be opened, and that what the cell records was meant for."""
    entered: list[RunScope] = field(default_factory=list)

    def swallowed(self) -> BaseException | None:
        """Return an error of the cell's code that IPython showed and kept to itself.

        ``%%capture``, ``%%time``, ``%run`` and ``run_cell`` do so: the cell counts as a success,
        the run must not. What the user's own code caught and showed is handled.
        """
        shown: BaseException | None = getattr(sys, "last_value", None)
        if shown is not self.last_error and shown is not None and _ended_code(shown):
            return shown
        return self.failed_inside


_BESIDE = ("IPython.core.events", "IPython.core.formatters", "IPython.core.displayhook")
"""Modules that show an error of a callback or of a way to draw, and let the code go on."""


def _ended_code(error: BaseException) -> bool:
    """Whether IPython itself caught an error, which ended the code that it was running."""
    if not is_a(error, BaseException):
        return False
    trace = trace_of(error)
    module = str(trace.tb_frame.f_globals.get("__name__", "")) if trace is not None else ""
    return module.startswith("IPython.") and module not in _BESIDE
