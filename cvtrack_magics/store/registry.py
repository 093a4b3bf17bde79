"""The model registry: versions, their aliases, stages and tags.

Every change made here may be made twice without harm, so a call that failed for a reason
that passes (a locked database, an overloaded server, a lost answer) is made again.
"""

from __future__ import annotations

import inspect
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from cvtrack_magics.errors import CvtrackError, StoreUnavailable, UsageProblem
from cvtrack_magics.redact import in_one_line, redact
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.client import client_of, creating
from cvtrack_magics.store.denials import what_to_set
from cvtrack_magics.store.error_kinds import is_denied, is_refusal
from cvtrack_magics.store.notes import OURS, is_a_persons, known_by

T = TypeVar("T")

PATIENCE = 20.0  # seconds after which a failed call is not made again
LONGEST_CALL = 40.0  # seconds: the patience, and one last request as long as a request may take
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds
_PAGE = 1000
_UNFIT = re.compile(r'[/\\:"\x00-\x1f\x7f\u0085\u2028\u2029]')
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_MISSING = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model; ``created`` is Unix time in milliseconds."""

    name: str
    version: str
    run_id: str
    stage: str = "None"
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    created: int = 0
    source: str = ""


class Registry:
    """The registered models of one store.

    Parameters
    ----------
    uri : str
        An MLflow tracking URI. The registry is the one beside the runs, unless
        ``mlflow.set_registry_uri`` or ``MLFLOW_REGISTRY_URI`` names another.
    patience : float
        Seconds after which a call that keeps failing is given up.

    Raises
    ------
    UsageProblem
        From any method: there is no such model or version, or the name cannot be one.
    CvtrackError
        From any method: MLflow refuses what was asked.
    StoreUnavailable
        From any method: the store still fails when the patience is over.
    """

    def __init__(self, uri: str, patience: float = PATIENCE) -> None:
        self.uri = uri
        self._patience = patience

    @cached_property
    def _client(self) -> Any:
        return client_of(self.uri)

    def names(self) -> list[str]:
        """Return the registered models, at most the first 1,000."""
        found = self._call(
            "list the registered models",
            lambda client: client.search_registered_models(None, _PAGE),
        )
        return [str(model.name) for model in found]

    def version(self, name: str, version: str) -> Version:
        """Return one version, with its aliases."""
        if not _NUMBER.fullmatch(str(version)):
            raise UsageProblem(
                f"{str(version)[:40]!r} is no version of {name!r}.", "Versions are numbers: 1, 2 …"
            )
        model = self._model(name)
        what = f"find version {version} of {name!r}"
        found = self._call(what, lambda client: client.get_model_version(name, str(version)))
        return _version(found, model.aliases)

    def by_alias(self, name: str, alias: str) -> Version | None:
        """Return the version that has an alias; None where no version has it."""
        version = self.aliases(name).get(alias)
        return None if version is None else self.version(name, version)

    def by_stage(self, name: str, stage: str) -> list[Version]:
        """Return the versions in a stage, the oldest first."""
        return [version for version in self.versions(name) if version.stage == stage]

    def versions(self, name: str) -> list[Version]:
        """Return all versions, the oldest first; none of a model that does not exist."""
        if _is_unfit(name):
            return []
        found = list(self._pages(name))
        aliases = self._model(name).aliases if found else {}
        return sorted((_version(v, aliases) for v in found), key=lambda v: int(v.version))

    def aliases(self, name: str) -> dict[str, str]:
        """Return the version that each alias stands for."""
        return {str(k): str(v) for k, v in self._model(name).aliases.items()}

    def tags(self, name: str) -> dict[str, str]:
        """Return the tags of the registered model itself."""
        return {str(k): str(v) for k, v in self._model(name).tags.items()}

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias stand for a version, whatever it stood for."""
        what = f"let {alias!r} stand for version {version} of"
        self._change(name, what, lambda c: c.set_registered_model_alias(name, alias, version))

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away; it need not be there."""
        what = f"take {alias!r} from"
        self._change(name, what, lambda c: c.delete_registered_model_alias(name, alias))

    def set_tag(self, name: str, key: str, value: str, version: str | None = None) -> None:
        """Set a tag of a version, or of the registered model itself."""
        if version is None:
            self._change(name, "tag", lambda c: c.set_registered_model_tag(name, key, value))
        else:
            what = f"tag version {version} of"
            self._change(name, what, lambda c: c.set_model_version_tag(name, version, key, value))

    def delete_tag(self, name: str, key: str, version: str | None = None) -> None:
        """Remove a tag of a version, or of the registered model; it need not be there."""
        if version is None:
            self._change(name, "untag", lambda c: c.delete_registered_model_tag(name, key))
        else:
            what = f"untag version {version} of"
            self._change(name, what, lambda c: c.delete_model_version_tag(name, version, key))

    def set_stage(self, name: str, version: str, stage: str) -> None:
        """Move one version to a stage; no other version is touched."""

        def move(client: Any) -> None:
            # without the decorator that warns: filters of warnings belong to all threads
            transition = inspect.unwrap(type(client).transition_model_version_stage)
            transition(client, name, version, stage)

        self._change(name, f"move version {version} to {stage} of", move)

    def set_description(self, name: str, version: str, text: str) -> None:
        """Set the description of a version."""
        what = f"describe version {version} of"
        self._change(name, what, lambda c: c.update_model_version(name, version, text))

    def describe(self, name: str, version: str, text: str) -> bool:
        """Set the description of a version, unless a person wrote it; return whether it is set."""
        now = self.version(name, version)
        if is_a_persons(now.description, now.tags.get(OURS, "")):
            return False
        self.set_tag(name, OURS, known_by(now.description, text), version)
        self.set_description(name, version, text)
        return True

    def _model(self, name: str) -> Any:
        _check(name)
        what = f"find the registered model {name!r}"
        return self._call(what, lambda client: client.get_registered_model(name))

    def _pages(self, name: str) -> Iterator[Any]:
        def page(client: Any) -> Any:
            # in an order that no change disturbs, for the next page begins at an offset
            return client.search_model_versions(
                f'name="{name}"', _PAGE, ["version_number ASC"], page_token=token
            )

        token: str | None = None
        while True:
            found = self._call(f"list the versions of {name!r}", page)
            yield from (version for version in found if version.name == name)
            token = found.token
            if not token:
                return

    def _change(self, name: str, what: str, change: Callable[[Any], object]) -> None:
        _check(name)
        self._call(f"{what} {name!r}", change)

    def _call(self, what: str, action: Callable[[Any], T]) -> T:
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                with creating():  # MLflow's own retries would outlast our patience
                    return action(self._client)
            except Exception as error:
                _raise_refusal(what, error)
                # spread out, or those who collided once collide again
                wait = pause * random.uniform(0.5, 1.0)  # noqa: S311
                if time.monotonic() + wait > deadline:
                    raise StoreUnavailable(
                        f"MLflow could not {what}: {in_one_line(error)}",
                        f"Try again when the store {redact(self.uri)} answers.",
                    ) from error
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)


def _version(found: Any, aliases: Mapping[str, Any]) -> Version:
    number = str(found.version)
    return Version(
        name=str(found.name),
        version=number,
        run_id=str(found.run_id or ""),
        stage=str(found.current_stage or "None"),
        # a listing leaves them out
        aliases=tuple(sorted(alias for alias, to in aliases.items() if str(to) == number)),
        tags=dict(found.tags or {}),
        description=str(found.description or ""),
        created=int(found.creation_timestamp or 0),
        source=str(found.source or ""),
    )


def _is_unfit(name: str) -> bool:
    return not name.strip(" .") or len(name) > 250 or bool(_UNFIT.search(name))


def _check(name: str) -> None:
    """Refuse what old versions of MLflow would take for a path or for part of a query."""
    if _is_unfit(name):
        raise UsageProblem(
            f"{name[:60]!r} cannot be the name of a registered model.",
            'A name has none of / \\ : " and no line breaks.',
        )


def _raise_refusal(what: str, error: Exception) -> None:
    """Raise, in our words, an error that trying again would bring again."""
    if getattr(error, "error_code", "") == _MISSING:
        raise UsageProblem(
            f"MLflow could not {what}: {in_one_line(error)}.", "Is it spelt as in the registry?"
        ) from error
    if is_refusal(error) or is_denied(error):
        problem = f"MLflow refused to {what}: {said_by(error)}."
        raise CvtrackError(problem, what_to_set(error)) from error
