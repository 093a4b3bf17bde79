"""A verdict in the files that CI systems show: JUnit XML, and a summary in Markdown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.console import say
from cvtrack_magics.redact import kind_and_line

if TYPE_CHECKING:
    from cvtrack_magics.release.gate import Verdict


def write_reports(verdict: Verdict, junit: str | None, summary: str | None) -> None:
    """Write the reports; one that cannot be written is told, and leaves no half of itself.

    Parameters
    ----------
    verdict : Verdict
        What is reported.
    junit, summary : str, optional
        The files of JUnit XML, and of Markdown, which is added to one that is there.
    """
    for file, report in ((junit, _junit), (summary, _summary)):
        try:
            if file:
                report(Path(file), verdict)
        except Exception as error:
            why = kind_and_line(error)
            say(f"cvtrack gate: the report {file} could not be written: {why}", sys.stderr)


def _junit(path: Path, verdict: Verdict) -> None:
    text = verdict.as_junit()
    if path.exists() and not path.is_file():  # a pipe or a device
        path.write_text(text, encoding="utf-8")
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _summary(path: Path, verdict: Verdict) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(verdict.as_markdown() + "\n")
