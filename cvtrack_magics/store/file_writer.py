"""Folders of files to where they are kept: a run's artifacts, or those of one of its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from cvtrack_magics.records import LoggedModel, Refused
from cvtrack_magics.store import answers, logged_models
from cvtrack_magics.store.isolating import Doubts, Sieve, can_be_the_items
from cvtrack_magics.store.logged_models import StoredModel
from cvtrack_magics.store.uploads import check_by


class Place(Protocol):
    """Where files are written to."""

    def put_folder(self, folder: Path) -> None:
        """Write all that is in a folder."""

    def put_file(self, file: Path, at: str | None) -> None:
        """Write one file into a folder."""

    def listed(self, at: str | None) -> Sequence[Any]:
        """Return what lies in a folder."""


class OfRun:
    """The artifacts of a run."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def put_folder(self, folder: Path) -> None:
        """Write all that is in a folder."""
        self._client.log_artifacts(self._run_id, str(folder))

    def put_file(self, file: Path, at: str | None) -> None:
        """Write one file into a folder."""
        self._client.log_artifact(self._run_id, str(file), at)

    def listed(self, at: str | None) -> Sequence[Any]:
        """Return what lies in a folder."""
        found: Sequence[Any] = self._client.list_artifacts(self._run_id, at)
        return found


class OfModel:
    """The artifacts of a logged model."""

    def __init__(self, client: Any, model: StoredModel) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self._repository = get_artifact_repository(model.location, tracking_uri=client.tracking_uri)

    def put_folder(self, folder: Path) -> None:
        """Write all that is in a folder."""
        self._repository.log_artifacts(str(folder))

    def put_file(self, file: Path, at: str | None) -> None:
        """Write one file into a folder."""
        self._repository.log_artifact(str(file), at)

    def listed(self, at: str | None) -> Sequence[Any]:
        """Return what lies in a folder."""
        found: Sequence[Any] = self._repository.list_artifacts(at)
        return found


class FileWriter:
    """Writes files and models of one run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        The client of the run's store.
    run_id : str
        The run.
    doubts : Doubts
        What is remembered of earlier tries.
    """

    def __init__(self, client: Any, run_id: str, doubts: Doubts) -> None:
        self._client = client
        self._run_id = run_id
        self._doubts = doubts
        self._met: set[tuple[str, str]] = set()

    def folder(self, folder: Path, models: Sequence[LoggedModel] = ()) -> list[Refused]:
        """Upload what is in a folder: files of models to those, and the rest to the run."""
        if not folder.is_dir():
            return []
        refused: list[Refused] = []
        taken: list[Path] = []
        for model in models:
            its_own = folder.joinpath(*model.folder.split("/"))
            if its_own.is_dir() and not self._was_met(model):
                said = self._model(model, its_own)
                refused += said or []
                taken += [] if said is None else [its_own]
        own = OfRun(self._client, self._run_id)
        if not taken:
            return [*refused, *self._into(own, folder)]
        left = [f for f in _files_in(folder) if not any(map(f.is_relative_to, taken))]
        return [*refused, *self._one_by_one(own, folder, left)]

    def models(self, models: Sequence[LoggedModel]) -> list[Refused]:
        """Write what is known of models that have no files here."""
        left = [model for model in models if not self._was_met(model)]
        return [refused for model in left for refused in self._model(model, None) or ()]

    def _was_met(self, model: LoggedModel) -> bool:
        return model.is_final and (model.key, model.status) in self._met

    def _model(self, record: LoggedModel, folder: Path | None) -> list[Refused] | None:
        """Write a model; return what of it was refused, or None where there is no such thing."""
        if record.is_final:
            self._met.add((record.key, record.status))  # also where its files are held
        made: list[StoredModel | None] = []
        sieve: Sieve[LoggedModel] = Sieve(
            self._client,
            self._run_id,
            "model",
            send=lambda some: made.append(logged_models.begin(self._client, self._run_id, some[0])),
            describe=lambda item: (item.folder, {"status": item.status}),
            doubts=self._doubts,
        )
        refused = sieve.write([record])
        model = made[-1] if made else None
        if model is None:
            return refused or None
        if folder is not None:
            refused = self._into(OfModel(self._client, model), folder, f"{record.folder}/")
        if record.is_final:
            why = refused[0].text if refused else ""
            if record.status == "READY" and folder is None:
                why = "Its files are missing."
            ended = _failed(record, why) if why else record
            logged_models.finish(self._client, self._run_id, model, ended)
        return refused

    def _into(self, place: Place, folder: Path, start: str = "") -> list[Refused]:
        """Upload a folder; what alone is refused is found file by file."""
        try:
            answers.were_uploads()
            place.put_folder(folder)
            if answers.were_uploads():
                check_by(place.listed, folder)
            return []
        except Exception as error:
            if not can_be_the_items(error):
                raise
        return self._one_by_one(place, folder, _files_in(folder), start)

    def _one_by_one(
        self, place: Place, folder: Path, files: Sequence[Path], start: str = ""
    ) -> list[Refused]:
        def send(some: Sequence[Path]) -> None:
            answers.were_uploads()
            for file in some:
                at = file.parent.relative_to(folder).as_posix()
                place.put_file(file, None if at == "." else at)
            if answers.were_uploads():
                check_by(place.listed, folder, some)

        def describe(file: Path) -> tuple[str, dict[str, object]]:
            return start + file.relative_to(folder).as_posix(), {"source": file}

        if not files:
            return []
        sieve = Sieve(
            self._client, self._run_id, "file", send=send, describe=describe, doubts=self._doubts
        )
        return sieve.write(files)


def _files_in(folder: Path) -> list[Path]:
    return sorted(item for item in folder.rglob("*") if item.is_file())


def _failed(record: LoggedModel, why: str) -> LoggedModel:
    tags = {**record.tags, logged_models.WHY_TAG: why[:400]}
    return replace(record, status="FAILED", tags=tags)
