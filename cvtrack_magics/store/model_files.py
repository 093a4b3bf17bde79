"""The files of a model's versions: where each has its own, and whether they are as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.client import client_of, mlflow, quietly
from cvtrack_magics.store.logged_models import FOLDER_TAG
from cvtrack_magics.store.registry import Version
from cvtrack_magics.store.run_files import RunFiles

DIGEST_TAG = "cvtrack.model_sha256"
EXPORT_TAG = "cvtrack.export_sha256."  # of a run, and the format behind it
WEIGHTS_TAG = "cvtrack.weights_sha256"
GRAPH_TAG = "cvtrack.graph"
PROVED_TAG = "cvtrack.proved"
UNPROVED_TAG = "cvtrack.unproved"
_OF_MLFLOW = "registered_model_meta"  # MLflow writes it into a folder that it downloads


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of all files below a folder, by path and content, in hexadecimal."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return _digest((path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths)


def digest_of_records(records: Iterable[Record], folder: str) -> str:
    """Return what :func:`digest_of` will say of artifacts below a folder, once they are stored."""
    return _digest(
        (record.path.removeprefix(f"{folder}/"), _content(record))
        for record in records
        if isinstance(record, Artifact)
    )


def _content(artifact: Artifact) -> bytes:
    if artifact.source is not None:
        return artifact.source.read_bytes()
    content = artifact.content or b""
    return content.encode() if isinstance(content, str) else content


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files):
        if name != _OF_MLFLOW:
            digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def digest_of_export(uri: str, run_id: str, format: str) -> str:
    """Return the SHA-256 that a run's export had when it was proved; empty of one of before.

    Raises
    ------
    StoreUnavailable
        The store does not say.
    """
    try:
        with quietly():
            tags = client_of(uri).get_run(run_id).data.tags
    except Exception as error:
        raise StoreUnavailable(f"The run cannot be read: {in_one_line(error)}") from error
    return str(tags.get(f"{EXPORT_TAG}{format}", ""))


def version_with(uri: str, run_id: str, weights: str) -> tuple[str, str]:
    """Return name and number of a run's newest version with these weights; empty without one.

    Raises
    ------
    StoreUnavailable
        The store does not say.
    """
    try:
        with quietly():
            found = client_of(uri).search_model_versions(f"run_id='{run_id}'")
    except Exception as error:
        raise StoreUnavailable(f"The versions cannot be listed: {said_by(error)}.") from error
    mine = [one for one in found if weights and one.tags.get(WEIGHTS_TAG) == weights]
    newest = max(mine, key=lambda one: int(one.creation_timestamp or 0), default=None)
    return ("", "") if newest is None else (str(newest.name), str(newest.version))


def folder_of(source: str, run_id: str) -> str:
    """Return the folder among a run's artifacts that an address names; empty for another's."""
    parts = PurePosixPath(source.replace("\\", "/")).parts
    if not run_id or run_id not in parts:
        return ""
    after = parts[parts.index(run_id) + 1 :]
    return "/".join(after[1:] if after[:1] == ("artifacts",) else after)


def taken(uri: str, run_id: str, folder: str, *, also_files: bool) -> bool:
    """Whether a folder of a run belongs to a version, or, with ``also_files``, has any files.

    Raises
    ------
    StoreUnavailable
        The store does not say.
    """
    client = client_of(uri)
    try:
        with quietly():
            if also_files and RunFiles(client, uri, run_id).listed(folder):
                return True
            versions = client.search_model_versions(f"run_id='{run_id}'")
            folders = [_folder(uri, run_id, version) for version in versions]
    except Exception as error:
        raise StoreUnavailable(f"The versions cannot be listed: {in_one_line(error)}") from error
    return folder in folders


def _folder(uri: str, run_id: str, version: Any) -> str:
    """Return the folder of a run that a version was made of; of a logged model it is a tag."""
    said = dict(version.tags or {}).get(FOLDER_TAG, "")
    if said:
        return str(said)
    return folder_of(
        _source(uri, str(version.name), str(version.version), str(version.source)), run_id
    )


def _source(uri: str, name: str, version: str, source: str) -> str:
    """Return where a version's files are; of a copy, where those of its original are."""
    if not source.startswith("models:"):
        return source
    return str(client_of(uri).get_model_version_download_uri(name, version))


def described_by(uri: str, version: Version, folder: Path) -> str:
    """Return the text of the ``MLmodel`` of a version, from its own source.

    Raises what the store of files raises, which says whether asking again would help.
    """
    with quietly():
        source = _source(uri, version.name, version.version, version.source)
        found = mlflow().artifacts.download_artifacts(
            artifact_uri=f"{source.rstrip('/')}/MLmodel", dst_path=str(folder), tracking_uri=uri
        )
    return Path(found).read_text("utf-8", "replace")


def download_version(uri: str, version: Version, folder: Path) -> Path:
    """Write the files of a version, from its own source, into a folder; return where they are.

    Raises
    ------
    StoreUnavailable
        They cannot be read.
    """
    try:
        with quietly():
            source = _source(uri, version.name, version.version, version.source)
            found = mlflow().artifacts.download_artifacts(
                artifact_uri=source, dst_path=str(folder), tracking_uri=uri
            )
    except Exception as error:
        raise StoreUnavailable(
            f"The files of {version.name} version {version.version} cannot be read: "
            f"{said_by(error)}."
        ) from error
    return Path(found)
