"""What a run needs of the place the code runs in: a notebook, a terminal or a script."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cvtrack_magics.console import say
from cvtrack_magics.secrets import printable
from cvtrack_magics.text import trace_of, visible

if TYPE_CHECKING:
    from cvtrack_magics.capture.code.cell_order import Saved
    from cvtrack_magics.capture.code.recipes import Executed
    from cvtrack_magics.capture.code.session import Cell


@dataclass(frozen=True, slots=True)
class CellFacts:
    """The cell a run is opened in; empty in a script."""

    source: str = ""
    execution_count: int = 0
    cell_id: str = ""


class Host(Protocol):
    """The surroundings of the user's code."""

    interactive_display: bool
    """True where rich output (HTML, widgets) is shown under the cell."""

    @property
    def has_page(self) -> bool:
        """Whether somebody may look at the cell while it runs."""

    def notebook(self) -> str:
        """Return the path of the notebook or script, or ``""``."""

    def cells(self) -> Sequence[Cell]:
        """Return every cell executed so far, in order, with its outputs."""

    def sources(self) -> Sequence[str]:
        """Return the sources of those cells, without their outputs."""

    def executed(self) -> Sequence[Executed]:
        """Return those cells with what each did to the user's names."""

    def key_of(self, cell: CellFacts) -> str:
        """Return what a cell is known by among those that were executed."""

    def saved(self) -> Saved:
        """Return the notebook's file as it was saved last, as far as it can be read."""

    def grown(self) -> frozenset[str]:
        """Return the names whose objects the running cell has changed in place so far."""

    def names(self) -> Mapping[str, Any]:
        """Return the user's names, as the running code has them."""

    def show(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Show an output under the running cell, to be updated later."""

    def update(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Replace an output shown before; callable from any thread."""

    def is_gone(self, display_id: str) -> bool:
        """Whether an output shown before was cleared away by code of the cell."""

    def show_again(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Show an output that was cleared away in its cell once more; from any thread."""

    def ended_by(self) -> BaseException | None:
        """Return what ends the code, where this process ends for it."""

    def say(self, text: str) -> None:
        """Show one plain line."""

    def line(self, text: str) -> None:
        """Show a line that the next one replaces, where that can be done; ``""`` clears it."""

    def start_figures(self) -> None:
        """Begin to collect the matplotlib figures that the cell shows."""

    def stop_figures(self) -> list[bytes]:
        """Return the figures shown since, each as a PNG."""


class ScriptHost:
    """A plain Python script: no cells, no rich display."""

    interactive_display = False
    has_page = True

    def __init__(self) -> None:
        self._figures_before: set[int] = set()

    def notebook(self) -> str:
        """Return the path of the script."""
        return sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c") else ""

    def cells(self) -> Sequence[Cell]:
        """Return nothing: a script has no cells."""
        return ()

    def sources(self) -> Sequence[str]:
        """Return nothing: a script has no cells."""
        return ()

    def executed(self) -> Sequence[Executed]:
        """Return nothing: a script has no cells."""
        return ()

    def key_of(self, cell: CellFacts) -> str:
        """Return nothing: a script has no cells."""
        del cell
        return ""

    def saved(self) -> Saved:
        """Return nothing: a script runs from top to bottom."""
        from cvtrack_magics.capture.code.cell_order import Saved

        return Saved()

    def grown(self) -> frozenset[str]:
        """Return nothing: a script has no cells."""
        return frozenset()

    def names(self) -> Mapping[str, Any]:
        """Return nothing: a script's names are its own."""
        return {}

    def show(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Print the text form."""
        del display_id
        self.say(str(bundle.get("text/plain", "")))

    update = show

    def is_gone(self, display_id: str) -> bool:
        """Return False: what is printed stays."""
        del display_id
        return False

    def show_again(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Do nothing."""

    def ended_by(self) -> BaseException | None:
        """Return what nobody caught in the script; a test runner's or a prompt's is no such."""
        error: BaseException | None = getattr(sys, "last_value", None)
        if error is None or hasattr(sys, "ps1") or sys.flags.interactive:
            return None
        frames = [frame for frame, _ in traceback.walk_tb(trace_of(error))]
        return error if any(one.f_globals.get("__name__") == "__main__" for one in frames) else None

    def say(self, text: str) -> None:
        """Print one line."""
        if text:
            say(text)

    def line(self, text: str) -> None:
        """Write over the terminal's last line."""
        write_over(text)

    def start_figures(self) -> None:
        """Note which figures are open already."""
        self._figures_before = set(open_figures())

    def stop_figures(self) -> list[bytes]:
        """Return the figures opened since and still open."""
        return [
            figure_png(number) for number in open_figures() if number not in self._figures_before
        ]


def encodable(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output with lone surrogates as escapes: no message can carry them."""
    return {k: printable(v) if isinstance(v, str) else v for k, v in bundle.items()}


def write_over(text: str) -> None:
    """Replace the line that a terminal's cursor is in; nothing where there is no terminal."""
    terminal = sys.__stderr__
    with suppress(OSError, ValueError):
        if terminal is not None and terminal.isatty():
            # below the stream, whose text is recorded as the run's output
            shown = f"\r\x1b[2K{visible(text)}".encode(terminal.encoding or "utf-8", "replace")
            os.write(terminal.fileno(), shown)


def open_figures() -> list[int]:
    """Return the numbers of pyplot's open figures, without importing pyplot."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return list(pyplot.get_fignums()) if pyplot is not None else []


def figure_png(number: int) -> bytes:
    """Return one of pyplot's open figures as a PNG."""
    import io

    figure = sys.modules["matplotlib.pyplot"].figure(number)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()
