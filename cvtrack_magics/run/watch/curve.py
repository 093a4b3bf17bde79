"""One curve as its points come in: what of it is kept, and what is wrong with it.

Rules and where they are from: docs/watch.md. Nothing here knows a run; points may come in portions
of any size.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.display.text import number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

FIRST = 10
"""Points that say where a curve began."""
RECENT = 256
BLOCK, BLOCKS = 8, 256  # points of a median at first, and medians that are kept
LOST = 0.9
"""Share of what a loss had fallen by that it has lost again when it diverged."""
DEAD, DEAD_QUIET = 2000, 50  # points without a fall, of a noisy loss and of a quiet one
TWICE, SEVERAL = 2, 5  # values in a row that are no finite numbers
_LOSS = re.compile(r"loss|nll|perplexity|entropy|(^|[_/])(ce|bce|mse|mae)([_/]|$)", re.I)
_RIVALS = re.compile(
    r"(^|[_/.\- ])(g|d|gen|generator|disc|discriminator|adv|adversarial|actor|critic|policy|value"
    r"|kl|kld|entropy)(?=$|[_/.\- ]|\d)|loss_?[gd]\b",
    re.I,
)
_SCALED = re.compile(r"grad|scale|norm", re.I)


def falls(name: str) -> bool:
    """Whether a metric is a training's loss, which falls when all is well.

    Examples
    --------
    >>> [falls(n) for n in ("train/loss", "loss", "val/loss", "g_loss", "loss_D", "train/acc")]
    [True, True, False, False, False, False]
    """
    trained = role_of(name) in ("train", "")
    return trained and bool(_LOSS.search(name)) and not _RIVALS.search(name)


class Finite:
    """Whether a metric has become NaN or infinite.

    Parameters
    ----------
    name : str
        The metric's.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._loss = role_of(name) in ("train", "") and direction_of(name) == "min"
        self._most = SEVERAL if _SCALED.search(name) else TWICE
        self._good = self._row = 0
        self._since: tuple[int, float] = (0, 0.0)
        self._gaps = False

    def take(self, steps: Any, values: Floats) -> str:
        """Take points; return a line where the metric is no number any more."""
        import numpy as np

        good = np.isfinite(values)
        if good.all():
            self._gaps |= bool(self._row)
            self._good, self._row = self._good + len(values), 0
            return ""
        for at, fine in enumerate(good.tolist()):
            if fine:
                self._gaps |= bool(self._row)
                self._good, self._row = self._good + 1, 0
                continue
            if not self._row:
                self._since = (int(steps[at]), float(values[at]))
            self._row += 1
            if self._row >= self._most and self._tells():
                return self._said()
        return ""

    def last(self) -> str:
        """Return the line of a run that ended with such a value."""
        return self._said() if self._row and self._tells() else ""

    def _tells(self) -> bool:
        """Whether this is no way to write that there was nothing to measure."""
        return self._loss or (self._good >= 3 and not self._gaps)

    def _said(self) -> str:
        step, value = self._since
        return f"{self.name} is {number(value)} since step {step}."


