"""What Keras' ``fit()`` keeps in its history goes into the open run, by the names it has there.

Where MLflow's autologging or callback takes it up, it is left to that.
"""

from __future__ import annotations

from typing import Any

from cvtrack_magics.run.adapters.following import Call, Followed
from cvtrack_magics.store.switches import autologs


def _is_ours_to_tell(call: Call) -> bool:
    if autologs("keras") or autologs("tensorflow"):
        return False
    return not any("mlflow" in type(one).__module__ for one in call.owner.callbacks)


def _begun(call: Call) -> None:
    if _is_ours_to_tell(call):
        given = call.owner.params or {}
        optimizer = getattr(call.owner._model, "optimizer", None)
        said = {f"optimizer.{key}": value for key, value in _config_of(optimizer).items()}
        call.params({"epochs": given.get("epochs"), "steps": given.get("steps"), **said})


def _config_of(optimizer: Any) -> dict[str, Any]:
    found = optimizer.get_config() if hasattr(optimizer, "get_config") else {}
    return {key: value for key, value in found.items() if value is not None}


def _epoch_ended(call: Call) -> None:
    logs = call.given.get("logs")
    if logs and _is_ours_to_tell(call):
        call.reported_by("Keras")
        call.numbers(logs, call.given["epoch"], on=True)


_MODULE = "keras.src.callbacks.callback_list"
METHODS = (
    Followed(_MODULE, "CallbackList", "on_train_begin", _begun),
    Followed(_MODULE, "CallbackList", "on_epoch_end", _epoch_ended),
)
