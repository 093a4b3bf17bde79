"""MLflow's own calls for runs that are open here take our way.

``mlflow.log_metric(s)``, autologging and other libraries' loggers all end in methods of
``MlflowClient``. While a run of ours is open these methods look whether the call is for
one, and hand its points to the journal instead of waiting for the store; every other
call is passed on as it came. :mod:`cvtrack_magics.store.calls` says what becomes of each.
When the last run is closed MLflow is as it was, but for what :mod:`.afterwards` masks.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store import afterwards, artifact_reads, forked
from cvtrack_magics.store.calls import PARENT, Calls
from cvtrack_magics.store.cleaning import cleaned
from cvtrack_magics.store.client import mlflow, ours
from cvtrack_magics.store.reloads import Reloads
from cvtrack_magics.store.routes import Route

__all__ = ["Interception", "Route"]

POINTS = ("log_metric", "log_batch")
"""What a forked child's calls send our way; all else it does as plain MLflow."""

Created = Callable[[Any, str], None]
"""Told of a run (and its tracking URI) that other code opened while ours is open."""
OnDisk = Callable[[Route, str, dict[str, str]], Any]
"""Opens a run in one of ours, of this name and with these tags, that the store cannot open."""


class Interception:
    """What is put into MLflow while runs are open.

    Parameters
    ----------
    created : callable
        Told of runs that other code opens meanwhile.
    on_disk : callable
        Opens runs that other code wants to open while the store is away.
    """

    def __init__(self, created: Created, on_disk: OnDisk) -> None:
        self._created = created
        self._on_disk = on_disk
        self._pid = os.getpid()
        self._routes: dict[str, Route] = {}
        self._originals: list[tuple[type, str, Any]] = []
        self._lock = forks.rlock()
        self._pid = os.getpid()
        forked.begin_anew_in_children()
        self._give_back: Callable[[], None] = lambda: None
        self._reloads = Reloads("mlflow.tracking.client", lambda _: None, self._go_on)

    def add(self, run_id: str, route: Route) -> None:
        """Send the calls for a run our way."""
        with self._lock:
            self._routes[run_id] = route
            if not self._originals:
                self._install()

    def remove(self, run_ids: Iterable[str]) -> None:
        """Let the calls for some runs be; the last one gives MLflow back."""
        with self._lock:
            for run_id in run_ids:
                route = self._routes.pop(run_id, None)
                if route is not None and route.masking is not None:
                    afterwards.remember(run_id, route.masking)
            if not self._routes and self._originals:
                self._reloads.end()
                for client, name, original in self._originals:
                    setattr(client, name, original)
                self._originals = []
                self._give_back()

    def remove_all(self) -> None:
        """Let all calls be, and give MLflow back: no run is open any more."""
        with self._lock:
            self.remove([*self._routes])

    def _install(self) -> None:
        self._take(mlflow().MlflowClient)
        self._give_back = artifact_reads.take(self)
        self._reloads.begin()

    def _take(self, client: type) -> None:
        for name in dir(Calls):
            original = vars(client).get(name)
            if name.startswith("_") or original is None:
                continue
            self._originals.append((client, name, original))
            setattr(client, name, self._wrapped(original, getattr(Calls(self), name)))

    def _go_on(self, module: ModuleType) -> None:
        """Take the calls of a class that was made anew."""
        with self._lock:
            if self._originals:
                self._take(vars(module)["MlflowClient"])

    def _wrapped(self, original: Any, ours_instead: Any) -> Any:
        @functools.wraps(original)
        def method(client: Any, *args: Any, **kwargs: Any) -> Any:
            name, plain = original.__name__, functools.partial(original, client)
            if ours():
                return plain(*args, **kwargs)
            as_ever = self.forked and not self._has_a_way(name, args, kwargs)
            act = plain if as_ever else functools.partial(ours_instead, plain)
            masker = self._masker_of(name, args, kwargs)
            if masker is None:
                return act(*args, **kwargs)
            with cleaned(masker, name, args, kwargs) as (given, named):
                return act(*given, **named)

        return method

    def _has_a_way(self, name: str, args: Any, kwargs: dict[str, Any]) -> bool:
        """Whether a forked child's call goes our way: points, while the run is open above."""
        route = self.route(kwargs.get("run_id") or (args[0] if args else None))
        return name in POINTS and (route is None or route.is_read or not route.stored_id)

    def _masker_of(self, name: str, args: Any, kwargs: dict[str, Any]) -> RecordMasker | None:
        run_id = kwargs.get("run_id") or (args[0] if args else None)
        if name == "create_run":  # a nested one: what is masked in the run above is masked in it
            tags = kwargs.get("tags") or (args[2] if len(args) > 2 else None)
            run_id = tags.get(PARENT) if isinstance(tags, Mapping) else None
        route = self.route(run_id)
        return None if route is None else route.masking

    def route(self, run_id: Any) -> Route | None:
        """Return where the calls for a run go, or None when it is not ours."""
        return self._routes.get(run_id) if isinstance(run_id, str) else None

    def routes(self) -> list[Route]:
        """Return all routes."""
        with self._lock:
            return list(self._routes.values())

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process whose runs they are."""
        return os.getpid() != self._pid

    def open_on_disk(self, parent: Route, name: str, tags: dict[str, str]) -> Any:
        """Open a run in one of ours that the store cannot open now; return its picture."""
        return self._on_disk(parent, name, tags)

    def created(self, run: Any, uri: str) -> None:
        """Pass on that other code opened a run."""
        self._created(run, uri)
