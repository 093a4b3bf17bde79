"""Lightning's ``MLFlowLogger`` logs into the open run, and opens none beside it.

The first one of a run does; others, and one with a name for its run, have a run under it. One of
another store, or with a run of its own already, is left as it is.
"""

from __future__ import annotations

from cvtrack_magics.run.adapters.following import Call, Followed
from cvtrack_magics.store.calls import PARENT
from cvtrack_magics.store.uris import absolute

_taken: set[str] = set()
"""The runs that have a logger."""


def _opens(call: Call) -> None:
    logger, run = call.owner, call.run
    if run is None or logger._initialized or logger._run_id is not None:
        return
    if absolute(str(logger._tracking_uri)) != absolute(run.uri):
        return
    if run.run_id in _taken or logger._run_name is not None:
        logger.tags = {**(logger.tags or {}), PARENT: run.run_id}
        logger._experiment_id = run.experiment_id or None
        return
    _taken.add(run.run_id)
    logger._run_id = run.run_id


METHODS = tuple(
    Followed(f"{package}.loggers.mlflow", "MLFlowLogger", "experiment", _opens, before=True)
    for package in ("lightning.pytorch", "pytorch_lightning")
)
