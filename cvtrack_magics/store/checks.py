"""What MLflow says of a metric, a param or a tag before it asks any store."""

from __future__ import annotations

import time
from typing import Any

from cvtrack_magics.integers import MAX_STEP, whole
from cvtrack_magics.names import safe_key
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.deferred import Point


def point_of(key: Any, value: Any, timestamp: Any, step: Any) -> Point:
    """Return a metric's point as the journal keeps it.

    Numbers of any type are taken: Python's, NumPy's and PyTorch's, ``Decimal``, arrays of one
    element, text that is a number, as MLflow does; steps are whole.

    Raises
    ------
    mlflow.MlflowException
        As MLflow itself raises it for a name, a value or a step that it does not take.
    """
    at = int(time.time() * 1000) if timestamp is None else timestamp
    time_ms = whole(at)
    if time_ms is None:
        time_ms = _truncated(at)
    number = 0 if step is None else whole(step)
    plain = _number(value)
    _validate("_validate_metric", key, plain, at if time_ms is None else time_ms, _or(number, step))
    if number is None or not -MAX_STEP < number < MAX_STEP:
        raise _invalid(f"Metric {key!r}: step {step!r} is not a whole number of 64 bits.")
    if type(plain) is not float or time_ms is None:
        raise _invalid(f"Metric {key!r}: {value!r} is not one number.")
    if not isinstance(key, str) or "\n" in key:  # one at the end passes MLflow's own pattern
        raise _invalid(f"{key!r} is not the name of a metric: it has to be text in one line.")
    return str(key), plain, time_ms, number


def param_of(key: Any, value: Any) -> tuple[str, str]:
    """Return a param as text; raises as MLflow does for a name that it does not take."""
    _validate("_validate_param", key, str(value))
    _require_name(key)
    return str(key), str(value)


def tag_of(key: Any, value: Any) -> tuple[str, str]:
    """Return a tag as text; raises as MLflow does for a name that it does not take."""
    _validate("_validate_tag", key, str(value))
    _require_name(key)
    return str(key), str(value)


def changed_param(key: str, old: str, new: str, run_id: str) -> Exception:
    """Return what MLflow raises for a param that is logged again with another value."""
    return _invalid(
        f"Changing param values is not allowed. Param with key='{key}' was already logged with "
        f"value='{old}' for run ID='{run_id}'. Attempted logging new value '{new}'."
    )


def _number(value: Any) -> Any:
    if type(value) is float or value is None:
        return value
    try:
        if isinstance(value, (str, bytes)):
            return float(value)
        item = getattr(value, "item", None)  # float() of a tensor that needs a gradient warns
        return float(value if item is None else item())
    except Exception:
        from mlflow.tracking import metric_value_conversion_utils as conversion

        return conversion.convert_metric_value_to_float_if_possible(value)


def _truncated(at: Any) -> int | None:
    try:
        return int(at)
    except Exception:
        return None


def _or(number: int | None, given: Any) -> Any:
    return given if number is None else number


def _validate(name: str, *values: Any) -> None:
    from mlflow.utils import validation

    check = getattr(validation, name, None)
    if check is not None:
        check(*values)


def _require_name(key: Any) -> None:
    if not isinstance(key, str) or safe_key(key) != key:
        raise _invalid(f"{key!r} is not a name that every store takes.")


def _invalid(message: str) -> Exception:
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    error: Exception = mlflow().exceptions.MlflowException(message, INVALID_PARAMETER_VALUE)
    return error


def folder_of(artifact_path: Any) -> str:
    """Return the folder of an artifact with a slash at its end; raises as MLflow does."""
    if not artifact_path:
        return ""
    from mlflow.store.artifact.artifact_repo import verify_artifact_path

    verify_artifact_path(artifact_path)
    return str(artifact_path).strip("/") + "/"
