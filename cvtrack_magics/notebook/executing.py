"""Runs the cells of a notebook, or of a script with cells, as they are meant: magics and all."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.console import say
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.notebook.parameters import FIRST_LINE
from cvtrack_magics.programs import Program
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.variables import variables

EXTENSION = "cvtrack_magics"
_WORDS = {"true": True, "false": False, "null": None, "none": None}
INTERRUPTED = 130  # as shells count what Ctrl-C has ended


@dataclass(frozen=True, slots=True)
class Given:
    """A cell of code, as its file has it.

    ``tags`` are those of notebooks: ``parameters``, ``skip-execution``, ``raises-exception``.
    """

    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a file's cells ended: the exit code, and a line where not all of them ran."""

    code: int
    why: str = ""


def cells_of(path: Path) -> list[Given]:
    """Return the cells of code of a notebook (.ipynb) or script (.py, .md, …).

    Raises
    ------
    CvtrackError
        When the file cannot be read, or is not of Python.
    """
    try:
        import jupytext
    except ImportError:
        raise CvtrackError(
            "Notebooks and scripts are read by jupytext, which is not installed.",
            "pip install jupytext",
        ) from None
    try:
        notebook = jupytext.read(path)
    except FileNotFoundError:
        raise CvtrackError(f"There is no file {path}.") from None
    except Exception as error:
        raise CvtrackError(f"{path} cannot be read as a notebook: {kind_and_line(error)}") from None
    language = notebook.metadata.get("kernelspec", {}).get("language") or "python"
    if language != "python":
        raise CvtrackError(f"{path} is a notebook of {language}; only Python's are run.")
    return [
        Given(str(cell.source), frozenset(map(str, cell.metadata.get("tags", ()))))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def value_of(text: str) -> Any:
    """Return what a parameter's text says: a Python literal, true, false, null, or itself."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def parameters_of(said: Sequence[str]) -> dict[str, Any]:
    """Return what ``-p NAME=VALUE`` says; raises :class:`UsageProblem`."""
    found = {}
    for text in said:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise UsageProblem(f"-p {text} is not of the form NAME=VALUE.", "Say -p lr=0.1.")
        found[name] = value_of(value)
    return found


def with_parameters(cells: Sequence[Given], values: Mapping[str, Any]) -> list[Given]:
    """Put a cell of parameters behind the one that has their defaults, as papermill does."""
    if not values:
        return list(cells)
    lines = [FIRST_LINE, *(f"{name} = {value!r}" for name, value in values.items())]
    mine = Given("\n".join(lines) + "\n", frozenset(["injected-parameters"]))
    rest = [cell for cell in cells if "injected-parameters" not in cell.tags]
    at = next((n for n, cell in enumerate(rest, 1) if "parameters" in cell.tags), 0)
    return [*rest[:at], mine, *rest[at:]]


def execute(path: Path, values: Mapping[str, Any]) -> Ended:
    """Run a file's cells in a shell of this process, up to the first that fails.

    Parameters
    ----------
    path : Path
        A notebook or script.
    values : mapping of str to object
        Parameters, set behind the cell that is tagged ``parameters``.
    """
    cells = with_parameters(cells_of(path), values)
    with _place_of(path):
        shell = _shell(path)
        if not any(f"load_ext {EXTENSION}" in cell.source for cell in cells):
            shell.run_line_magic("load_ext", EXTENSION)
        for number, cell in enumerate(cells, 1):
            if "skip-execution" in cell.tags or not cell.source.strip():
                continue
            result = shell.run_cell(cell.source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            if error is None or "raises-exception" in cell.tags:
                continue
            return _ended_by(error, number, len(cells))
    return Ended(0)


def execute_apart(file: str, parameters: Sequence[str]) -> int:
    """Run a file's cells in a process of their own, for one that has a session; return its code.

    What it prints comes through this process's streams, wherever a notebook shows those.
    """
    said = [word for one in parameters for word in ("-p", one)]
    running = Program(
        [sys.executable, "-m", EXTENSION, "exec", file, *said],
        env={**variables(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with running:
        for line in running.stdout or ():
            say(line.decode("utf-8", "replace").rstrip("\r\n"))
    return running.returncode if running.returncode >= 0 else 128 - running.returncode


def _ended_by(error: BaseException, number: int, of: int) -> Ended:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return Ended(code, str(error.code) if isinstance(error.code, str) else "")
    code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    what = "was interrupted" if code == INTERRUPTED else f"failed ({type(error).__name__})"
    left = "" if number == of else "; those after it were not run"
    return Ended(code, f"Cell {number} of {of} {what}{left}.")


def _shell(path: Path) -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False  # the user's own history is what they typed
    if not sys.stdout.isatty():
        config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    shell.user_ns["__file__"] = str(path)
    return shell


@contextmanager
def _place_of(path: Path) -> Iterator[None]:
    """Let modules beside the file be found, and its runs know whose they are."""
    whole = path.resolve()
    argv, name = sys.argv, os.environ.get("JPY_SESSION_NAME")
    sys.argv, os.environ["JPY_SESSION_NAME"] = [str(path)], str(whole)
    sys.path.insert(0, str(whole.parent))
    try:
        yield
    finally:
        sys.argv = argv
        sys.path.remove(str(whole.parent))
        if name is None:
            os.environ.pop("JPY_SESSION_NAME", None)
        else:
            os.environ["JPY_SESSION_NAME"] = name
