"""What Lightning gives its loggers goes into the open run, by the names it has there.

Also where it has no logger. Where one of them is an ``MLFlowLogger``, or MLflow's autologging is
on, it is left to that.
"""

from __future__ import annotations

from typing import Any

from cvtrack_magics.run.adapters.following import Call, Followed
from cvtrack_magics.store.switches import autologs


def _is_ours_to_tell(trainer: Any) -> bool:
    if trainer.global_rank or autologs("pytorch"):
        return False
    return not any("MLFlow" in type(one).__name__ for one in trainer.loggers)


def _logged(call: Call) -> None:
    trainer, metrics = call.owner.trainer, dict(call.given.get("metrics") or {})
    if not metrics or not _is_ours_to_tell(trainer):
        return
    step = call.given.get("step")
    if step is None:
        step = metrics.pop("step", None)
        if step is None:  # as the connector does it
            metrics.setdefault("epoch", trainer.current_epoch)
            step = trainer.fit_loop.epoch_loop._batches_that_stepped
    call.reported_by("Lightning")
    call.numbers(metrics, int(step))


def _begun(call: Call) -> None:
    trainer = call.owner
    if not _is_ours_to_tell(trainer):
        return
    found: dict[str, Any] = {}
    for holder in (trainer.datamodule, call.given.get("model")):
        if holder is not None and getattr(holder, "_log_hyperparams", False):
            found.update(holder.hparams_initial)
    found.pop("_class_path", None)  # of its command line
    call.params({**found, "max_epochs": trainer.max_epochs, "precision": str(trainer.precision)})


METHODS = tuple(
    followed
    for package in ("lightning.pytorch", "pytorch_lightning")
    for followed in (
        Followed(
            f"{package}.trainer.connectors.logger_connector.logger_connector",
            "_LoggerConnector",
            "log_metrics",
            _logged,
            hides=True,
        ),
        Followed(f"{package}.trainer.trainer", "Trainer", "_run", _begun, before=True),
    )
)
