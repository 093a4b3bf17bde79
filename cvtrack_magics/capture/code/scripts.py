"""Source files that a cell runs without importing them: ``%run``, ``!python``, ``exec``."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.artifacts.paths import SCRIPTS
from cvtrack_magics.capture.code.executed import executed_in, files_of_functions
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.records import Artifact, Notice, Record

MOST = 10
LARGEST = 1_000_000  # bytes of a script that is kept

_SUFFIXES = (".py", ".ipy", ".ipynb", ".sh")
_COMMAND = re.compile(r"^\s*(?:\w+\s*=\s*)?(?P<sign>!{1,2}|%run\s|%sx\s)(?P<words>.+)$")
_AS_MODULE = re.compile(r"(?:^|\s)-m\s+(?P<name>[\w.]+)")
_RUN_MODULE = re.compile(r"run_module\(\s*[\"'](?P<name>[\w.]+)[\"']")


def script_records(
    source: str, folder: Path | None = None, names: Mapping[str, Any] | None = None
) -> list[Record]:
    """Return the scripts that a cell runs, as they are now.

    Parameters
    ----------
    source : str
        The cell.
    folder : Path, optional
        What relative paths are relative to; default the working folder.
    names : mapping, optional
        The notebook's names, some of which may name a file or hold a text that is executed.

    Returns
    -------
    list of Record
        An artifact a script, under ``code/scripts/``; a notice where one is too large, or
        where there are more.
    """
    home = (folder or Path.cwd()).resolve()
    executed = executed_in(source, names or {})
    wanted = dict.fromkeys([*_named(source, home), *executed.files, *executed.mentioned])
    records = _files(dict.fromkeys((home / name).resolve() for name in wanted), home)
    for name, text in executed.texts.items():
        if len(text) <= LARGEST:
            records.append(Artifact(f"{SCRIPTS}/executed_{name}.py", text))
    return records


def unkept(source: str, names: Mapping[str, Any], kept: Container[str]) -> list[Record]:
    """Return a notice of what a cell has executed and nobody knows; none where all is known.

    ``kept`` are the paths of the artifacts that the run has.
    """
    executed, home = executed_in(source, names), Path.cwd().resolve()
    paths = ((name, (home / name).resolve()) for name in executed.files)
    gone = [n for n, p in paths if not p.is_file() and f"{SCRIPTS}/{_shown(p, home)}" not in kept]
    said = list(dict.fromkeys([*executed.unknown, *gone]))
    if not said:
        return []
    listed = f"{', '.join(said[:3])}{f' and {len(said) - 3} more' if len(said) > 3 else ''}"
    return [
        Notice(
            f"Not kept: the source that was executed by {listed}, for it is not on disk or its "
            "name is known only while the cell runs. Import it from a file."
        )
    ]


def compiled_records(names: Mapping[str, Any], kept: set[str]) -> list[Record]:
    """Return the files that functions of the notebook were compiled from and nobody has kept.

    Parameters
    ----------
    names : mapping
        The notebook's names.
    kept : set of str
        Paths of files whose text is recorded already.
    """
    files = [Path(path).resolve() for path in files_of_functions(names)]
    return _files(dict.fromkeys(p for p in files if str(p) not in kept), Path.cwd().resolve())


def _files(paths: Mapping[Path, None], home: Path) -> list[Record]:
    records: list[Record] = []
    there = [path for path in paths if _is_own_file(path)]
    if len(there) > MOST:
        more = ", ".join(path.name for path in there[MOST : MOST + 4])
        records.append(
            Notice(f"Not kept: {len(there) - MOST} scripts of more than {MOST}: {more}.")
        )
    for path in there[:MOST]:
        try:
            if path.stat().st_size > LARGEST:
                records.append(
                    Notice(f"Not kept: {path.name}, a script of more than {LARGEST:,} bytes.")
                )
                continue
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):  # not ours to read, or no text
            continue
        records.append(Artifact(f"{SCRIPTS}/{_shown(path, home)}", text))
    return records


def _named(source: str, home: Path) -> Iterator[str]:
    """Yield what the lines of a cell name that looks like a script."""
    for line in source.splitlines():
        command = _COMMAND.match(line)
        if command is not None:
            yield from _scripts_among(command["words"])
            module = _AS_MODULE.search(command["words"])
            if module is not None:
                yield from _files_of_module(module["name"], home)
    for found in _RUN_MODULE.finditer(source):
        yield from _files_of_module(found["name"], home)


def _files_of_module(name: str, home: Path) -> Iterator[str]:
    """Yield the file of a module that is run, found as Python finds it; nothing is imported."""
    below = Path(*name.split("."))
    for folder in (home, *map(Path, sys.path)):
        for path in (folder / f"{below}.py", folder / below / "__main__.py"):
            if path.is_file():
                yield str(path)
                return


def _is_own_file(path: Path) -> bool:
    try:
        return path.is_file() and not is_foreign(str(path))
    except (OSError, ValueError):
        return False


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
