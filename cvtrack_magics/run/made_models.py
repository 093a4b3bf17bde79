"""The models that were recorded in runs, for what is measured of them later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import ref

from cvtrack_magics.records import LoggedModel
from cvtrack_magics.run.evaluation_inputs import MOST, is_of, names_of
from cvtrack_magics.run.recording import Target


@dataclass(frozen=True)
class MadeModel:
    """A model that was recorded in a run: what it was made of, and what was recorded."""

    key: str
    run_id: str
    model: ref[object]
    record: LoggedModel


class MadeModels:
    """The model that the session made last in each run, for what is measured of it later."""

    def __init__(self) -> None:
        self._made: list[MadeModel] = []

    def keep(self, target: Target, model: object, record: LoggedModel) -> None:
        """Remember a model and what was recorded of it, as long as the model lives."""
        key, run_id = names_of(target)
        others = [one for one in self._made if not is_of(one, key, run_id)]
        with suppress(TypeError):  # what takes no weak reference is not remembered
            self._made = [*others, MadeModel(key, run_id, ref(model), record)][-MOST:]

    def asked(self, target: Target, same: Callable[[Any], bool]) -> LoggedModel | None:
        """Return what was recorded of a run's last model, where that is the one asked now."""
        key, run_id = names_of(target)
        for one in self._made:
            model = one.model() if is_of(one, key, run_id) else None
            if model is not None and same(model):
                return one.record
        return None
