"""Makes the cell below ``%%mlrun`` the run, without running it ourselves.

Only the magic's own line is replaced, by a call that opens the run; IPython then runs
the cell as it runs any other, so ``await``, ``_``, line numbers, interrupts and other
magics behave as without us. The hook that IPython calls after every cell closes the
run with the outcome IPython saw.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cvtrack_magics.capture.code.recipes import Executed
from cvtrack_magics.commands.line import BODY_BELOW, RANKS_BELOW
from cvtrack_magics.notebook import computed
from cvtrack_magics.notebook.frames import Frame
from cvtrack_magics.notebook.host import ShellHost
from cvtrack_magics.notebook.parameters import params_of
from cvtrack_magics.notebook.shell_commands import ShellCommands
from cvtrack_magics.run import current
from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.standard import AsTheUserHasIt, as_at_load
from cvtrack_magics.text import is_a

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.unopened import Unopened

CELL_MAGIC = re.compile(r"^%%(?P<name>[^\W\d][\w.]*|!)(?P<line>(?:[ \t].*)?)$")
SKIP_LINE = re.compile(r"^%%mlskip[ \t]*$")
_RANKS = re.compile(r"(?:^|\s)--ranks(?:[\s=]|$)")
FIRST_LINE = re.compile(r"^%%mlrun(?P<line>(?:[ \t].*)?)$")


def open_at_first_line(lines: list[str]) -> list[str]:
    """Replace a first line ``%%mlrun …`` by the call that opens the run.

    The number of lines stays the same, but for a cell magic below it, which owns what follows.
    ``%%mlrun?`` is left to IPython's help.
    """
    if lines and SKIP_LINE.match(lines[0].rstrip("\r\n")):
        return without_first_line(lines)
    match = FIRST_LINE.match(lines[0].rstrip("\r\n")) if lines else None
    if match is None or match["line"].rstrip().endswith("?"):
        return lines
    line = match["line"].strip()
    opened = f"get_ipython().run_cell_magic('mlrun', {line!r}, {BODY_BELOW!r})\n"
    if _RANKS.search(line):  # other processes execute what is below
        return [opened, f"get_ipython().run_cell_magic('mlrun', '', {RANKS_BELOW!r})\n"]
    return [opened, *_with_magic_below(lines[1:])]


def without_first_line(lines: list[str]) -> list[str]:
    """Return a cell with its first line as a comment."""
    return [f"# {lines[0]}", *_with_magic_below(lines[1:])]


def _with_magic_below(lines: list[str]) -> list[str]:
    """Turn a cell magic at the top of a run's cell into the call that IPython makes of one."""
    at = next((n for n, text in enumerate(lines) if text.strip()), None)
    match = CELL_MAGIC.match(lines[at].rstrip("\r\n")) if at is not None else None
    if at is None or match is None:
        return lines
    body = "".join(lines[at + 1 :])
    call = f"get_ipython().run_cell_magic({match['name']!r}, {match['line'].strip()!r}, {body!r})\n"
    return [*lines[:at], call]


