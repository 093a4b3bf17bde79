"""A model folder loaded as MLflow loads it for serving, and put out of mind afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.client import mlflow, quietly


@contextmanager
def serving(folder: Path) -> Iterator[Callable[[Any, str], Any]]:
    """Give what answers as the served model: called with one input, and a picture's column.

    The model's own code is imported from the folder; afterwards this process knows none of it,
    since the folder may be gone.

    Raises
    ------
    CvtrackError
        MLflow cannot load it.
    """
    with _own_imports(), quietly():
        try:
            model = mlflow().pyfunc.load_model(str(folder))
        except Exception as error:
            raise CvtrackError(
                f"The model cannot be loaded to be served: {in_one_line(error)}"
            ) from error

        def ask(value: Any, column: str) -> Any:
            if not column:
                return model.predict(value)
            import pandas

            return model.predict(pandas.DataFrame({column: [value]}))

        yield ask


@contextmanager
def _own_imports() -> Iterator[None]:
    path, known = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - known:
            if name.startswith("cvtrack_serving_"):
                del sys.modules[name]
