"""Masks what MLflow's calls write to a run of ours after all of ours are closed.

``MlflowClient`` is as it was then; the calls are cleaned one layer below it, and those for
other runs pass as they came.
"""

from __future__ import annotations

import functools
from typing import Any

from cvtrack_magics.secrets.masker import Masker
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store.cleaning import cleaned
from cvtrack_magics.store.client import ours

METHODS = (
    *("log_metric", "log_param", "set_tag", "log_batch"),
    *("log_artifact", "update_run", "log_inputs"),
)
MOST = 10_000  # runs that are remembered, the newest
_maskers: dict[str, Masker] = {}
_MARK = "_cvtrack_cleaned"


def remember(run_id: str, masker: RecordMasker) -> None:
    """Clean the calls for a run from now on, until this process ends."""
    _maskers.pop(run_id, None)
    _maskers[run_id] = masker.masker  # the session's: what a run counted ends with it
    while len(_maskers) > MOST:
        _maskers.pop(next(iter(_maskers)))
    _install()


def _install() -> None:
    from mlflow.tracking._tracking_service.client import TrackingServiceClient

    for name in METHODS:
        original = vars(TrackingServiceClient).get(name)
        if original is not None and not hasattr(original, _MARK):
            setattr(TrackingServiceClient, name, _wrapped(original))


def _wrapped(original: Any) -> Any:
    @functools.wraps(original)
    def method(client: Any, *args: Any, **kwargs: Any) -> Any:
        run_id = kwargs.get("run_id") or (args[0] if args else None)
        masker = _maskers.get(run_id) if isinstance(run_id, str) and not ours() else None
        if masker is None:
            return original(client, *args, **kwargs)
        with cleaned(RecordMasker(masker), original.__name__, args, kwargs) as (given, named):
            return original(client, *given, **named)

    setattr(method, _MARK, True)
    return method
