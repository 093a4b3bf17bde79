"""Which rank this process is, by what its launcher has put into the environment."""

from __future__ import annotations

from collections.abc import Mapping

from cvtrack_magics.variables import variables

_LAUNCHED = ("TORCHELASTIC_RUN_ID", "MASTER_ADDR")


def rank_of(environment: Mapping[str, str]) -> int:
    """Return the rank that a launcher gave a process; 0 where there is no launcher.

    torchrun, ``accelerate launch`` and :mod:`torch.distributed` say ``RANK``; Lightning's ddp
    gives those that it starts a ``LOCAL_RANK`` and a ``NODE_RANK``, of which one is not 0.

    Examples
    --------
    >>> rank_of({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"})
    1
    >>> rank_of({"RANK": "1"}), rank_of({"LOCAL_RANK": "3", "MASTER_ADDR": "::1"})
    (0, 3)
    """
    if not any(name in environment for name in _LAUNCHED):
        return 0
    if "RANK" in environment:
        several = _number(environment.get("WORLD_SIZE", "")) > 1
        return _number(environment["RANK"]) if several else 0
    return _number(environment.get("NODE_RANK", "")) or _number(environment.get("LOCAL_RANK", ""))


def is_other_rank() -> bool:
    """Whether another process of the same training records for this one."""
    return rank_of(variables()) > 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
