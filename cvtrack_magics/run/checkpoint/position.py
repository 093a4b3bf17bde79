"""How far a training has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Position:
    """Where a training is.

    ``done`` steps are done in all, ``in_epoch`` of them in the pass over the loader that it is
    in, the ``epoch``-th from 0. ``begun`` says whether that pass has been begun.
    """

    done: int = 0
    epoch: int = 0
    in_epoch: int = 0
    begun: bool = False
