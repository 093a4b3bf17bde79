"""What MLflow's calls for our runs are handed to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from cvtrack_magics.records import Record
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store.deferred import Point


class Route(Protocol):
    """What becomes of the calls for one run."""

    tables: dict[str, bytes]
    """Tables that were written, by their path."""

    @property
    def stored_id(self) -> str:
        """The run's id in the store; empty while the store does not have it."""

    @property
    def is_read(self) -> bool:
        """Whether somebody reads the points that this process writes to the run's journal."""

    @property
    def experiment_id(self) -> str:
        """The id of the run's experiment; empty while the store does not have the run."""

    @property
    def masking(self) -> RecordMasker | None:
        """What masks the secrets of the run."""

    @property
    def reachable(self) -> bool:
        """Whether the store took the last thing it was sent."""

    @property
    def resumed(self) -> bool:
        """Whether the store had some of the run before."""

    @property
    def artifact_uri(self) -> str:
        """Where the run's files are, as far as that is known here."""

    @property
    def is_direct(self) -> bool:
        """Whether the run's files lie on this disk, with no server between."""

    def points(self, points: Sequence[Point]) -> None:
        """Take points."""

    def facts(self, records: Sequence[Record]) -> None:
        """Take params, tags, artifacts, data sets or calls."""

    def param(self, key: str, value: str) -> str:
        """Return the value that a param has already, or this one, which it has from now on."""

    def room_for(self, size: int) -> bool:
        """Whether a copy of so many bytes may be kept until it is sent."""

    def answers(self) -> bool:
        """Whether the store seems to answer at this moment."""

    def flush(self) -> None:
        """Bring what was logged to the store before it is read back."""

    def ended(self, status: str = "FINISHED", end_time: int | None = None) -> bool:
        """Other code ends the run now; returns whether that is still to be told the store."""

    def entity(self) -> Any:
        """Return MLflow's picture of the run as it is known here."""

    def history(self, name: str) -> list[Any]:
        """Return the points of a metric as they are known here."""

    def files(self) -> dict[str, Path]:
        """Return the run's files that are still on this disk, by their paths in the run."""


class Found(Protocol):
    """Knows the routes."""

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process whose runs they are."""

    def route(self, run_id: Any) -> Route | None:
        """Return where the calls for a run go, or None when it is not ours."""

    def routes(self) -> list[Route]:
        """Return all routes."""

    def created(self, run: Any, uri: str) -> None:
        """Pass on that other code opened a run."""

    def open_on_disk(self, parent: Route, name: str, tags: dict[str, str]) -> Any:
        """Open a run in one of ours that the store cannot open now; return its picture."""
