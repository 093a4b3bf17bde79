"""An experiment to send around: its runs, and why the best of them differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.display import theme
from cvtrack_magics.display.comparison_view import Comparison
from cvtrack_magics.display.document import document
from cvtrack_magics.display.runs_table import RunsTable
from cvtrack_magics.display.text import html_text, plain

_SECTION = "margin-top:14px"
_NOTE = f"white-space:pre-wrap; color:{theme.MUTED}"
LONGEST = 4_000  # characters of what people wrote of an experiment


@dataclass(frozen=True)
class ExperimentReport:
    """What is said of an experiment; shows itself.

    Attributes
    ----------
    name : str
        The experiment's.
    about : str
        What people wrote of it, shown as it is.
    lines : tuple of str
        How many runs there are and which is best, one sentence each.
    table : RunsTable
        Its runs, the best first.
    best : Comparison or None
        The best ones beside each other.
    file : Path or None
        Where the page is.
    """

    name: str
    about: str
    lines: tuple[str, ...]
    table: RunsTable
    best: Comparison | None = None
    file: Path | None = None

    def page(self) -> str:
        """Return it as one HTML document that loads nothing."""
        return document(f"Experiment {self.name}", self._repr_html_())

    def __repr__(self) -> str:
        where = [f"Written to {self.file}."] if self.file else []
        said = [plain(line) for line in (f"Experiment {self.name!r}", *self.lines)]
        shown = [repr(self.table), *([repr(self.best)] if self.best is not None else [])]
        return "\n".join([*said, *shown, *where])

    def _repr_html_(self) -> str:
        about = f'<div style="{_NOTE}">{_lines(self.about[:LONGEST])}</div>' if self.about else ""
        said = "".join(f"<div>{html_text(line)}</div>" for line in self.lines)
        parts = [f"<h2>{html_text(self.name)}</h2>{about}{said}"]
        parts.append(f'<div style="{_SECTION}">{self.table._repr_html_()}</div>')
        if self.best is not None:
            parts.append(f'<div style="{_SECTION}">{self.best._repr_html_()}</div>')
        return "".join(parts)

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _lines(text: str) -> str:
    return "\n".join(html_text(line) for line in text.splitlines())
