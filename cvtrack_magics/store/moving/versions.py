"""Copies the registered models: versions in their order, aliases, stages, tags, descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.error_kinds import is_denied
from cvtrack_magics.store.moving.models import found_in
from cvtrack_magics.store.moving.state import FROM, MovedVersion, Ways
from cvtrack_magics.store.pages import pages

_PAGE = 100
_PROMPT = "mlflow.prompt.is_prompt"


def registered(client: Any) -> Iterator[Any]:
    """Go through the registered models."""
    return pages(client.search_registered_models, _PAGE)


def versions_of(client: Any, name: str) -> list[Any]:
    """Return the versions of a model, the oldest first."""
    said = name.replace("'", "''")
    found = pages(lambda **page: client.search_model_versions(f"name='{said}'", **page), _PAGE)
    return sorted(found, key=lambda version: int(version.version))


def is_prompt(model: Any) -> bool:
    """Whether a registered model is a prompt, which MLflow keeps beside the models."""
    return str((model.tags or {}).get(_PROMPT, "")).lower() == "true"


def copy_model(ways: Ways, model: Any) -> None:
    """Copy a registered model, or what is missing of it."""
    name, versions = model.name, versions_of(ways.source, model.name)
    there = _there(ways, name)
    if there is None:
        ways.target.create_registered_model(name, dict(model.tags or {}), model.description or None)
        there = {}
    aliases: dict[str, list[str]] = {}
    for alias, number in (ways.source.get_registered_model(name).aliases or {}).items():
        aliases.setdefault(str(number), []).append(str(alias))
    for version in versions:
        mark = f"{name}/{version.version}/{version.creation_timestamp}"
        found = there.get(mark)
        try:
            number = found or _made(ways, version, mark)
        except Exception as error:
            if is_denied(error):
                raise
            why = error.problem if isinstance(error, CvtrackError) else said_by(error)
            ways.moved.left.append(f"version {version.version} of {name!r}: {why}")
            continue
        names = tuple(sorted(aliases.get(str(version.version), [])))
        _give(ways, name, number, names)
        said = (name, str(version.version), number, names)
        ways.moved.versions.append(MovedVersion(*said, was_there=found is not None))


def _there(ways: Ways, name: str) -> dict[str, str] | None:
    """Return the numbers of what was moved before, by its mark; None without such a model."""
    try:
        ways.target.get_registered_model(name)
    except Exception as error:
        if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    found = versions_of(ways.target, name)
    return {str(one.tags[FROM]): str(one.version) for one in found if FROM in (one.tags or {})}


def _made(ways: Ways, version: Any, mark: str) -> str:
    _learn_models(ways, version)
    source = _place(ways, version)
    tags = {key: ways.in_words(value) for key, value in (version.tags or {}).items()}
    model = ways.ids.get(getattr(version, "model_id", None) or "")
    made = ways.target.create_model_version(
        version.name,
        source,
        run_id=ways.ids.get(version.run_id or ""),
        tags={**tags, FROM: mark},
        description=version.description or None,
        await_creation_for=60,
        **({"model_id": model} if model else {}),
    )
    stage = str(getattr(version, "current_stage", "") or "None")
    if stage != "None":
        ways.target.transition_model_version_stage(version.name, made.version, stage)
    return str(made.version)


def _learn_models(ways: Ways, version: Any) -> None:
    """Find what the models of a run are there, of one that was moved before."""
    new = ways.ids.get(version.run_id or "")
    named = str(version.source).startswith("models:") or bool(getattr(version, "model_id", ""))
    if not new or not named:
        return
    experiment = ways.target.get_run(new).info.experiment_id
    for model in found_in(ways.target, experiment, new):
        if FROM in model.tags:
            ways.ids[model.tags[FROM]] = model.model_id


def _place(ways: Ways, version: Any) -> str:
    """Return where a version's files are now.

    Raises
    ------
    CvtrackError
        They are not those of a run or a model that was moved.
    """
    source = str(version.source or "")
    scheme, _, rest = source.partition(":/")
    if scheme == "models" and rest.lstrip("/") in ways.ids:
        return f"models:/{ways.ids[rest.lstrip('/')]}"
    if version.run_id in ways.ids:
        old = ways.source.get_run(version.run_id).info.artifact_uri.rstrip("/")
        new = ways.target.get_run(ways.ids[version.run_id]).info.artifact_uri.rstrip("/")
        for start in (old, urlsplit(old).path, f"runs:/{version.run_id}"):
            below = source.removeprefix("file://") if start == urlsplit(old).path else source
            if below == start or below.startswith(f"{start}/"):
                return str(new + below[len(start) :])
    for old, new in ways.ids.items():
        if old.startswith("m-") and f"/{old}/" in f"{source}/":
            return f"models:/{new}"
    raise CvtrackError(f"its files lie at {source!r}, which is no run that was moved")


def _give(ways: Ways, name: str, number: str, aliases: tuple[str, ...]) -> None:
    """Give a version its aliases, but none that stands for another version there."""
    if not aliases:
        return
    taken = ways.target.get_registered_model(name).aliases or {}
    for alias in aliases:
        if alias not in taken:
            ways.target.set_registered_model_alias(name, alias, number)
        elif str(taken[alias]) != number:
            ways.moved.notes.append(
                f"@{alias} of {name!r} stands for version {taken[alias]} there, and stays so "
                f"(here it was what is version {number} there)."
            )
