"""What the Trainer of Transformers reports goes into the open run, by the names it has there.

Where the Trainer reports to MLflow itself, it is left to that.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from cvtrack_magics.run.adapters.following import Call, Followed

SAID = (
    *("num_train_epochs", "max_steps", "learning_rate", "per_device_train_batch_size"),
    *("gradient_accumulation_steps", "weight_decay", "lr_scheduler_type", "optim", "seed"),
)
"""Arguments that are recorded also where they have their defaults."""
PLACES = ("output_dir", "logging_dir", "report_to")


def _reports_itself(call: Call) -> bool:
    callbacks = getattr(call.owner, "callbacks", ())
    return any("MLflow" in type(one).__name__ for one in callbacks)


def _begun(call: Call) -> None:
    if call.given["state"].is_world_process_zero and not _reports_itself(call):
        call.params({**_of_model(call.owner.model), **_of_arguments(call.given["args"])})


def _of_arguments(args: Any) -> dict[str, Any]:
    """Return the arguments that differ from their defaults, and the most asked for."""
    fields = dataclasses.fields(args)
    defaults = {one.name: one.default for one in fields}
    found = args.to_dict()
    return {
        name: value
        for name, value in found.items()
        if name not in PLACES
        and (name in SAID or (name in defaults and value != defaults[name] and value is not None))
        and not isinstance(value, (dict, list))
    }


def _of_model(model: Any) -> dict[str, Any]:
    said: Any = getattr(getattr(model, "config", None), "to_diff_dict", dict)
    return dict(said())


def _logged(call: Call) -> None:
    state = call.given["state"]
    if state.is_world_process_zero and not _reports_itself(call):
        call.reported_by("Transformers")
        call.numbers(call.given["logs"], state.global_step)


_MODULE = "transformers.trainer_callback"
METHODS = (
    Followed(_MODULE, "CallbackHandler", "on_train_begin", _begun),
    Followed(_MODULE, "CallbackHandler", "on_log", _logged, hides=True),
)
