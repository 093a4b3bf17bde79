"""Pictures where MLflow's page looks for them: by a name that says of what, and of which step."""

from __future__ import annotations

import re
import time
import uuid

LOGGED_IMAGES = "mlflow.loggedImages"
"""Tag of a run whose pictures MLflow's page looks for."""
SMALL = 256
"""Pixels of the longer side of the small one, which the page shows first."""
_UNFIT = re.compile(r"[^a-zA-Z0-9_\-. ]")


def image_paths(key: str, step: int, suffix: str) -> tuple[str, str]:
    """Return where a picture of a step lies among a run's artifacts, and where its small one.

    The page reads parts between per cent signs, too, as older MLflow names them; but a server
    takes such a sign with a step like 20 behind it for an escape.
    """
    parts = (_UNFIT.sub("_", key), "step", str(step), "timestamp", str(time.time_ns() // 10**6))
    name = f"images/{'+'.join((*parts, str(uuid.uuid4())))}"
    return f"{name}.{suffix}", f"{name}+compressed.webp"
