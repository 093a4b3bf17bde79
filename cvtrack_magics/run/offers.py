"""What the store has that a person might want to name; nothing where it does not answer."""

from __future__ import annotations

from collections.abc import Callable

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.run.current import get_session

RUNS = 100  # the newest of the experiment


def _or_none(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    except CvtrackError:
        return []


def experiments() -> list[str]:
    """Return the experiments of the store, newest first."""
    return _or_none(get_session().tracking.experiments)


def runs() -> list[str]:
    """Return the names of the newest runs of the current experiment."""
    return _or_none(lambda: get_session().tracking.run_names(RUNS))


def models() -> list[str]:
    """Return the registered models."""
    from cvtrack_magics.run.model_reference import registry

    return _or_none(lambda: registry().names())


def aliases(model: str) -> list[str]:
    """Return the aliases of a registered model."""
    from cvtrack_magics.run.model_reference import registry

    return _or_none(lambda: sorted(registry().aliases(model)))


def versions(model: str) -> list[str]:
    """Return the versions of a registered model, newest first, and the stages they are in."""
    from cvtrack_magics.run.model_reference import registry

    def ask() -> list[str]:
        found = registry().versions(model)
        stages = {version.stage for version in found} - {"None"}
        return [version.version for version in reversed(found)] + sorted(stages)

    return _or_none(ask)


def metrics(reference: str) -> list[str]:
    """Return the metrics of the run of a model's newest version, or of a run; else of the open."""
    from cvtrack_magics.run.model_reference import find

    def ask() -> list[str]:
        session = get_session()
        run_id = find(reference).run_id if reference else getattr(session.current, "run_id", "")
        return sorted(session.tracking.metrics_of(run_id, but="")) if run_id else []

    return _or_none(ask)
