"""``%%mlsweep``: a cell as the objective of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.line import usage_error
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.notebook.magics import Magic

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlsweep as sweeping
    from cvtrack_magics.commands import sweep_options
    from cvtrack_magics.notebook.run_magics import Cells
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.sweep.workers import packing as bodies
else:
    sweep_options = Lazy("cvtrack_magics.commands.sweep_options")
    bodies = Lazy("cvtrack_magics.run.sweep.workers.packing")
    sweeping = Lazy("cvtrack_magics.commands.mlsweep")


class SweepMagic(Magic):
    """``%%mlsweep``."""

    def __init__(self, shell: Any, cells: Cells) -> None:
        super().__init__("mlsweep", shell)
        self.cells = cells

    def __call__(self, line: str, cell: str = "") -> None:
        """Run the cell's trials."""
        values = self.command.with_defaults(self.command.read(line, self.shell.user_ns).values)
        go_on, fresh = values.pop("continue", False), values.pop("fresh", False)
        if go_on and fresh:
            raise usage_error("%%mlsweep: --continue and --fresh say two things.")
        mode = "continue" if go_on else "fresh" if fresh else ""
        spec = sweep_options.checked(**{**values, "mode": mode}, body=cell)
        facts = self.cells.frames[-1].facts if self.cells.frames else None
        sweeping.sweep_over(spec, self._objective(line, cell), self._attach, facts)

    def _attach(self, scope: RunScope) -> None:
        self.cells.attach(scope, verify=False)

    def _objective(self, line: str, cell: str) -> Any:
        """Return the cell as a function of its trial, with its own line numbers."""
        source = f"# %%mlsweep {line}\n{cell}"
        code = self.shell.transform_cell(source)
        name = self.shell.compile.cache(code, self.shell.execution_count, raw_code=source)
        compiled = self.shell.compile(code, name, "exec")
        return bodies.CellBody(code, compiled, self.shell.user_ns)
