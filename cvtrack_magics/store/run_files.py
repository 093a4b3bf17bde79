"""The files of a run by their paths, whether they are its own or those of its models.

MLflow 3 keeps a model's files in a place of the model's own. Who reads a run finds them in the
folder that the model stands for, as they lay there before.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.logged_models import StoredModel, by_folder, models_of


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or a folder, by its path in the run; ``size`` is in bytes."""

    path: str
    is_dir: bool
    size: int


class RunFiles:
    """The files of one run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        A client of the run's store.
    uri : str
        The store.
    run_id : str
        The run.
    """

    def __init__(self, client: Any, uri: str, run_id: str) -> None:
        self._client = client
        self._uri = uri
        self._run_id = run_id

    @cached_property
    def models(self) -> dict[str, StoredModel]:
        """The model that each folder stands for."""
        return by_folder(models_of(self._client, self._run_id) or [])

    def _model_at(self, path: str) -> tuple[StoredModel, str] | None:
        """Return the model that a path lies in, and the path there."""
        for folder, model in self.models.items():
            if path == folder or path.startswith(f"{folder}/"):
                return model, path[len(folder) + 1 :]
        return None

    def listed(self, folder: str = "") -> Sequence[Listed]:
        """Return what lies in a folder."""
        at = self._model_at(folder) if folder else None
        return self._of_model(folder, *at) if at else self._own(folder)

    def _own(self, folder: str) -> Sequence[Listed]:
        items = self._client.list_artifacts(self._run_id, folder or None)
        found = [Listed(str(i.path), i.is_dir, int(i.file_size or 0)) for i in items]
        start = f"{folder}/" if folder else ""
        # a folder of models is there although nothing else is in it
        inner = [path[len(start) :] for path in self.models if path.startswith(start)]
        more = dict.fromkeys(start + path.split("/", 1)[0] for path in inner)
        there = {item.path for item in found}
        return [*found, *(Listed(path, True, 0) for path in more if path not in there)]

    def _of_model(self, folder: str, model: StoredModel, below: str) -> Sequence[Listed]:
        items = mlflow().artifacts.list_artifacts(
            artifact_uri=_address(model, below), tracking_uri=self._uri
        )
        names = ((str(item.path).rstrip("/").rsplit("/", 1)[-1], item) for item in items)
        return [Listed(f"{folder}/{name}", i.is_dir, int(i.file_size or 0)) for name, i in names]

    def download(self, path: str, folder: Path) -> Path:
        """Write a file, or a folder of them, into a local folder; return where it is."""
        at = self._model_at(path)
        if at is None:
            return self._own_file(path, folder)
        target = folder.joinpath(*path.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        # the files of every model lie in a folder of the same name
        with tempfile.TemporaryDirectory(dir=folder) as apart:
            found = self._fetched(Path(apart), artifact_uri=_address(*at))
            if target.is_dir():
                shutil.rmtree(target)
            found.replace(target)
        return target

    def _own_file(self, path: str, folder: Path) -> Path:
        try:
            # MLflow's way by the run's id asks for the run twice, and for models, of each file
            repository = self._client._tracking_client._get_artifact_repo(self._run_id)
            folder.mkdir(parents=True, exist_ok=True)
            return Path(repository.download_artifacts(path, str(folder)))
        except Exception:  # it is said as MLflow says it, which also looks for models
            return self._fetched(folder, run_id=self._run_id, artifact_path=path)

    def _fetched(self, folder: Path, **where: str) -> Path:
        fetch = mlflow().artifacts.download_artifacts
        return Path(fetch(**where, dst_path=str(folder), tracking_uri=self._uri))


def _address(model: StoredModel, below: str) -> str:
    return f"{model.location}/{below}" if below else model.location
