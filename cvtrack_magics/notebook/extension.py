"""Loads the extension into a shell, and takes it out again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

from cvtrack_magics.capture.code import stale
from cvtrack_magics.commands.table import commands
from cvtrack_magics.config import CvTrack
from cvtrack_magics.notebook import completion
from cvtrack_magics.notebook.cells import CellHooks
from cvtrack_magics.notebook.host import ShellHost
from cvtrack_magics.notebook.magics import Magic
from cvtrack_magics.notebook.names import Names
from cvtrack_magics.notebook.run_magics import EndMagic, RunMagic, SkipMagic
from cvtrack_magics.notebook.sweep_magic import SweepMagic
from cvtrack_magics.run import current

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session


_OWN = {"mlrun": RunMagic, "mlend": EndMagic, "mlskip": SkipMagic, "mlsweep": SweepMagic}


class Extension:
    """What was put into a shell, so that all of it can be taken out."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.config = CvTrack(parent=shell)
        self.host = ShellHost(shell)
        self.names = Names(shell.user_ns)
        self.hooks = CellHooks(shell, self.host)
        self.stop_completing: Callable[[], None] = lambda: None
        self.replaced: dict[tuple[str, str], Any] = {}

    def load(self) -> None:
        """Register magics, hooks, settings and completion."""
        for name in commands():
            self._register(name)
        self.hooks.install()
        self.host.displays.install()
        if self.config.offer_names:
            self.names.load()
            self.hooks.mentioned = self.names.mentioned
        stale.install()
        self.shell.configurables.append(self.config)
        self.stop_completing = completion.answer(self.shell)
        current.use(self._make_session)
        if self.config.preload:
            current.prepare_soon()

    def _register(self, name: str) -> None:
        own = _OWN.get(name)
        magic = own(self.shell, self.hooks) if own else Magic(name, self.shell)
        manager = self.shell.magics_manager
        kinds = {"mlrun": ("line", "cell"), "mlsweep": ("cell",), "mlskip": ("cell",)}
        for kind in kinds.get(name, ("line",)):
            self.replaced[kind, name] = manager.magics[kind].get(name)
            manager.register_function(magic, magic_kind=kind, magic_name=name)

    def _make_session(self) -> Session:
        from cvtrack_magics.run.session import Session

        return Session(self.host, self.config)

    @property
    def kept_by_a_run(self) -> str:
        """Return the line that would take the extension out while a run needs it, or ``""``.

        It is not reloaded while a run is open, and not taken out by the cell that is one.
        """
        session = current.peek()
        if session is None or not session.scopes:
            return ""
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_name != "reload_extension":
            frame = frame.f_back
        if frame is not None:
            return "%reload_ext"
        return "%unload_ext" if self.hooks.is_in_a_run else ""

    def unload(self) -> None:
        """Give the shell back as it was; an open run is ended as KILLED."""
        session = current.peek()
        if session is not None:
            session.stop()
        current.use(None)
        self.hooks.remove()
        self.host.displays.remove()
        self.names.unload()
        stale.remove()
        if "cvtrack_magics.run.adapters" in sys.modules:
            from cvtrack_magics.run import adapters

            adapters.leave()
        if "cvtrack_magics.store.page" in sys.modules:
            from cvtrack_magics.store import page

            page.stop()
        for (kind, name), before in self.replaced.items():
            table = self.shell.magics_manager.magics[kind]
            if before is None:
                table.pop(name, None)
            else:
                table[name] = before
        with suppress(ValueError):
            self.shell.configurables.remove(self.config)
        self.stop_completing()
