"""MLflow's own evaluation, beside ours.

MLflow's evaluation takes tables and not images, so a logged model is run here and its
predictions are handed over. The macro averages that the default evaluator leaves out are
given to it as extra metrics.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from cvtrack_magics import programs
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line, redact
from cvtrack_magics.store.client import mlflow, quietly
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.variables import variables

BATCH = 256
TIMEOUT = 900  # seconds
_ANSWER = "cvtrack: "


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
            predict = _taking_arrays(mlflow().pyfunc.load_model(model))
            parts = [np.asarray(predict(batch[at : at + BATCH])) for at in range(0, count, BATCH)]
    except Exception as error:
        raise CvtrackError(f"{model} could not be run: {in_one_line(error, 300)}") from error
    output = np.concatenate(parts)
    return output.argmax(axis=1) if output.ndim == 2 else output.astype(np.int64)


def _taking_arrays(loaded: Any) -> Callable[[Any], Any]:
    """Return a model's prediction as a function of arrays; images may be a named column."""
    signature = loaded.metadata.signature
    inputs = None if signature is None else signature.inputs
    predict: Callable[[Any], Any] = loaded.predict
    if inputs is None or inputs.is_tensor_spec() or len(inputs.input_names()) != 1:
        return predict
    [name] = inputs.input_names()
    return lambda batch: predict({name: batch})


def evaluate_labels(truth: Any, predicted: Any, prefix: str, run: OpenRun) -> dict[str, float]:
    """Run the default evaluator on labels, in a process of its own; it writes into a run.

    In this process it would patch libraries for autologging, leave figures open, and import
    with MLflow's lock held, for which a thread that imports something else can wait for ever.

    Parameters
    ----------
    truth, predicted : int arrays, N
        Classes by index.
    prefix : str
        Stands before the names of the metrics.
    run : OpenRun
        Where figures and files go; its status stays as it is.

    Returns
    -------
    dict of str to float
        The figures, without the prefix.
    """
    wanted = {
        "truth": np.asarray(truth).tolist(),
        "predicted": np.asarray(predicted).tolist(),
        "prefix": prefix,
        "run_id": run.run_id,
    }
    ran = programs.run(
        [sys.executable, "-m", "cvtrack_magics.store.mlflow_evaluate"],
        given=json.dumps(wanted).encode(),
        timeout=TIMEOUT,
        env={**variables(), "MLFLOW_TRACKING_URI": run.uri},
    )
    out, err = (text.decode("utf-8", "replace") for text in (ran.stdout, ran.stderr))
    said = out.rpartition(_ANSWER)[2].strip()
    if ran.returncode or not said:
        last = (err.strip() or "it gave no reason").rsplit("\n", 1)[-1]
        hint = "It takes MLflow 2.8 or newer." if "TypeError" in last else ""
        raise CvtrackError(f"MLflow's evaluation failed: {redact(last)[:300]}", hint)
    return {
        str(name).removeprefix(prefix): float(value) for name, value in json.loads(said).items()
    }


def _evaluate_here(wanted: dict[str, Any]) -> dict[str, float]:
    """Evaluate in this process, and leave the run's status as it was."""
    import mlflow as module
    import pandas

    client, run_id = module.MlflowClient(), wanted["run_id"]
    before = client.get_run(run_id).info
    table = pandas.DataFrame({"target": wanted["truth"], "prediction": wanted["predicted"]})
    evaluate = getattr(module.models, "evaluate", None) or module.evaluate  # the old name
    module.start_run(run_id=run_id)
    try:
        result = evaluate(
            data=table,
            targets="target",
            predictions="prediction",
            model_type="classifier",
            evaluators=["default"],
            extra_metrics=_macro_averages(),
            evaluator_config={
                "default": {"log_explainer": False, "metric_prefix": wanted["prefix"]}
            },
        )
    finally:
        if before.status != "RUNNING":
            client.set_terminated(run_id, before.status, before.end_time)
    return {k: float(v) for k, v in result.metrics.items() if isinstance(v, (int, float))}


def _macro_averages() -> list[Any]:
    from sklearn.metrics import precision_score, recall_score

    def macro_precision(predictions: Any, targets: Any, metrics: Any) -> float:
        del metrics
        return float(precision_score(targets, predictions, average="macro", zero_division=0))

    def macro_recall(predictions: Any, targets: Any, metrics: Any) -> float:
        del metrics
        return float(recall_score(targets, predictions, average="macro", zero_division=0))

    return [
        mlflow().models.make_metric(
            eval_fn=function, greater_is_better=True, name=function.__name__
        )
        for function in (macro_precision, macro_recall)
    ]


if __name__ == "__main__":
    found = _evaluate_here(json.load(sys.stdin))
    print(_ANSWER + json.dumps(found), flush=True)
    os._exit(0)  # the run goes on in another process: nothing here may end it
