"""Puts the commands into a shell as magics."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from cvtrack_magics.commands.definition import Command, Typed
from cvtrack_magics.commands.show_lines import show
from cvtrack_magics.commands.table import commands
from cvtrack_magics.console import say
from cvtrack_magics.errors import CvtrackError

_SHOWS_ITSELF = ("_repr_mimebundle_", "_repr_html_", "_ipython_display_")


class Magic:
    """A command as a shell calls it; its module is imported when it is first used.

    Parameters
    ----------
    name : str
        The command.
    shell : InteractiveShell
        Whose names its words mean.
    """

    def __init__(self, name: str, shell: Any) -> None:
        self.__name__ = name
        self.shell = shell

    def __init_subclass__(cls) -> None:
        # the words of a class are not the page of its magic
        setattr(cls, "__doc__", Magic.__dict__["__doc__"])  # noqa: B010

    @property
    def command(self) -> Command:
        """What it calls."""
        return commands()[self.__name__]

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.command.parser.page

    @property
    def _ipython_magic_no_var_expand(self) -> bool:
        return self.command.needs_names

    def __call__(self, line: str) -> Any:
        """Do what a line says."""
        return run(self.command, self.command.read(line, self.shell.user_ns))


def run(command: Command, typed: Typed) -> Any:
    """Call a command as a line says, and show what it gives; of a refusal, what it shows."""
    try:
        with ExitStack() as bars:
            typed.values.update(_progress(command, typed, bars))
            result = command.perform(typed) if command.perform else command.call(typed.values)
    except CvtrackError as error:
        if error.shown is not None:
            show(error.shown)
        raise
    if command.returns:
        return result
    (command.present or present)(result)
    return None


def present(result: Any) -> None:
    """Show a result that shows itself, and print any other."""
    if result is None:
        return
    if any(hasattr(result, name) for name in _SHOWS_ITSELF):
        show(result)
    else:
        say(result)


def _progress(command: Command, typed: Typed, bars: ExitStack) -> dict[str, Any]:
    from cvtrack_magics.display.work_bar import WorkBar

    found = {}
    for name, arg in command.args.items():
        if arg.bar is not None:
            what = arg.bar.what.format(**{"value": "", **typed.words})
            bar = WorkBar(what, sys.stderr, arg.bar.unit, arg.bar.scale)
            found[name] = bars.enter_context(bar).update
    return found
