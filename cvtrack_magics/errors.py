"""Our errors, each showing itself as a few plain lines instead of a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cvtrack_magics.text import visible


class CvtrackError(Exception):
    """What went wrong, and what to type instead.

    Parameters
    ----------
    problem : str
        One sentence that says what is wrong.
    hint : str, optional
        One sentence that says what to do about it.

    Notes
    -----
    IPython shows the lines of ``_render_traceback_`` and nothing else, so a
    notebook user reads one line; a script still gets a normal exception.
    """

    label = ""

    def __init__(self, problem: str, hint: str = "") -> None:
        problem, hint = visible(problem), visible(hint)
        super().__init__(problem if not hint else f"{problem} {hint}")
        self.problem = problem
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        said = f"{self.problem} → {self.hint}" if self.hint else self.problem
        return [f"{self.label or type(self).__name__}: {said}"]


class UsageProblem(CvtrackError, ValueError):
    """An argument that cannot be used as it was given."""

    label = "UsageError"  # IPython's own word for it


class NotIdentified(UsageProblem):
    """Data whose identity cannot be told, which a run says in place of a digest.

    Parameters
    ----------
    what : str
        The kind of data.
    reason : str
        Why, as the words after "because".
    hint : str, optional
        What to give instead.
    """

    def __init__(self, what: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{what} was not identified, because {reason}.", hint)
        self.what = what
        self.reason = reason


class StoreUnavailable(CvtrackError):
    """The tracking store cannot be reached, read or written.

    ``answered`` is true where the store did answer, and answered no: asking again changes
    nothing until its cause is gone.
    """

    answered = False


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known word, or ``""``.

    Parameters
    ----------
    word : str
        What was typed.
    known : iterable of str
        What would have been accepted.
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
