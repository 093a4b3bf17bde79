"""Stores that are a folder: MLflow keeps them no longer, and has a command that moves them."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.redact import redact

_ALLOWED = "MLFLOW_ALLOW_FILE_STORE"


def folder_of(uri: str) -> Path | None:
    """Return the folder that a tracking URI names, or None where it is no file store."""
    if urlsplit(uri).scheme not in ("", "file"):
        return None
    return Path(unquote(urlsplit(uri).path if uri.startswith("file:") else uri)).absolute()


def moving(uri: str) -> str:
    """Return the line that moves a file store into a database; empty where there is no command."""
    folder = folder_of(uri)
    if folder is None or find_spec("mlflow.store.fs2db") is None:
        return ""
    target = f"sqlite:///{folder.parent / 'mlflow.db'}"
    words = ("mlflow", "migrate-filestore", "--source", str(folder), "--target", target)
    return shlex.join(words)


def require_allowed(uri: str) -> None:
    """Raise :class:`StoreUnavailable` where this MLflow refuses file stores."""
    if folder_of(uri) is None or find_spec("mlflow.store.fs2db") is None:
        return
    from mlflow import environment_variables

    setting = getattr(environment_variables, _ALLOWED, None)
    if setting is None or setting.get():
        return
    folder = folder_of(uri)
    there = folder is not None and folder.is_dir() and any(folder.iterdir())
    first = f"'{redact(moving(uri))}' moves what is there; then" if there else "Type"
    raise StoreUnavailable(
        f"MLflow writes no file stores such as {redact(uri)} any more.",
        f"{first} mlflow.set_tracking_uri('sqlite:///mlflow.db'); "
        f"with {_ALLOWED}=true in the environment it still does.",
    )


def advice(uri: str) -> str:
    """Return what is said once of a file store that is still written; empty of other stores."""
    line = moving(uri)
    if not line or not os.environ.get(_ALLOWED):
        return ""
    return f"The store is a folder, which MLflow keeps up no longer: '{redact(line)}' moves it."
