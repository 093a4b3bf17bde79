"""Why the ranks of a cell did not come to its end, as the notebook shows it."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.text import visible


@dataclass(frozen=True)
class Failure:
    """An exception that a rank's code ended with.

    Attributes
    ----------
    kind, message : str
        Its class, and its words.
    shown : tuple of str
        The lines that IPython shows of it.
    plain : str
        The traceback as text.
    """

    kind: str
    message: str
    shown: tuple[str, ...]
    plain: str

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> Failure:
        """Return what a rank has sent."""
        shown = tuple(map(str, sent.get("shown", ())))
        kind, message, plain = (str(sent.get(name, "")) for name in ("kind", "message", "plain"))
        return cls(kind, message, shown, plain)


class _InRank(Exception):
    """The traceback of another process, as the cause of the error that stands for it."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class RankFailed(Exception):
    """The error of a rank's code; its class has the name of that of the error."""

    lines: Sequence[str] = ()

    def _render_traceback_(self) -> list[str]:
        return list(self.lines)


class _Interrupted(KeyboardInterrupt):
    """An interrupt of the ranks; where the notebook waited for them says nothing."""

    def _render_traceback_(self) -> list[str]:
        return ["KeyboardInterrupt: the ranks were ended"]


_Interrupted.__name__ = "KeyboardInterrupt"


def interrupted() -> KeyboardInterrupt:
    """Return what a cell ends with whose ranks were interrupted."""
    return _Interrupted("the ranks were ended")


def unread(error: SyntaxError) -> RankFailed:
    """Return what a cell ends with that is no Python."""
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    return _named("SyntaxError", str(error), lines)


def _named(name: str, message: str, lines: Sequence[str]) -> RankFailed:
    error: RankFailed = type(name, (RankFailed,), {"__module__": "__main__"})(message)
    error.lines = lines
    return error


def error_of(rank: int, count: int, failure: Failure) -> BaseException:
    """Return what the cell ends with: what the rank's code ended with."""
    if failure.kind == "KeyboardInterrupt":
        return KeyboardInterrupt(f"in rank {rank}")
    name = failure.kind if failure.kind.isidentifier() else "RankFailed"
    message = f"{failure.message} (in rank {rank} of {count})".strip()
    lines = [*failure.shown, f"(in rank {rank} of {count}; the others were ended)"]
    error = _named(name, message, lines)
    error.__cause__ = _InRank(failure.plain)
    return error


def death_of(rank: int, code: int) -> CvtrackError:
    """Return what the cell ends with where a rank has ended without a word."""
    if code == -signal.SIGKILL:
        why = "was killed (SIGKILL)"
        hint = "Where nobody did so, memory ran out: fewer workers, or a smaller batch."
    elif code < 0:
        why = f"was ended by {_signal(-code)}"
        hint = "What it wrote last is above; python -X faulthandler says where it was."
    else:
        why, hint = f"ended with exit code {code}", "What it wrote last is above."
    return CvtrackError(f"Rank {rank} {why}; the others were ended.", hint)


def no_start(text: str) -> CvtrackError:
    """Return what the cell ends with where no rank came so far as to run."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    why = visible(lines[-1])[:300] if lines else "the launcher ended without a word"
    return CvtrackError(f"The ranks could not be started: {why}.", "Run the cell again.")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
