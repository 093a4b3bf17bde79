"""The variables of this process's environment, while other threads may change them."""

from __future__ import annotations

import os


def variables() -> dict[str, str]:
    """Return the environment as it is now.

    ``dict(os.environ)`` and ``os.environ.items()`` ask for one name after the other, and raise
    where another thread takes one away meanwhile, as MLflow's telemetry does.
    """
    found = ((name, os.environ.get(name)) for name in list(os.environ))
    return {name: value for name, value in found if value is not None}
