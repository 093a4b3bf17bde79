"""What the ranks of a cell are started with, and why they cannot be."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.capture.code.slicing import slice_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.replay.plan import GIVEN
from cvtrack_magics.text import visible

SKIPPED = re.compile(r"\A\s*%%mlskip\b")
_SWEEP = re.compile(r"\A\s*%%mlsweep\b")
_RUN = re.compile(r"\A\s*%%mlrun\b[ \t]*(?P<name>[^\n]*)")
_DONE = re.compile(r"^(?P<indent>[ \t]*)%ml(?!seed\b)\w+.*$", re.MULTILINE)
"""Lines of ours, which the notebook has done."""
MOST = 512


@dataclass(frozen=True)
class Plan:
    """What each rank executes.

    Attributes
    ----------
    count : int
        How many ranks there are.
    cells : tuple of str
        Those before the run's own that it depends on, in order.
    of : int
        Of how many.
    cell : str
        The run's own.
    settings : mapping of str to object
        What else a rank is told, JSON-ready.
    """

    count: int
    cells: tuple[str, ...]
    of: int
    cell: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """What the card says of the cells."""
        said = [f"Each rank executed {len(self.cells)} of the {self.of} cells before this one."]
        again = [found["name"] for found in map(_RUN.match, self.cells) if found is not None]
        for name in again[:3]:
            said.append(f"They executed the cell of run {visible(name)!r} again, for its names.")
        return said


def checked_count(count: int) -> int:
    """Return a number of ranks that can be started here.

    Raises
    ------
    UsageProblem
        It cannot, and why.
    """
    if not 1 <= count <= MOST:
        raise UsageProblem(f"%%mlrun: --ranks {count} is no number of processes.", "Say --ranks 2.")
    if sys.platform == "win32":
        raise UsageProblem(
            "%%mlrun: --ranks needs Linux or macOS.", "Leave it out, or work in WSL."
        )
    if importlib.util.find_spec("torch") is None:
        raise UsageProblem("%%mlrun: --ranks starts processes by torch.", "pip install torch")
    gpus = _gpus()
    if 0 < gpus < count:
        raise UsageProblem(
            f"%%mlrun: --ranks {count}, and {'one GPU is' if gpus == 1 else f'{gpus} GPUs are'} "
            "there: NCCL takes one rank a GPU.",
            f"Say --ranks {gpus}, or %env CUDA_VISIBLE_DEVICES= in front for the processor (gloo).",
        )
    return count


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


def plan_of(
    count: int,
    sources: Sequence[str],
    cell: str,
    names: Collection[str],
    *,
    failed: Collection[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Plan:
    """Return what the ranks of a cell execute.

    Parameters
    ----------
    count : int
        How many ranks.
    sources : sequence of str
        All cells that were executed so far, in order; the last may be the run's own.
    cell : str
        The run's own.
    names : collection of str
        The notebook's: one that is not there is missing without ranks, too.
    failed : collection of str, optional
        The cells that ended with an error, and were not executed without one.
    settings : mapping, optional
        What else a rank is told.

    Raises
    ------
    UsageProblem
        The cell needs what no cell defines that the ranks may execute.
    """
    before = list(sources[:-1] if sources and sources[-1] == cell else sources)
    kept = [_DONE.sub(r"\g<indent>pass", one) for one in before if _is_for_ranks(one, failed)]
    # a training is not done again for what it does beside its names, such as setting a seed
    cells, missing = _needed([one for one in kept if not _RUN.match(one)], cell, names)
    if missing:
        cells, missing = _needed(kept, cell, names)
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise UsageProblem(
            f"The ranks cannot have {listed}: no cell that they may execute defines it.",
            "Define it in a cell without %%mlskip, or in this one.",
        )
    if any(_SWEEP.match(source) for source in cells):
        raise UsageProblem(
            "The cell depends on a sweep's cell, which each rank would run again.",
            "Write %%mlskip on top of that cell, and take its values by %mlbest.",
        )
    return Plan(count, cells, len(before), cell, dict(settings or {}))


def _is_for_ranks(source: str, failed: Collection[str]) -> bool:
    return not SKIPPED.match(source) and source not in failed


def _needed(
    kept: Sequence[str], cell: str, names: Collection[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the cells that one depends on, and what none of them defines."""
    found = slice_of(kept, cell)
    missing = [one for one in found.missing if one in names and one not in GIVEN]
    return tuple(kept[at] for at in found.places), missing
