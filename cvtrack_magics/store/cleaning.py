"""Masks what MLflow's own calls hand over for a run of ours."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cvtrack_magics.records import Artifact, Param, Tag
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.secrets.stored import digits_of
from cvtrack_magics.store.client import mlflow

_NAMED: dict[str, type[Param] | type[Tag]] = {"log_param": Param, "set_tag": Tag}


@contextmanager
def cleaned(
    masker: RecordMasker, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Give the arguments of a call without secrets; a text file is a copy while the call goes on.

    Parameters
    ----------
    masker : RecordMasker
        Masks and counts.
    name : str
        The method of ``MlflowClient``.
    args, kwargs : tuple and dict
        Its arguments, the run's id first; of ``create_run`` they are those of a nested one.
    """
    names = _ARGUMENTS.get(name)
    if names is None:
        yield args, kwargs
        return
    given = dict(zip(names, args, strict=False))
    rest = args[len(names) :]
    both = {**given, **{k: v for k, v in kwargs.items() if k in names}}
    with (
        tempfile.TemporaryDirectory(prefix="cvtrack-")
        if name == "log_artifact"
        else _nowhere() as at
    ):
        fresh = _fresh(masker, name, both, at)
        yield (
            (*(fresh[key] for key in given), *rest),
            {k: fresh.get(k, v) for k, v in kwargs.items()},
        )


_ARGUMENTS = {
    "log_metric": ("run_id", "key"),
    "log_param": ("run_id", "key", "value"),
    "set_tag": ("run_id", "key", "value"),
    "log_batch": ("run_id", "metrics", "params", "tags"),
    "log_artifact": ("run_id", "local_path"),
    "update_run": ("run_id", "status", "name"),
    "log_inputs": ("run_id", "datasets", "models"),
    "create_run": ("experiment_id", "start_time", "tags", "run_name"),
}


@contextmanager
def _nowhere() -> Iterator[str]:
    yield ""


def _fresh(masker: RecordMasker, name: str, given: dict[str, Any], at: str) -> dict[str, Any]:
    given = dict(given)
    if name in _NAMED and "key" in given and "value" in given:
        value = given["value"]
        record = _NAMED[name](str(given["key"]), str(value))
        clean = masker.records([record])[0]
        if clean != record and isinstance(clean, (Param, Tag)):
            given["key"], given["value"] = clean.key, clean.value
    elif name == "log_metric" and isinstance(given.get("key"), str):
        given["key"] = masker.metric(given["key"])
    elif name == "log_batch":
        given.update(_batch(masker, given))
    elif name == "update_run" and isinstance(given.get("name"), str):
        given["name"] = masker.text(given["name"], "the run's name")
    elif name == "create_run":
        if isinstance(given.get("run_name"), str):
            given["run_name"] = masker.text(given["run_name"], "a nested run's name")
        if given.get("tags"):
            given["tags"] = masker.tags({str(k): str(v) for k, v in given["tags"].items()})
    elif name == "log_inputs" and given.get("datasets"):
        given["datasets"] = [_input(masker, item) for item in given["datasets"]]
    elif name == "log_artifact":
        given["local_path"] = _file(masker, given.get("local_path"), at)
    return given


def _batch(masker: RecordMasker, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a batch holds without secrets."""
    entities = mlflow().entities
    clean: dict[str, Any] = {}
    if given.get("metrics"):
        clean["metrics"] = [_metric(masker, item) for item in given["metrics"]]
    for kind, ours, theirs in (
        ("params", Param, entities.Param),
        ("tags", Tag, entities.RunTag),
    ):
        if given.get(kind):
            records = masker.records([ours(str(x.key), str(x.value)) for x in given[kind]])
            clean[kind] = [theirs(r.key, r.value) for r in records if isinstance(r, (Param, Tag))]
    return clean


def _metric(masker: RecordMasker, item: Any) -> Any:
    """Return a metric without secrets in its name; one that has none as it is."""
    key = masker.metric(item.key) if isinstance(item.key, str) else item.key
    if key == item.key:
        return item
    return type(item)(**{**dict(item), "key": key})


def _input(masker: RecordMasker, item: Any) -> Any:
    """Return a data set as a run's input, without secrets in its source and its tags."""
    entities, found = mlflow().entities, item.dataset
    texts = {
        name: masker.text(text, f"data set {found.name!r}") if isinstance(text, str) else text
        for name in ("name", "source", "schema", "profile")
        for text in [getattr(found, name, None)]
    }
    digest = found.digest
    if not found.profile and any(texts[name] != getattr(found, name, None) for name in texts):
        digest = digits_of(digest)  # of its address: MLflow has no digest of data it has not read
    dataset = entities.Dataset(digest=digest, source_type=found.source_type, **texts)
    clean = masker.tags({str(tag.key): str(tag.value) for tag in item.tags or ()})
    return entities.DatasetInput(dataset, [entities.InputTag(*pair) for pair in clean.items()])


def _file(masker: RecordMasker, path: Any, at: str) -> Any:
    """Return the path of a masked copy, or the path as it is where nothing is to be masked."""
    try:
        source = Path(path)
        if not source.is_file():
            return path
        clean = masker.records([Artifact(source.name, source=source)])[0]
    except (OSError, TypeError, ValueError):
        return path
    if not isinstance(clean, Artifact) or clean.content is None:
        return path
    clone = Path(at) / source.name
    text = clean.content
    clone.write_bytes(text if isinstance(text, bytes) else text.encode())
    shutil.copystat(source, clone)
    return str(clone)
