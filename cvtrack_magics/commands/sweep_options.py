"""What a user says of a sweep, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.errors import UsageProblem, did_you_mean

if TYPE_CHECKING:
    from cvtrack_magics.run.sweep.spec import SweepSpec

DIRECTIONS = {"max": "maximize", "min": "minimize"}


def checked(
    *,
    name: str,
    metric: str | Sequence[str],
    direction: str | Sequence[str],
    trials: int,
    pruner: str,
    require: Sequence[str],
    seeds: int,
    test_metric: str,
    timeout: float,
    retries: int,
    seed: int | None,
    mode: str,
    body: str,
    jobs: int | None = None,
    engine: str = "optuna",
    address: str = "",
    trial_gpus: float = 0.0,
) -> SweepSpec:
    """Return what was asked for; :class:`UsageProblem` where it makes no sense."""
    from cvtrack_magics.run.sweep.spec import PRUNERS, SweepSpec, rules_of
    from cvtrack_magics.run.sweep.workers.engines import checked_engine

    metrics = tuple(dict.fromkeys([metric] if isinstance(metric, str) else metric))
    if not metrics or not all(metrics):
        raise UsageProblem("A sweep needs to know what is to be best.", "--metric val/acc")
    aims = _directions(metrics, [direction] if isinstance(direction, str) else direction)
    if pruner not in PRUNERS:
        hint = did_you_mean(pruner, PRUNERS)
        raise UsageProblem(f"There is no pruner {pruner!r}.{hint}", f"One of {', '.join(PRUNERS)}.")
    if trials < 1 or retries < 0 or timeout < 0:
        raise UsageProblem("A sweep has at least one trial.", "--trials 50")
    if seeds < 1:
        raise UsageProblem("A trial has at least one seed.", "--seeds 3")
    rules = rules_of(list(require))
    if test_metric and test_metric in (*metrics, *(rule.subject for rule in rules)):
        raise UsageProblem(
            f"{test_metric!r} is used to choose, so it cannot say what the winner is worth.",
            "Let --test-metric name one that is measured on other data.",
        )
    if len(metrics) > 1:
        _refuse_with_several(pruner=pruner != "none", seeds=seeds > 1, test_metric=test_metric)
    return SweepSpec(
        name,
        metrics[0],
        aims[0],
        trials=trials,
        pruner=pruner,
        rules=rules,
        timeout=timeout,
        retries=retries,
        seed=seed,
        mode=mode,
        body=body,
        seeds=seeds,
        test_metric=test_metric,
        more=tuple(zip(metrics[1:], aims[1:], strict=True)),
        engine=checked_engine(engine, jobs, address, trial_gpus),
    )


def _directions(metrics: Sequence[str], given: Sequence[str]) -> list[str]:
    """Return the direction of each metric: as it was said, or as its name tells."""
    said = [one for one in given if one]
    if said and len(said) != len(metrics):
        raise UsageProblem(
            f"{len(metrics)} metrics have {len(said)} directions.",
            "Say --direction once for each --metric, in their order.",
        )
    found = said or [DIRECTIONS.get(direction_of(metric), "") for metric in metrics]
    for metric, direction in zip(metrics, found, strict=True):
        if direction not in DIRECTIONS.values():
            why = f"{direction!r} is no" if direction else f"{metric!r} tells no"
            each = " for each --metric, in their order" * (len(metrics) > 1)
            raise UsageProblem(f"{why} direction.", f"Say --direction maximize, or minimize{each}.")
    return found


def _refuse_with_several(**given: Any) -> None:
    """Raise :class:`UsageProblem` for what has a meaning only where one metric is to be best."""
    why = {
        "pruner": "Optuna prunes by one metric",
        "seeds": "the best bound is of one metric",
        "test_metric": "the winner of one metric is measured again",
    }
    for option, wanted in given.items():
        if wanted:
            words = option.replace("_", "-")
            raise UsageProblem(
                f"--{words} does not go with several --metric: {why[option]}.",
                f"Leave out --{words}, or make one metric a rule: --require 'latency_ms<=20'.",
            )