class Curve:
    """A training's loss: whether it diverged, or never fell.

    Parameters
    ----------
    name : str
        The metric's.
    begun : bool
        Whether its first point is the training's first.
    """

    def __init__(self, name: str, begun: bool = True) -> None:
        import numpy as np

        self.name = name
        self._begun = begun
        self._count = 0
        self._first: Floats = np.empty(0)
        self._recent: Floats = np.empty(0)
        self._pending: Floats = np.empty(0)
        self._medians: Floats = np.empty(0)
        self._size = BLOCK
        self._lowest = (np.inf, 0)
        self._start_step: int | None = None

    def take(self, steps: Any, values: Floats) -> str:
        """Take points; return a line where something is wrong."""
        import numpy as np

        finite = np.isfinite(values)
        steps, values = np.asarray(steps)[finite], values[finite]
        portion = max(32, len(values) // 16)
        for at in range(0, len(values), portion):
            some = values[at : at + portion]
            self._keep(some, steps[at : at + portion])
            said = self._judge(int(steps[min(at + portion, len(values)) - 1]))
            if said:
                return said
        return ""

    def _keep(self, values: Floats, steps: Any) -> None:
        import numpy as np

        if self._start_step is None:
            self._start_step = int(steps[0])
        self._count += len(values)
        missing = FIRST - len(self._first)
        if missing > 0:
            self._first = np.concatenate([self._first, values[:missing]])
        self._recent = np.concatenate([self._recent, values])[-RECENT:]
        pending = np.concatenate([self._pending, values])
        whole = len(pending) // self._size
        fresh = np.median(pending[: whole * self._size].reshape(whole, self._size), axis=1)
        self._pending = pending[whole * self._size :]
        if whole and fresh.min() < self._lowest[0]:
            self._lowest = (float(fresh.min()), int(steps[-1]))
        self._medians = np.concatenate([self._medians, fresh])
        while len(self._medians) > BLOCKS and not len(self._medians) % 2:
            self._medians = self._medians.reshape(-1, 2).mean(axis=1)
            self._size *= 2

    # -- rules

    def _judge(self, step: int) -> str:
        import numpy as np

        if self._count < FIRST:
            return ""
        start = float(np.median(self._first[: FIRST // 2]))
        noise = self._noise()
        best, at = self._lowest
        fallen = max(0.0, start - best) if np.isfinite(best) else 0.0
        if self._is_far(start, fallen, noise) or self._is_lost(start, fallen, noise):
            before = f", after {number(best)} around step {at}" if fallen > 0 else ""
            return (
                f"{self.name} diverged: {number(float(self._recent[-1]))} at step {step}{before}; "
                f"it began at {number(start)}."
            )
        if self._begun and self._is_dead(noise):
            middle = number(float(np.median(self._recent)))
            return (
                f"{self.name} has not fallen since it began: {number(start)} at step "
                f"{self._start_step}, {middle} at step {step}."
            )
        return ""

    def _noise(self) -> float:
        """Return the standard deviation about the curve, by the smaller of its differences."""
        import numpy as np

        return float(np.quantile(np.abs(np.diff(self._recent)), 0.25)) / 0.45 + 1e-12

    def _is_far(self, start: float, fallen: float, noise: float) -> bool:
        bound = start + max(2 * fallen, abs(start)) + 6 * noise
        return bool(self._recent[-5:].min() > bound)

    def _is_lost(self, start: float, fallen: float, noise: float) -> bool:
        """Whether it has been back where it began for a tenth of the training."""
        import numpy as np

        wide = max(20, self._count // 10)
        last = self._medians[-max(2, -(-wide // self._size)) :]
        if fallen < 0.2 * abs(start) + 3 * noise or len(self._medians) < 2 * len(last):
            return False
        lost = (last - (start - fallen)) / fallen
        return bool(np.median(last) > start - (1 - LOST) * fallen and lost.min() > 0.7)

    def _is_dead(self, noise: float) -> bool:
        import numpy as np

        start = float(np.median(self._first))
        quiet = noise < 0.005 * abs(start)
        many = len(self._medians)
        if self._count < (DEAD_QUIET if quiet else DEAD) or many < 3:
            return False
        fallen = start - float(np.median(self._medians[many // 2 :]))
        if quiet:
            return fallen < 0.005 * abs(start)
        if fallen > 0.02 * abs(start) + 0.8 * noise:
            return False
        places = np.arange(many) - (many - 1) / 2
        slope = float(places @ self._medians / (places @ places))
        rest = self._medians - self._medians.mean() - slope * places
        error = float(np.sqrt(rest @ rest / (many - 2) / (places @ places))) + 1e-15
        return slope / error > -0.5