class CellHooks:
    """Follows the cells that IPython runs; they can be nested, through ``run_cell``."""

    def __init__(self, shell: Any, host: ShellHost) -> None:
        self.shell = shell
        self.host = host
        self.frames: list[Frame] = []
        self._unended: list[Frame] = []
        self.mentioned: Callable[[str], None] | None = None
        """Told of each cell before it runs."""
        self.commands = ShellCommands(shell, self._command_failed)
        self.computed = computed.ComputedMetrics(self._may_have_metrics)

    @property
    def is_in_a_run(self) -> bool:
        """Whether a cell that IPython is running is a run."""
        return any(frame.scope is not None and frame.scope.is_open for frame in self.frames)

    def install(self) -> None:
        """Put the transform and the hooks into the shell."""
        self.commands.install()
        self.host.displays.tables = self._table_shown
        self.host.displays.lines = self._text_shown
        self.shell.input_transformer_manager.line_transforms.insert(0, open_at_first_line)
        self.shell.ast_transformers.append(self.computed)
        # stays after remove(): a cell that unloads us has its calls in it
        setattr(self.shell, computed.SEEN, computed.seen)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        self.shell.events.register("post_run_cell", self.make_up)

    def remove(self) -> None:
        """Give the shell back as it was."""
        self.commands.remove()
        self.host.displays.tables = self.host.displays.lines = None
        with suppress(ValueError):
            self.shell.input_transformer_manager.line_transforms.remove(open_at_first_line)
        with suppress(ValueError):
            self.shell.ast_transformers.remove(self.computed)
        with suppress(ValueError):
            self.shell.events.unregister("pre_run_cell", self.before_cell)
        for hook in (self.after_cell, self.make_up):
            with suppress(ValueError):
                self.shell.events.unregister("post_run_cell", hook)

    def _may_have_metrics(self) -> bool:
        """Whether the cell that is about to run is in a run, and may call a metric."""
        source = self.frames[-1].facts.source if self.frames else ""
        session = current.peek()
        is_run = FIRST_LINE.match(source.lstrip().split("\n", 1)[0].rstrip()) is not None
        is_run = is_run or (session is not None and bool(session.scopes))
        return is_run and computed.may_have_metrics(source)

    def _command_failed(self, error: BaseException) -> None:
        """Let the cell that gave a command to the shell fail its run; the first one counts."""
        if self.frames and self.frames[-1].failed_inside is None:
            self.frames[-1].failed_inside = error

    @staticmethod
    def _table_shown(key: str, html: str) -> None:
        """Let the innermost run read a table that its cell displays."""
        session = current.peek()
        scope = session.current if session is not None else None
        if scope is not None and scope.spec.auto:
            scope.cells.printed.take_table(key, html)

    @staticmethod
    def _text_shown(text: str) -> None:
        """Let the open runs have text that their cell displays as if it were printed."""
        session = current.peek()
        for scope in session.scopes if session is not None else ():
            scope.cells.tee.take(text)

    def before_cell(self, info: Any) -> None:
        """IPython is about to run a cell."""
        # the history has an empty first entry, so its length is the number of the next cell;
        # IPython 8 and 9 count execution_count up at different times
        stored = self.shell.history_manager.input_hist_raw
        count = len(stored) if info.store_history else 0
        cell_id = getattr(info, "cell_id", None) or ""
        if self.frames:  # a cell run by another one, as %%capture does
            outer = self.frames[-1].facts
            count, cell_id = count or outer.execution_count, cell_id or outer.cell_id
        shown = getattr(sys, "last_value", None)
        facts = CellFacts(info.raw_cell, count, str(cell_id))
        frame = Frame(facts, info, last_error=shown)
        if self.mentioned is not None:
            with suppress(Exception):
                self.mentioned(info.raw_cell or "")
        if not self.frames:
            if not info.store_history:
                self.host.unstored.append(info.raw_cell)
            with suppress(Exception):
                self.host.log.begin(info.raw_cell or "", self.host.notebook())
            session = current.peek()
            if session is not None:
                session.begin_cell()
            frame.entered = list(session.scopes) if session is not None else []
            for scope in frame.entered:
                scope.cells.enter()
        self.frames.append(frame)
        self._unended.append(frame)

    def attach(self, scope: RunScope, *, verify: bool) -> None:
        """Make the running cell the one that closes a run."""
        frame = self.frames[-1]
        frame.scope, frame.verify = scope, verify
        frame.last_error = getattr(sys, "last_value", None)
        self._tidy_first_line(frame.facts)

    def miss(self, run: Unopened) -> None:
        """Let what the running cell records go nowhere."""
        run.is_held = True
        self.frames[-1].missed.append(run)

    def _tidy_first_line(self, facts: CellFacts) -> None:
        """Show the user's own first line in tracebacks, as a comment, for it is not Python."""
        frame = sys._getframe()
        while frame is not None:
            name = frame.f_code.co_filename
            entry = linecache.cache.get(name)
            if frame.f_globals is self.shell.user_ns and isinstance(entry, tuple) and entry:
                lines = entry[2] if len(entry) == 4 else []
                if lines and lines[0].startswith("get_ipython().run_cell_magic('mlrun'"):
                    lines[0] = "# " + facts.source.lstrip().split("\n", 1)[0] + "\n"
                return
            frame = frame.f_back  # type: ignore[assignment]

    @as_at_load
    def after_cell(self, result: Any) -> None:
        """IPython has run a cell: close its run with the outcome that IPython saw."""
        blank = result is not None and not (result.info.raw_cell or "").strip()
        if blank:
            return
        if not self.frames:
            self._loaded_by(result)
            return
        frame = self.frames.pop()
        scope = frame.scope
        error = error_of(result) or frame.swallowed()
        for missed in frame.missed:
            missed.end("FINISHED")
        if error is not None and self.frames:
            self.frames[-1].failed_inside = error
        if scope is not None and scope.outcome is None:
            self._close(frame, scope, error)
        for held in self._held(frame, outermost=not self.frames):
            held.cells.leave()
            held.cells.note(frame.facts.cell_id or frame.facts.source, error)
        if error is None and not self.frames:
            self._take_parameters(frame.facts.source)
        session = current.peek()
        if session is not None and not self.frames:
            session.writing.end_cell()
        if not self.frames:
            self._remember(frame.facts, error, _run_of(frame))
        self._unended.remove(frame)

    def make_up(self, result: Any) -> None:
        """End what :meth:`after_cell` could not, for an error that arrived in it from outside.

        A trace function, a profiler or a signal handler of the cell's may raise at any place.
        """
        info = getattr(result, "info", None)
        frame = next((one for one in self._unended if one.info is info), None)
        if info is None or frame is None:
            return
        if any(one is frame for one in self.frames):
            while self.frames[-1] is not frame:  # cells inside it
                self.frames.pop()
            self.after_cell(result)
            return
        self._unended.remove(frame)
        scope = frame.scope
        if scope is not None and scope.is_open and scope.kept.delivery.end is None:
            self._close(frame, scope, error_of(result) or frame.swallowed())

    def _remember(self, facts: CellFacts, error: BaseException | None, run: str = "") -> None:
        """Keep what the cell did to the notebook's names."""
        with suppress(Exception):
            self.host.log.end(
                Executed(
                    facts.cell_id, facts.source, facts.execution_count, ok=error is None, run=run
                )
            )

    def _loaded_by(self, result: Any) -> None:
        """Keep the cell that has loaded the extension: it began without us."""
        info = getattr(result, "info", None)
        if info is not None:
            cell_id = str(getattr(info, "cell_id", None) or "")
            count = int(getattr(result, "execution_count", None) or 0)
            self._remember(CellFacts(info.raw_cell, count, cell_id), error_of(result))

    def _take_parameters(self, source: str) -> None:
        """Let what a notebook is run with be params of its runs from now on."""
        with suppress(Exception):
            found = params_of(source, self.shell.user_ns)
            if found:
                current.get_session().parameters = found

    def note_shown(self) -> None:
        """Let a run that is ended in the middle of a cell know what failed in the cell so far."""
        if not self.frames:
            return
        frame = self.frames[0]
        error = frame.swallowed()
        for held in self._held(frame, outermost=True) if error is not None else ():
            held.cells.note(frame.facts.cell_id or frame.facts.source, error)

    def _held(self, frame: Frame, *, outermost: bool) -> list[RunScope]:
        """Return the runs that go on after a cell: those it found open, and those it opened."""
        session = current.peek()
        opened = session.scopes if session is not None and outermost else []
        found = [*frame.entered, *(one for one in opened if one not in frame.entered)]
        return [one for one in found if one.outcome is None and one is not frame.scope]

    def _close(self, frame: Frame, scope: RunScope, error: BaseException | None) -> None:
        from cvtrack_magics.run.outcome import outcome_of

        session = current.get_session()
        if frame.verify and error is None:
            from cvtrack_magics.commands.verify import run_again

            scope.cells.leave()
            with AsTheUserHasIt():
                run_again(self.shell, session, scope, frame.facts)
        session.close(scope, outcome_of(error), error)


def _run_of(frame: Frame) -> str:
    """Return the name of the run whose body, or a part of it, a cell was."""
    scopes = [frame.scope] if frame.scope is not None else frame.entered[-1:]
    return scopes[0].name if scopes else ""


def error_of(result: Any | None) -> BaseException | None:
    """Return the exception a cell ended with, if any; no result means it was cancelled."""
    if result is None:
        from asyncio import CancelledError

        return CancelledError()
    found = result.error_in_exec if result.error_before_exec is None else result.error_before_exec
    return found if is_a(found, BaseException) else None
