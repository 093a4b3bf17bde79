"""``%%mlrun``, ``%mlrun`` and ``%mlend``: the magics that belong to cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError

from cvtrack_magics.commands.line import BODY_BELOW, RANKS_BELOW, usage_error
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.notebook.magics import Magic
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.ranks.failure import RankFailed
from cvtrack_magics.run.unopened import Unopened, go_on_without

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlend as ending
    from cvtrack_magics.commands import mlrun as runs
    from cvtrack_magics.commands.definition import Typed
    from cvtrack_magics.notebook import ranks_of_cells as ranks
    from cvtrack_magics.run import notebook_state as states
    from cvtrack_magics.run import opening
    from cvtrack_magics.run.scope import RunScope
else:
    ending = Lazy("cvtrack_magics.commands.mlend")
    runs = Lazy("cvtrack_magics.commands.mlrun")
    opening = Lazy("cvtrack_magics.run.opening")
    ranks = Lazy("cvtrack_magics.notebook.ranks_of_cells")
    states = Lazy("cvtrack_magics.run.notebook_state")


class Cells(Protocol):
    """The cells that run at this moment, the innermost last; they can be nested."""

    frames: list[Any]
    host: Any

    def attach(self, scope: RunScope, *, verify: bool) -> None:
        """End the run with the cell."""

    def miss(self, run: Unopened) -> None:
        """Let what the cell records go nowhere, for it was meant for a run that is not open."""

    def note_shown(self) -> None:
        """Say that the cell's error has been shown."""


class RunMagic(Magic):
    """``%%mlrun`` and ``%mlrun``."""

    _ipython_magic_no_var_expand = True  # known without the command, whose import may fail

    def __init__(self, shell: Any, cells: Cells) -> None:
        super().__init__("mlrun", shell)
        self.cells = cells

    def __call__(self, line: str, cell: str | None = None) -> None:
        """Open a run, and let the cell end it."""
        if cell is not None and cell.strip() == RANKS_BELOW:
            ranks.run(self.shell, self.cells.frames[-1])
            return
        if cell is not None and cell.strip() != BODY_BELOW:
            self._run_given_cell(line, cell)
            return
        try:
            self._open(line, cell)
        except (CvtrackError, UsageError, RankFailed):
            raise
        except Exception as error:  # nothing of ours keeps the user's code from running
            missed = go_on_without(line.split(" --", 1)[0].strip(), error)
            if cell is not None:
                self.cells.miss(missed)

    def _open(self, line: str, cell: str | None) -> None:
        typed = self.command.read(line, self.shell.user_ns)
        verify = bool(typed.values.pop("verify", False))
        strict = bool(typed.values.pop("strict", False))
        count = typed.values.pop("ranks", 0)
        spec = runs.spec_of(**self._filled_in(typed), until="%mlend" if cell is None else "")
        if count and typed.values.get("resume"):
            raise usage_error("%%mlrun: --resume goes on in one process; leave out --ranks.")
        if verify and count:
            raise usage_error("%%mlrun: --verify runs the cell here; leave out --ranks.")
        if cell is None and (verify or strict or count):
            option = "--verify" if verify else "--strict" if strict else "--ranks"
            raise usage_error(f"%mlrun: {option} needs a whole cell; write %%mlrun.")
        facts = self.cells.frames[-1].facts if self.cells.frames else None
        if cell is not None and facts is not None:
            if strict or get_session().config.strict:
                states.refuse_stale(get_session().host, facts)
            runs.go_where_told(facts.source, self.shell.user_ns)
            if count:
                self.cells.frames[-1].ranks = ranks.planned(self.shell, count, spec, facts.source)
        scope = opening.open_run(spec, cell=facts)
        if cell is not None:
            self.cells.attach(scope, verify=verify)

    def _filled_in(self, typed: Typed) -> dict[str, Any]:
        values = dict(typed.values)
        for name in ("name", "baseline"):
            if name in values:
                values[name] = self._fill_in(values[name])
        tags = values.get("tags", {})
        values["tags"] = {self._fill_in(key): self._fill_in(text) for key, text in tags.items()}
        return values

    def _fill_in(self, word: str) -> str:
        return str(self.shell.var_expand(word, depth=0)) if "{" in word or "$" in word else word

    def _run_given_cell(self, line: str, cell: str) -> None:
        """Serve a program that calls ``run_cell_magic('mlrun', …)`` with a body itself."""
        result = self.shell.run_cell(f"%%mlrun {line}\n{cell}", store_history=False)
        if not result.success:
            raise AlreadyShown(result.error_before_exec or result.error_in_exec)


class EndMagic(Magic):
    """``%mlend``."""

    def __init__(self, shell: Any, cells: Cells) -> None:
        super().__init__("mlend", shell)
        self.cells = cells

    def __call__(self, line: str) -> None:
        """Close the run that ``%mlrun`` opened; it shows its card itself."""
        typed = self.command.read(line, self.shell.user_ns)
        self.cells.note_shown()
        ending.mlend(**typed.values)


class SkipMagic(Magic):
    """``%%mlskip``, where it does not stand on top of its cell."""

    def __init__(self, shell: Any, cells: Cells) -> None:
        super().__init__("mlskip", shell)
        self.cells = cells

    def __call__(self, line: str, cell: str = "") -> None:
        """Run the cell."""
        self.command.read(line, self.shell.user_ns)
        result = self.shell.run_cell(cell, store_history=False)
        if not result.success:
            raise AlreadyShown(result.error_before_exec or result.error_in_exec)


class AlreadyShown(CvtrackError):
    """Fails the outer cell without a second traceback."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__(str(error))

    def _render_traceback_(self) -> list[str]:
        return []
