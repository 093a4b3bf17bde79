"""What Accelerate's ``log()`` is given goes into the open run, with or without a tracker.

Where one of its trackers is MLflow's, it is left to that, which logs into the open run and opens
none beside it, unless it has a name for its own.
"""

from __future__ import annotations

from typing import Any

from cvtrack_magics.run.adapters.following import Call, Followed


def _is_ours_to_tell(accelerator: Any) -> bool:
    trackers = getattr(accelerator, "trackers", ())
    return bool(accelerator.is_main_process) and not any(one.name == "mlflow" for one in trackers)


def _begun(call: Call) -> None:
    config = call.given.get("config")
    if config and _is_ours_to_tell(call.owner):
        call.params(config)


def _logged(call: Call) -> None:
    if _is_ours_to_tell(call.owner):
        call.reported_by("Accelerate")
        call.numbers(call.given["values"], call.given.get("step"))


def _starts(call: Call) -> None:
    tracker, run = call.owner, call.run
    if run is not None and not (tracker.run_id or tracker.run_name or tracker.nested_run):
        tracker.run_id = run.run_id


METHODS = (
    Followed("accelerate.tracking", "MLflowTracker", "start", _starts, before=True),
    Followed("accelerate.accelerator", "Accelerator", "init_trackers", _begun),
    Followed("accelerate.accelerator", "Accelerator", "log", _logged, hides=True),
)
