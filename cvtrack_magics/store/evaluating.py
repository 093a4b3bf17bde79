"""MLflow's own evaluation, beside ours.

MLflow's evaluation takes tables and not images, so a logged model is run here and its
predictions are handed over. The macro averages that the default evaluator leaves out are
given to it as extra metrics.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.client import mlflow, quietly
from cvtrack_magics.store.tracking import OpenRun

BATCH = 256


def predicted_labels(model: str, inputs: Any, count: int) -> Any:
    """Return the classes that a logged model predicts, int64 N.

    Parameters
    ----------
    model : str
        ``runs:/…`` or ``models:/…``.
    inputs : array or tensor, N × …
        What the model takes.
    count : int
        N.

    Raises
    ------
    UsageProblem
        There are no inputs, or not N.
    CvtrackError
        The model cannot be loaded or run.
    """
    if inputs is None:
        raise UsageProblem(f"{model} needs what it takes as inputs.", "--inputs EXPR names it.")
    batch = inputs.detach().cpu().numpy() if hasattr(inputs, "detach") else np.asarray(inputs)
    if len(batch) != count:
        raise UsageProblem(f"There are {len(batch)} inputs for {count} predictions.")
    try:
        with quietly():
            loaded = mlflow().pyfunc.load_model(model)
            parts = [
                np.asarray(loaded.predict(batch[at : at + BATCH])) for at in range(0, count, BATCH)
            ]
    except Exception as error:
        raise CvtrackError(f"{model} could not be run: {in_one_line(error, 300)}") from error
    output = np.concatenate(parts)
    return output.argmax(axis=1) if output.ndim == 2 else output.astype(np.int64)


def evaluate_labels(
    truth: Any, predicted: Any, prefix: str, run: OpenRun | None = None
) -> dict[str, float]:
    """Run the default evaluator on labels; its figures and files go to the active run.

    Parameters
    ----------
    truth, predicted : int arrays, N
        Classes by index.
    prefix : str
        Stands before the names of the metrics.
    run : OpenRun, optional
        A finished run to write into instead.

    Returns
    -------
    dict of str to float
        The figures, without the prefix.
    """
    import_module("mlflow.pyfunc")  # MLflow would import it with a lock of its own held
    import pandas

    module = mlflow()
    table = pandas.DataFrame({"target": truth, "prediction": predicted})
    evaluate = getattr(module.models, "evaluate", None) or module.evaluate  # the old name
    try:
        with quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if run is not None:
                module.start_run(run_id=run.run_id)
            try:
                result = evaluate(
                    data=table,
                    targets="target",
                    predictions="prediction",
                    model_type="classifier",
                    evaluators=["default"],
                    extra_metrics=_macro_averages(),
                    evaluator_config={"default": {"log_explainer": False, "metric_prefix": prefix}},
                )
            finally:
                if run is not None:
                    module.end_run()
    except TypeError as error:
        raise CvtrackError(
            f"This MLflow cannot evaluate predictions ({in_one_line(error, 120)}).",
            "It takes MLflow 2.8 or newer.",
        ) from None
    except Exception as error:
        raise CvtrackError(f"MLflow's evaluation failed: {in_one_line(error, 300)}") from error
    return {
        str(name).removeprefix(prefix): float(value)
        for name, value in result.metrics.items()
        if isinstance(value, (int, float))
    }


def _macro_averages() -> list[Any]:
    from sklearn.metrics import precision_score, recall_score

    def macro_precision(predictions: Any, targets: Any, metrics: Any) -> float:
        del metrics
        return float(precision_score(targets, predictions, average="macro", zero_division=0))

    def macro_recall(predictions: Any, targets: Any, metrics: Any) -> float:
        del metrics
        return float(recall_score(targets, predictions, average="macro", zero_division=0))

    make = mlflow().models.make_metric
    return [
        make(eval_fn=function, greater_is_better=True, name=function.__name__)
        for function in (macro_precision, macro_recall)
    ]
