"""Our errors, each showing itself as a few plain lines instead of a traceback.

All of them are importable from ``cvtrack_magics``::

    CvtrackError              every error of this package
    ├── UsageProblem          an argument that cannot be used (a ``ValueError``, too)
    │   └── NotIdentified     data whose identity cannot be told
    ├── StoreUnavailable      the tracking store cannot be reached, read or written
    ├── UnreadableArtifact    a file of a run that is not what it should be
    ├── ImpureModel           a model whose answers are no function of its inputs
    ├── ExportRefused         a model that was not exported
    ├── QuantizationRefused   a model in fewer bits that loses too much
    ├── NotAsMeasured         a model that answers something else than was measured
    ├── FilesAltered          files of a version that are not those registered
    ├── ChecklistNotMet       items of a checklist that are not met
    ├── GateRefused           a version that did not pass the gate
    └── PromotionError        a promotion that did not take place
        ├── PromotionConflict the champion is no longer the one that was judged against
        ├── PromotionBusy     another promotion of the model is under way
        └── PromotionLost     this process paused so long that others may have gone on
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cvtrack_magics.text import cause_of, context_of, visible


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
    shown: Any = None
    """What a notebook shows above the error: the table of a verdict, the report of an export."""

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


class UnreadableArtifact(CvtrackError):
    """A file of a run is not what it should be.

    Attributes
    ----------
    path : str
        The file, below the run's artifact folder.
    field : str
        The field, ``interval.low``; ``""`` where it is the file as a whole.
    """

    def __init__(self, path: str, field: str, what: str) -> None:
        where = f"{path}: {field}: {what}" if field else f"{path} {what}"
        super().__init__(f"{where}.", "Make it again, or use the release that wrote it.")
        self.path = path
        self.field = field


class ImpureModel(CvtrackError):
    """The model is no function of its inputs.

    Attributes
    ----------
    layer : str
        Where, if known.
    checks : tuple of cvtrack_magics.release.export.Check
        Those that failed.
    """

    def __init__(
        self, problem: str, hint: str, layer: str = "", checks: Sequence[Any] = ()
    ) -> None:
        super().__init__(problem, hint)
        self.layer = layer
        self.checks = tuple(checks)


class ExportRefused(CvtrackError):
    """A model was not exported; nothing is left on disk.

    Attributes
    ----------
    report : cvtrack_magics.release.export.Report
        Why, where, and what to try.
    """

    def __init__(self, report: Any) -> None:
        where = f" In {report.layer}." if report.layer else ""
        super().__init__(
            f"Not exported to {report.format}: {report.problem}{where}",
            report.tries[0] if report.tries else "",
        )
        self.report = report


class QuantizationRefused(CvtrackError):
    """A model in fewer bits was not kept: it loses too much, or nobody can tell.

    Attributes
    ----------
    tries : tuple of str
        What was tried, and what it lost.
    """

    def __init__(
        self,
        precision: str,
        allowed: float,
        tries: tuple[str, ...],
        samples: int,
        *,
        undecided: bool,
    ) -> None:
        first = tries[0] if tries else "nothing could be tried"
        if undecided:
            problem = f"{samples} held-out samples cannot show that it loses less than {allowed:g}"
            hint = "Give more held-out samples, or allow more: --allow."
        else:
            problem = f"it loses more than {allowed:g}, whichever layers are left out"
            hint = "Calibrate with more training samples, or train with quantisation in mind."
        super().__init__(f"Not kept as {precision}: {problem}: {first}.", hint)
        self.tries = tries


class NotAsMeasured(CvtrackError):
    """The model answers something else, as it would be served, than was measured."""


class FilesAltered(CvtrackError):
    """A version's files are not those that were registered."""


class ChecklistNotMet(CvtrackError):
    """Items of a checklist are not met."""


class GateRefused(CvtrackError):
    """A version did not pass the gate.

    Attributes
    ----------
    verdict : cvtrack_magics.release.gate.Verdict
        Each rule, what it wanted and what it got.
    """

    def __init__(self, verdict: Any) -> None:
        failed = [row for row in verdict.rows if not row.passed]
        reasons = "; ".join(f"{row.rule}: {row.why or row.got}" for row in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        super().__init__(f"{verdict.candidate} did not pass: {reasons}{more}.")
        self.verdict = verdict


class PromotionError(CvtrackError):
    """A promotion did not take place."""


class PromotionConflict(PromotionError):
    """The champion is no longer the one that the verdict was made against."""


class PromotionBusy(PromotionError):
    """Another promotion of the same model did not come to its end in time."""


class PromotionLost(PromotionError):
    """The process paused so long that others may have gone on without it."""


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


def chain_of(error: BaseException | None, *, causes_only: bool = False) -> Iterator[BaseException]:
    """Yield an error and what it came of; one that comes of itself has an end, too.

    Parameters
    ----------
    error : BaseException or None
        The last one.
    causes_only : bool
        Follow only what ``raise … from`` says.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        cause = cause_of(error)
        error = context_of(error) if cause is None and not causes_only else cause
