"""The shell of a rank: the session's cells, and magics that leave the run to the notebook."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from cvtrack_magics import forks
from cvtrack_magics.commands.table import commands
from cvtrack_magics.config import CvTrack
from cvtrack_magics.notebook.cells import CELL_MAGIC, without_first_line
from cvtrack_magics.notebook.magics import Magic
from cvtrack_magics.notebook.names import Names
from cvtrack_magics.notebook.rank_process import TICK, failure_of
from cvtrack_magics.run import adapters, current
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.ranks.member import Board, Member
from cvtrack_magics.run.ranks.wire import BOARD, Wire
from cvtrack_magics.run.session import Session

EXTENSION = "cvtrack_magics"
OF_THE_NOTEBOOK = frozenset(
    ("mlrun", "mlend", "mlskip", "mlexperiment", "mlautolog", "mlui", "mlsync", "mlreplay")
)
"""Magics that do nothing in a rank: the notebook has done it."""
PLAIN_LIMIT = 1_000_000  # characters of JSON
_SHELLS = frozenset(("In", "Out", "exit", "quit"))
_OURS = re.compile(r"%%(?:mlrun|mlskip)\b")


class RankShell:
    """Executes a rank's cells.

    Parameters
    ----------
    wire : Wire
        To the notebook.
    rank : int
        Which it is.
    folder : Path
        That of all ranks.
    asked : mapping
        What is executed: ``cells``, ``cell`` and settings.
    meet : callable
        Given the member once it is there.
    """

    def __init__(
        self,
        wire: Wire,
        rank: int,
        folder: Path,
        asked: Mapping[str, Any],
        meet: Callable[[Member], None],
    ) -> None:
        self._wire = wire
        self._rank = rank
        self._asked = asked
        self._shown: list[str] = []
        self._is_over = forks.event()
        self.shell = self._made()
        self.config = CvTrack(parent=self.shell, **dict(asked.get("config", {})))
        self.shell.configurables.append(self.config)
        self.names = Names(self.shell.user_ns)
        current.use(lambda: Session(ScriptHost(), self.config))
        self.session = current.get_session()
        board, name = Board(folder / BOARD, rank), str(asked.get("name", ""))
        self.session.member = self.member = Member(self.session, wire, rank, board, name)
        meet(self.member)
        self._register()

    def _made(self) -> InteractiveShell:
        config = Config()
        config.HistoryManager.enabled = False  # the user's own history is what they typed
        colors = str(self._asked.get("colors", "nocolor"))
        with suppress(Exception):
            config.InteractiveShell.colors = colors
        shell = InteractiveShell.instance(config=config)
        shell._showtraceback = self._keep_traceback
        for name in ("ps1", "ps2", "ps3"):  # libraries ask for it: nobody types here
            if hasattr(sys, name):
                delattr(sys, name)
        sys.path[:] = [str(one) for one in self._asked.get("path", sys.path)]
        shell.execution_count = int(self._asked.get("count", 1))
        return shell

    def _keep_traceback(self, kind: object, value: object, lines: list[str]) -> None:
        del kind, value
        self._shown = list(lines)

    def _register(self) -> None:
        shell = self.shell
        for name in commands():
            magic = _nothing if name in OF_THE_NOTEBOOK else self._quietly(Magic(name, shell))
            shell.magics_manager.register_function(magic, magic_kind="line", magic_name=name)
        for name in ("load_ext", "reload_ext", "unload_ext"):
            plain = shell.find_line_magic(name)
            shell.magics_manager.register_function(
                _but_ours(plain), magic_kind="line", magic_name=name
            )
        shell.input_transformer_manager.line_transforms.insert(0, _without_ours)
        if self.config.offer_names:
            self.names.load()

    def _quietly(self, magic: Magic) -> Callable[[str], Any]:
        def act(line: str) -> Any:
            """Do what a line says; rank 0 alone shows what came of it, and in the run's cell."""
            if self._rank == 0 and self.member.is_recording:
                return magic(line)
            with redirect_stdout(io.StringIO()):
                return magic(line)

        return act

    # -- executing

    def run(self) -> dict[str, Any]:
        """Execute the cells; return what the notebook is told of the end."""
        with redirect_stdout(io.StringIO()):  # the notebook has shown it
            for source in self._asked.get("cells", ()):
                failed = self._execute(str(source))
                if failed is not None:
                    failed["shown"] = [*failed["shown"], "(in a cell that this one depends on)"]
                    return failed
        self._begin()
        before = {name: (value, _text(value)) for name, value in self.shell.user_ns.items()}
        try:
            failed = self._execute(str(self._asked.get("cell", "")))
            if failed is None and self._rank == 0:
                self._wire.send(names=self._names_since(before))
        finally:
            self._end()
        return failed or {"ended": "done"}

    def _execute(self, source: str) -> dict[str, Any] | None:
        if self.config.offer_names:
            self.names.mentioned(source)
        is_seen = self._rank == 0 and self.member.is_recording
        result = self.shell.run_cell(source, store_history=False, silent=not is_seen)
        error = result.error_before_exec or result.error_in_exec
        is_well = error is None or outcome_of(error) == "FINISHED"
        return None if is_well else failure_of(error, self._shown)

    def _begin(self) -> None:
        """Let what is executed from now on be the run's."""
        seed = self._asked.get("seed")
        if isinstance(seed, int):
            deterministic = bool(self._asked.get("deterministic"))
            self.session.seeding.apply(seed, deterministic=deterministic)
        if self._asked.get("auto") and self._rank == 0:
            adapters.follow()
        self.member.is_recording = True
        threading.Thread(target=self._tell, daemon=True).start()

    def _end(self) -> None:
        self._is_over.set()
        with suppress(OSError):
            self._tell_bars([])
            self._tell_usage()
        self.member.is_recording = False

    # -- what is told beside

    def _tell(self) -> None:
        """Tell how far the loops are and what is used, until the cell's end."""
        interval, waited, told = self.config.usage_interval, 0.0, None
        with suppress(OSError):
            while not self._is_over.wait(TICK):
                bars = self.member.bars()
                if self._rank == 0 and bars != told:
                    self._tell_bars(bars)
                    told = bars
                waited += TICK
                if waited >= interval:
                    waited = 0.0
                    self._tell_usage()

    def _tell_bars(self, bars: list[dict[str, Any]]) -> None:
        if self._rank == 0:
            self._wire.send(bars=bars)

    def _tell_usage(self) -> None:
        if self.config.record_usage:
            self._wire.send(usage=self.session.machine.usage(self.config.usage_interval))

    def _names_since(self, before: Mapping[str, tuple[Any, str | None]]) -> dict[str, Any]:
        """Return the names that the cell has set: plain values, and which ones are none."""
        plain: dict[str, Any] = {}
        left: list[str] = []
        room = PLAIN_LIMIT
        for name, value in list(self.shell.user_ns.items()):
            known, earlier = before.get(name, (_nothing, None))
            text = _text(value)
            if name.startswith("_") or name in _SHELLS or (known is value and text == earlier):
                continue
            if text is not None and len(text) <= room:
                plain[name] = value
                room -= len(text)
            elif not isinstance(value, (ModuleType, FunctionType, type)):
                left.append(name)
        return {"plain": plain, "left": left}


def _text(value: object) -> str | None:
    """Return a value as JSON; None where that does not give back what it was given."""
    with suppress(RecursionError, ValueError):  # a list that has itself
        return json.dumps(value) if _is_plain(value) else None
    return None


def _is_plain(value: object) -> bool:
    """Whether JSON gives back what it was given."""
    if value is None or type(value) in (bool, int, float, str):
        return True
    if type(value) is list:
        return len(value) < PLAIN_LIMIT and all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return False


def _nothing(line: str, cell: str | None = None) -> None:
    """Leave to the notebook what is the notebook's."""
    del line, cell


def _but_ours(plain: Callable[[str], Any]) -> Callable[[str], Any]:
    def load(line: str) -> Any:
        """Load an extension; ours is here already."""
        return None if line.split()[:1] == [EXTENSION] else plain(line)

    return load


def _without_ours(lines: list[str]) -> list[str]:
    """Leave out the first line that makes a cell a run, or keeps it from the ranks."""
    if lines and _OURS.match(lines[0]) and CELL_MAGIC.match(lines[0].rstrip("\r\n")):
        return without_first_line(lines)
    return lines
