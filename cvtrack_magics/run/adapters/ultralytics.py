"""What Ultralytics' trainer measures in each epoch goes into the open run.

By the names that its own callback for MLflow gives them; where that is on, it is left to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvtrack_magics.run.adapters.following import Call, Followed


def _happened(call: Call) -> None:
    trainer = call.owner
    act = _EVENTS.get(str(call.given["event"]))
    if act is not None and not getattr(trainer, "_mlflow_active", False):
        act(call, trainer)


def _begun(call: Call, trainer: Any) -> None:
    call.params({key: value for key, value in vars(trainer.args).items() if value is not None})


def _trained(call: Call, trainer: Any) -> None:
    losses = trainer.label_loss_items(trainer.tloss, prefix="train")
    _tell(call, trainer, {**trainer.lr, **losses})


def _validated(call: Call, trainer: Any) -> None:
    _tell(call, trainer, trainer.metrics or {})


def _tell(call: Call, trainer: Any, found: Mapping[str, Any]) -> None:
    call.reported_by("Ultralytics")
    plain = {name.replace("(", "").replace(")", ""): value for name, value in found.items()}
    call.numbers(plain, int(trainer.epoch))


_EVENTS = {
    "on_pretrain_routine_end": _begun,
    "on_train_epoch_end": _trained,
    "on_fit_epoch_end": _validated,
}
METHODS = (Followed("ultralytics.engine.trainer", "BaseTrainer", "run_callbacks", _happened),)
