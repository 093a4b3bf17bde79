"""Commands that a cell gives to the system's shell: which of them failed.

IPython runs ``!python train.py``, sets ``_exit_code`` and goes on, whatever that is. A training
that ended so is none that finished.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvtrack_magics.errors import CvtrackError

SHOWN = 100  # characters of a command that are said
INTERRUPTED = (-2, 130)  # what a command that Ctrl-C ended exits with


class CommandFailed(CvtrackError):
    """A command of the system's shell that ended with an exit code other than zero.

    Parameters
    ----------
    command : str
        The command.
    code : int
        Its exit code; a negative one is the signal that ended it.
    """

    label = "Command failed"

    def __init__(self, command: str, code: int) -> None:
        shown = command if len(command) <= SHOWN else f"{command[: SHOWN - 1]}…"
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"!{shown} {how}.", "With '|| true' behind it the run does not fail.")
        self.code = code


class ShellCommands:
    """Follows the commands that cells give to the shell.

    Parameters
    ----------
    shell : InteractiveShell
        Whose ``system`` runs them.
    failed : callable
        Told of each that failed: :class:`CommandFailed`, or ``KeyboardInterrupt`` where Ctrl-C
        ended it.
    """

    def __init__(self, shell: Any, failed: Callable[[BaseException], None]) -> None:
        self._shell = shell
        self._failed = failed
        self._plain: Callable[[str], Any] | None = None
        self._had_own = False

    def install(self) -> None:
        """Follow them from now on."""
        self._had_own = "system" in vars(self._shell)
        self._plain = self._shell.system
        self._shell.system = self._system

    def remove(self) -> None:
        """Give the shell back as it was, unless somebody wrapped it after us."""
        if vars(self._shell).get("system") != self._system or self._plain is None:
            return
        if self._had_own:
            self._shell.system = self._plain
        else:
            del self._shell.system

    def _system(self, command: str) -> Any:
        assert self._plain is not None
        names = self._shell.user_ns
        result = self._plain(command)
        code = names.get("_exit_code")
        if isinstance(code, int) and code != 0:
            interrupted = code in INTERRUPTED
            self._failed(KeyboardInterrupt() if interrupted else CommandFailed(command, code))
        return result
