"""Which tracking store is in force: the one that the environment or code names, or the default."""

from __future__ import annotations

import os
from pathlib import Path

from cvtrack_magics.redact import redact
from cvtrack_magics.store import credentials
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.uris import absolute, sqlite_file


class CurrentStore:
    """The store of this session, set as MLflow's own where nobody names one.

    Parameters
    ----------
    default_uri : str
        Used when neither the environment nor ``mlflow.set_tracking_uri`` names one.
    """

    def __init__(self, default_uri: str) -> None:
        self._default_uri = default_uri
        self._set_by_us = ""
        self._told = os.environ.get("MLFLOW_TRACKING_URI", "")

    @property
    def uri(self) -> str:
        """The tracking URI now in force.

        A store that was named once stays the one of the session when its name is away from
        the environment, which code can empty for a moment.
        """
        module = mlflow()
        self._give_way()
        if module.is_tracking_uri_set():
            now = str(module.get_tracking_uri())
            self._told = self._told if now == self._set_by_us else absolute(now)
        else:
            self._set_by_us = self._told or absolute(self._default_uri)
            module.set_tracking_uri(self._set_by_us)
        uri = str(module.get_tracking_uri())
        credentials.note(uri)
        return uri

    def _give_way(self) -> None:
        """Take a store back that was set here, where the environment names another now."""
        from mlflow.tracking._tracking_service import utils

        named = os.environ.get("MLFLOW_TRACKING_URI")
        if named and self._set_by_us not in ("", named) and utils._tracking_uri == self._set_by_us:
            utils._tracking_uri = None
            self._set_by_us = ""

    def go_to(self, uri: str) -> bool:
        """Take a store where none was named yet; return whether it is the one in force."""
        if self.uri == self._set_by_us and not self._told:
            mlflow().set_tracking_uri(uri)
            self._told, self._set_by_us = absolute(uri), ""
        return absolute(self.uri) == absolute(uri)

    def settle(self) -> None:
        """Make the default store the one in force, where no other was ever named."""
        if not self._told:
            self.uri  # noqa: B018 (setting it is what is wanted)

    def release(self) -> None:
        """Take the default store back, where it is still the one in force."""
        if self._set_by_us and mlflow().get_tracking_uri() == self._set_by_us:
            named = os.environ.get("MLFLOW_TRACKING_URI") if self._told else None
            mlflow().set_tracking_uri(None)
            if named:
                os.environ["MLFLOW_TRACKING_URI"] = named
        self._set_by_us = ""

    @property
    def place(self) -> str:
        """Where the store is, in words fit to be shown; short when it is close by."""
        file = sqlite_file(self.uri) if self.uri.startswith("sqlite") else None
        if file is None:
            return redact(self.uri)
        try:
            here = Path.cwd()
        except OSError:  # the folder is gone
            return str(file)
        return str(file.relative_to(here) if file.is_relative_to(here) else file)
