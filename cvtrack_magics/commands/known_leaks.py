"""What ``%mleval`` says where the training set has some of the samples that it measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvtrack_magics.display.text import number

if TYPE_CHECKING:
    from cvtrack_magics.artifacts.slices import Slice
    from cvtrack_magics.capture.pictures.leaked import CheckedAgainst
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class KnownLeaks:
    """Predictions whose leaked samples are marked, as far as they are known.

    Attributes
    ----------
    predictions : Predictions
        With the column ``leaked`` where the set has leaked samples among them.
    by : tuple of str
        That column, or nothing.
    checked : CheckedAgainst or None
        The set with leaked samples that these should be of; None where none is known.
    """

    predictions: Predictions
    by: tuple[str, ...] = ()
    checked: CheckedAgainst | None = None

    def notes(self, found: Evaluation, slices: Sequence[Slice], digits: int) -> Iterator[str]:
        """Yield what the headline is without the leaked samples, with both intervals.

        Parameters
        ----------
        found : Evaluation
            Of all samples.
        slices : sequence of Slice
            Its parts, those by the column among them.
        digits : int
            Significant digits.
        """
        if self.checked is None:
            return
        other, count = self.checked.other, self.checked.leaked
        if not self.by:
            yield (
                f"{count:,} pictures of {self.checked.name} are in {other} too, but which of these "
                "samples they are is not known: say it by about={'leaked': [True, False, ...]}."
            )
            return
        column = self.predictions.about[self.by[0]]
        count = sum(map(bool, column))
        without = next((s for s in slices if (s.column, s.value) == (self.by[0], "no")), None)
        if without is None:
            yield f"All {count:,} samples are in {other} too: this says nothing of new pictures."
            return
        name = found.headline
        interval = None if found.interval is None else (found.interval.low, found.interval.high)
        own = without.measured.interval
        ends = None if own is None or own.low is None or own.high is None else (own.low, own.high)
        yield (
            f"{count:,} of {len(column):,} samples {'is' if count == 1 else 'are'} in {other} too. "
            f"{name} without: {_figure(without.measured.metrics.get(name), ends, digits)}; "
            f"with: {_figure(found.metrics.get(name), interval, digits)}."
        )


def known_leaks(predictions: Predictions, checked: CheckedAgainst | None) -> KnownLeaks:
    """Mark the samples that the training set has too.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    checked : CheckedAgainst or None
        The set that they are of, as it was checked.
    """
    from cvtrack_magics.tasks.leaked import COLUMN, leaked_rows

    if checked is None or not checked.leaked:
        return KnownLeaks(predictions)
    if COLUMN in predictions.about:  # the user's own word
        return KnownLeaks(predictions)
    rows = leaked_rows(predictions, checked)
    if rows is None:
        return KnownLeaks(predictions, (), checked)
    if not any(rows):
        return KnownLeaks(predictions)
    return KnownLeaks(predictions.with_about({COLUMN: rows}), (COLUMN,), checked)


def _figure(value: float | None, ends: tuple[float, float] | None, digits: int) -> str:
    text = "none" if value is None else number(value, digits)
    if ends is None:
        return f"{text} (too few samples for an interval)"
    return f"{text} [{number(ends[0], digits)}, {number(ends[1], digits)}]"
