"""Pictures where MLflow's page looks for them: by a name that says of what, and of which step."""

from __future__ import annotations

import re
import time
import uuid

from cvtrack_magics.store.client import mlflow

LOGGED_IMAGES = "mlflow.loggedImages"
"""Tag of a run whose pictures MLflow's page looks for."""
SMALL = 256
"""Pixels of the longer side of the small one, which the page shows first."""
_UNFIT = re.compile(r"[^a-zA-Z0-9_\-. ]")


def image_paths(key: str, step: int, suffix: str) -> tuple[str, str]:
    """Return where a picture of a step lies among a run's artifacts, and where its small one.

    Before MLflow 3 the page knows parts between per cent signs only; since then a plus, for a
    step such as 20 is read as an escape behind the other.
    """
    between = "+" if int(str(mlflow().__version__).split(".", 1)[0]) >= 3 else "%"
    parts = (_UNFIT.sub("_", key), "step", str(step), "timestamp", str(time.time_ns() // 10**6))
    name = f"images/{between.join((*parts, str(uuid.uuid4())))}"
    return f"{name}.{suffix}", f"{name}{between}compressed.webp"
