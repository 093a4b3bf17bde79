"""Tracking URIs of local stores."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def sqlite_file(uri: str) -> Path | None:
    """Return the database file of a ``sqlite:///`` URI, or None for one in memory."""
    name = unquote(uri.split("?", 1)[0].split(":///", 1)[-1])
    return Path(name) if name and name != ":memory:" and ":///" in uri else None


def absolute(uri: str) -> str:
    """Return a URI that still names the same store after ``os.chdir``."""
    file = sqlite_file(uri) if uri.startswith("sqlite") else None
    if file is not None and not file.is_absolute():
        query = uri.split("?", 1)[1:]
        return "?".join([f"sqlite:///{(Path.cwd() / file).as_posix()}", *query])
    if urlsplit(uri).scheme == "":
        return (Path.cwd() / uri).as_posix()
    return uri


def page_path(experiment_id: str, run_id: str = "") -> str:
    """Return what stands behind a server's address for a run or an experiment's runs.

    Without the word at its end MLflow 3 opens its pages for agents, where runs are evaluations.
    """
    run = f"/{run_id}" if run_id else ""
    return f"#/experiments/{experiment_id}/runs{run}?workflowType=machine_learning"
