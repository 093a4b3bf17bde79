"""Source files that a cell runs without importing them: ``%run``, ``!python``, ``runpy``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from cvtrack_magics.records import Artifact, Notice, Record

FOLDER = "code/scripts"
MOST = 10
LARGEST = 1_000_000  # bytes of a script that is kept

_SUFFIXES = (".py", ".ipy", ".ipynb", ".sh")
_COMMAND = re.compile(r"^\s*(?:\w+\s*=\s*)?(?P<sign>!{1,2}|%run\s|%sx\s)(?P<words>.+)$")
_RUN_PATH = re.compile(r"run_path\(\s*[rRbBuU]{0,2}(?P<quote>[\"'])(?P<path>[^\"'\n{}]+)(?P=quote)")


def script_records(source: str, folder: Path | None = None) -> list[Record]:
    """Return the scripts that a cell runs, as they are now.

    Parameters
    ----------
    source : str
        The cell.
    folder : Path, optional
        What relative paths are relative to; default the working folder.

    Returns
    -------
    list of Record
        An artifact a script, under ``code/scripts/``; a notice where one is too large.
    """
    records: list[Record] = []
    home = (folder or Path.cwd()).resolve()
    for path in dict.fromkeys((home / name).resolve() for name in _named(source)):
        try:
            if not path.is_file() or len(records) == MOST:
                continue
            if path.stat().st_size > LARGEST:
                records.append(
                    Notice(f"Not kept: {path.name}, a script of more than {LARGEST:,} bytes.")
                )
                continue
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):  # not ours to read, or no text
            continue
        records.append(Artifact(f"{FOLDER}/{_shown(path, home)}", text))
    return records


def _named(source: str) -> Iterator[str]:
    """Yield what the lines of a cell name that looks like a script."""
    for line in source.splitlines():
        command = _COMMAND.match(line)
        if command is not None:
            yield from _scripts_among(command["words"])
    for found in _RUN_PATH.finditer(source):
        yield found["path"]


def _scripts_among(words: str) -> Iterator[str]:
    try:
        found = shlex.split(words, comments=True)
    except ValueError:  # a quote that is not closed
        found = words.split()
    for word in (one.rstrip(";") for one in found):
        if word.endswith(_SUFFIXES) and not set("{}$*") & set(word):
            yield str(Path(word).expanduser())


def _shown(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name
