"""One JSON document on standard output and nothing else there: an answer, or why there is none."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import asdict, is_dataclass
from typing import Any, TextIO

from cvtrack_magics.console import say, settle
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.redact import in_one_line, redact
from cvtrack_magics.text import kind_of

FORMAT = 1
OPTION = "--json"


class Answers:
    """Where the answer of a shell command goes.

    Parameters
    ----------
    words : list of str
        The line. With ``--json`` the answer is one JSON document.
    """

    def __init__(self, words: list[str]) -> None:
        self.command = words[0] if words else ""
        self.as_json = asks_for_json(words)
        self.stream: TextIO | None = sys.stdout

    def give(self, text: object) -> str:
        """Print the answer; return why it could not be printed, or nothing."""
        if self.stream is None:
            return "there is no standard output"
        return say(text, self.stream) or settle(self.stream)

    def give_up(self, error: BaseException, code: int) -> None:
        """Print why there is no answer, where a program reads it."""
        if self.as_json:
            self.give(failure(self.command, error, code))


@contextmanager
def answers(words: list[str]) -> Iterator[Answers]:
    """Let only a JSON answer reach standard output, whoever prints what meanwhile."""
    made = Answers(words)
    with ExitStack() as stack:
        if made.as_json and made.stream is not None:
            stack.enter_context(redirect_stdout(sys.stderr))
            with suppress(OSError, ValueError):
                made.stream = stack.enter_context(_apart(made.stream))
        yield made


@contextmanager
def _apart(stream: TextIO) -> Iterator[TextIO]:
    """Lead what code outside Python and child processes print to standard error, too."""
    if stream.fileno() != 1:  # a test's, or a host's that has a stream of its own
        yield stream
        return
    stream.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding=stream.encoding, errors=stream.errors) as own:
            yield own
            settle(own)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def asks_for_json(words: list[str]) -> bool:
    """Whether a line has the option, which argparse takes shortened, too."""
    return any(len(word) > 2 and OPTION.startswith(word) for word in words)


def failure(command: str, error: BaseException, code: int) -> str:
    """Return an error as a document."""
    known = isinstance(error, CvtrackError)
    said = {
        "kind": kind_of(error),
        "problem": redact(error.problem) if known else in_one_line(error),  # type: ignore[attr-defined]
        "hint": redact(error.hint) if known else "",  # type: ignore[attr-defined]
    }
    return document({"command": command, "exit_code": code, "error": said})


def document(facts: Mapping[str, Any]) -> str:
    """Return facts as a document of this format; what is no finite number is text."""
    return json.dumps({"format": FORMAT, **ready(facts)}, indent=1, allow_nan=False)


def ready(value: Any) -> Any:
    """Return JSON-ready data of dataclasses, mappings, sequences and plain values."""
    if is_dataclass(value) and not isinstance(value, type):
        return ready(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): ready(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [ready(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
