"""The guests: which cells, of which libraries, and what their runs must have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CELLS = Path(__file__).parent / "cells"


@dataclass(frozen=True)
class Guest:
    """A library's training cell, as a user has it.

    ``cell`` is a file in ``cells/`` of three parts: what stands above the cell, the cell, and what
    the library itself holds of it afterwards (``curves``: points by metric; ``params``).
    ``packages`` are the distributions whose versions are shown. ``by`` says by what way the
    numbers come. ``fault`` is called in the training, and fails at the call ``fault_at``.
    ``children`` are the runs that the library means to have beside ours. ``digits`` is how
    exactly a number is printed, where only printed ones are there. ``stops_as`` is the error that
    an interrupt becomes in the library.
    """

    cell: str
    packages: tuple[str, ...]
    by: str
    fault: str = "torch.Tensor.backward"
    fault_module: str = ""
    fault_at: int = 3
    children: int = 0
    digits: int | None = None
    is_light: bool = False
    stops_as: str = "KeyboardInterrupt"

    @cached_property
    def _parts(self) -> list[str]:
        return (CELLS / f"{self.cell}.py").read_text(encoding="utf-8").split("# %%\n")

    @property
    def title(self) -> str:
        """What the guest is, in words."""
        return self._parts[0].strip().strip('"').strip().rstrip(".")

    @property
    def setup(self) -> str:
        """The cells above."""
        return self._parts[1]

    @property
    def train(self) -> str:
        """The training cell."""
        return self._parts[2]

    @property
    def curves(self) -> str:
        """Code that reads ``curves`` off what the library itself holds."""
        return self._parts[3]


_SKLEARN = "sklearn.linear_model.SGDClassifier.partial_fit"
GUESTS = (
    Guest("transformers_trainer", ("transformers", "accelerate"), "adapter"),
    Guest("transformers_mlflow", ("transformers", "accelerate"), "MLflow"),
    Guest("lightning_csv", ("lightning",), "adapter", stops_as="SystemExit"),
    Guest("lightning_mlflow", ("lightning",), "MLflow", stops_as="SystemExit"),
    Guest("lightning_autolog", ("lightning", "mlflow"), "MLflow", stops_as="SystemExit"),
    Guest("ultralytics_classify", ("ultralytics",), "MLflow"),
    Guest("ultralytics_detect", ("ultralytics",), "MLflow"),
    Guest("ultralytics_off", ("ultralytics",), "adapter", digits=4),
    Guest("keras_fit", ("keras",), "adapter"),
    Guest("keras_autolog", ("keras", "mlflow"), "MLflow"),
    Guest("accelerate_loop", ("accelerate",), "printed", digits=4),
    Guest("accelerate_mlflow", ("accelerate",), "MLflow"),
    Guest("timm_loop", ("timm",), "printed", digits=4),
    Guest("fastai_fit", ("fastai",), "adapter"),
    Guest("ignite_prints", ("pytorch-ignite",), "printed", digits=4),
    Guest("ignite_mlflow", ("pytorch-ignite",), "MLflow"),
    Guest(
        "sklearn_loop",
        ("scikit-learn",),
        "printed",
        _SKLEARN,
        "sklearn.linear_model",
        digits=4,
        is_light=True,
    ),
    Guest(
        "sklearn_autolog",
        ("scikit-learn", "mlflow"),
        "MLflow",
        "sklearn.linear_model._logistic._logistic_regression_path",
        "sklearn.linear_model._logistic",
        1,
    ),
    Guest(
        "optuna_nested",
        ("optuna", "mlflow"),
        "MLflow",
        _SKLEARN,
        "sklearn.linear_model",
        children=2,
    ),
    Guest("torchmetrics_loop", ("torchmetrics",), "adapter", is_light=True),
    Guest("summary_writer", ("tensorboard",), "TensorBoard", is_light=True),
    Guest("tqdm_loop", ("tqdm",), "adapter", is_light=True),
    Guest("rich_loop", ("rich",), "printed", digits=4, is_light=True),
)
