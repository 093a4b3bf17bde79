"""Optuna's trial, whose parameters are params of its run as soon as they are known."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

SUGGESTING = ("suggest_float", "suggest_int", "suggest_categorical")


def recorded(trial: Any, record: Callable[[str, Any], None]) -> Any:
    """Let a trial tell what it suggests; it stays Optuna's own.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial.
    record : callable
        Told each parameter once, with its value.
    """
    known: set[str] = set()

    def telling(suggest: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(suggest)
        def call(name: str, *args: Any, **options: Any) -> Any:
            value = suggest(name, *args, **options)
            if name not in known:
                known.add(name)
                record(name, value)
            return value

        return call

    for name in SUGGESTING:
        setattr(trial, name, telling(getattr(trial, name)))
    return trial
