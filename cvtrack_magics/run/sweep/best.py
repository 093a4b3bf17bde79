"""What is best of a sweep, as it is given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cvtrack_magics.run.sweep.view import table

if TYPE_CHECKING:
    from cvtrack_magics.run.sweep.study import Study


@dataclass(frozen=True)
class Best:
    """The best trial of a sweep, or one of its Pareto front.

    Attributes
    ----------
    params : dict
        Its parameters, by the names that the trial was asked by.
    value : float
        Its own value, of the first metric where there are several.
    run_id : str
        Its run.
    trial : int
        Its number.
    values : dict
        Its own value of each metric.
    mean : float
        Of its values over seeds; its own value where it was not repeated.
    bound : float, optional
        The worse end of the 95 % t interval of that mean, where it was repeated.
    seeds : int
        How many values the mean is of.
    test_value : float, optional
        What ``--test-metric`` was, in a run of its own on data that was not used to choose.
    test_run_id : str
        That run.
    """

    params: Mapping[str, Any]
    value: float
    run_id: str
    trial: int
    values: Mapping[str, float] = field(default_factory=dict)
    mean: float = float("nan")
    bound: float | None = None
    seeds: int = 1
    test_value: float | None = None
    test_run_id: str = ""
    _shown: Any = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return repr(self._shown)

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        found: dict[str, str] = self._shown._repr_mimebundle_(**about)
        return found


class Front(list[Best]):
    """The trials that no other beats in all metrics, by the first one, the best first.

    Parameters
    ----------
    trials : list of Best
        Those.
    shown : object
        Shows them.
    """

    def __init__(self, trials: list[Best], shown: Any) -> None:
        super().__init__(trials)
        self._shown = shown

    def __repr__(self) -> str:
        return repr(self._shown)

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        found: dict[str, str] = self._shown._repr_mimebundle_(**about)
        return found


def best_of(study: Study, digits: int) -> Best | Front | None:
    """Return the best trial of a study so far, or the front of several metrics.

    Parameters
    ----------
    study : Study
        The trials.
    digits : int
        Significant digits of a value that is shown.

    Returns
    -------
    Best or Front or None
        None where no trial keeps all rules.
    """
    best = study.best()
    if best is None:
        return None
    shown = table(study, digits, chart=bool(study.spec.more))
    if study.spec.more:
        return Front([_of(study, one, shown) for one in study.front()], shown)
    return _of(study, best, shown)


def _of(study: Study, found: Any, shown: Any) -> Best:
    worth = study.repeats.estimates([found]).get(found.number)
    look = study.repeats.last_look(found.number)
    return Best(
        params=dict(found.params),
        value=float(found.values[0]),
        run_id=study.run_of(found),
        trial=found.number,
        values=dict(zip(study.spec.metrics, map(float, found.values), strict=True)),
        mean=worth.mean if worth else float(found.values[0]),
        bound=worth.bound if worth and worth.n > 1 else None,
        seeds=worth.n if worth else 1,
        test_value=None if look is None else float(look.value),
        test_run_id="" if look is None else study.run_of(look),
        _shown=shown,
    )
