"""The verdict of a gate: one row for each rule, kept as JSON and shown in three ways."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from cvtrack_magics.artifacts.codec import plain, read
from cvtrack_magics.errors import UnreadableArtifact, UsageProblem
from cvtrack_magics.text import json_object


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one rule.

    Attributes
    ----------
    rule : str
        As it was written.
    wanted, got : str
        What it demands and what was found; ``got`` is empty for nothing.
    margin : float or None
        By how much it holds, negative where it does not; None where that has no number.
    passed : bool
        Whether it holds.
    why : str
        The reason where it does not.
    """

    rule: str
    wanted: str
    got: str
    margin: float | None
    passed: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger beside the champion, on the same held-out data.

    Attributes
    ----------
    metric, better : str
        What was compared; ``higher`` or ``lower`` is better.
    champion : str
        The champion's label.
    challenger_value, champion_value : float
        Of the metric.
    difference, low : float
        Challenger less champion, above 0 where the challenger is better; and what it surely
        exceeds.
    margin, confidence : float
        What ``low`` must exceed, and how surely.
    samples, resamples : int
        Held-out samples; resamples that both have, 0 of a mean of per-sample scores.
    method : str
        How ``low`` was found.
    data_sha256 : str
        What both were measured on.
    candidates : int
        How many runs were measured on it that could have been chosen, the challenger counted.
    """

    metric: str
    better: str
    champion: str
    challenger_value: float
    champion_value: float
    difference: float
    low: float
    margin: float
    confidence: float
    samples: int
    resamples: int
    method: str
    data_sha256: str
    candidates: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate passes, and why.

    Attributes
    ----------
    candidate : str
        Its label.
    run_id, model, version : str
        The run, and the registered model and version where there is one.
    when : int
        Unix milliseconds.
    who, commit : str
        Who judged, and the code that the candidate was trained with.
    rows : tuple of Row
        One for each rule, the champion's last.
    comparison : Comparison or None
        None where there was no champion, or none that could be compared.
    """

    SCHEMA: ClassVar[int] = 1
    SCHEMA_KEY: ClassVar[str] = "format"

    candidate: str
    run_id: str
    model: str
    version: str
    when: int
    who: str
    commit: str
    rows: tuple[Row, ...]
    comparison: Comparison | None = None

    @property
    def passed(self) -> bool:
        """Every rule holds; a verdict without rules is none."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules as they were written."""
        return tuple(row.rule for row in self.rows)

    def to_json(self) -> str:
        """Return all of it as JSON, ``passed`` beside it for those who only read that."""
        kept = {"format": self.SCHEMA, "passed": self.passed, **plain(self)}
        return json.dumps(kept, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Return a verdict that was kept.

        Raises
        ------
        UsageProblem
            It is no verdict, of another format, or says passed where a row says otherwise.
        """
        kept = json_object(text)
        if kept.get("format", cls.SCHEMA) != cls.SCHEMA:
            raise UsageProblem(
                "The verdict was written in another format.", "Judge the version again."
            )
        try:
            made = read(cls, "This", text)
        except UnreadableArtifact:
            raise UsageProblem(
                "This is no verdict of a gate.", "Judge the version again."
            ) from None
        if made.passed is not kept.get("passed"):
            raise UsageProblem(
                "The verdict says one thing and its rows another.", "Judge the version again."
            )
        return made

    def as_text(self) -> str:
        """Return it for a terminal, in aligned lines."""
        from cvtrack_magics.release.gate.render import as_text

        return as_text(self)

    def as_markdown(self) -> str:
        """Return it as GitHub-flavoured Markdown, for the summary of a CI job."""
        from cvtrack_magics.release.gate.render import as_markdown

        return as_markdown(self)

    def as_junit(self) -> str:
        """Return it as JUnit XML, one test case for each rule."""
        from cvtrack_magics.release.gate.render import as_junit

        return as_junit(self)
