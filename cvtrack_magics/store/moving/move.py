"""Moves a store, experiment by experiment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cvtrack_magics.errors import CvtrackError, StoreUnavailable, UsageProblem
from cvtrack_magics.redact import redact
from cvtrack_magics.store import credentials
from cvtrack_magics.store.alone import alone
from cvtrack_magics.store.asking import asking, said_by
from cvtrack_magics.store.client import client_of, creating
from cvtrack_magics.store.error_kinds import is_denied
from cvtrack_magics.store.file_store import folder_of
from cvtrack_magics.store.moving import runs, versions
from cvtrack_magics.store.moving.state import FROM, Moved, MovedRun, MovedVersion, Ways
from cvtrack_magics.store.pages import pages
from cvtrack_magics.store.probe import probe
from cvtrack_magics.store.uris import absolute, sqlite_file

_PAGE = 1000
GIVEN_UP = 3  # runs after one another that fail before the move ends


def move(
    source: str,
    target: str,
    experiments: Collection[str] = (),
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Moved:
    """Copy what a store has to another; what is there already is left as it is.

    Parameters
    ----------
    source, target : str
        Tracking URIs.
    experiments : collection of str
        The names of those to be moved; all of them otherwise.
    dry_run : bool
        Only say what would be done.
    progress : callable
        Told how many runs are done, and how many there are.

    Raises
    ------
    UsageProblem
        Both are the same store; there is no such store or experiment.
    StoreUnavailable
        A store does not answer, or does not let this user do it.
    """
    source, target = absolute(source), absolute(target)
    if source.rstrip("/") == target.rstrip("/"):
        raise UsageProblem(
            f"Both are {redact(source)}.",
            "Set MLFLOW_TRACKING_URI to the team's server, or name it with --to.",
        )
    _must_be_there(source)
    for uri in (source, target):
        probe(uri, 20.0)
    credentials.note(target)  # who says where to move to means the environment's for it
    ways = Ways(
        client_of(source),
        client_of(target),
        Moved(redact(source), redact(target), dry_run),
        progress,
    )
    with alone(f"move to {target}"), asking("move the store"), creating():
        _move(ways, experiments)
    return ways.moved


def _must_be_there(uri: str) -> None:
    """Refuse a store that MLflow would make, empty, because it was asked for."""
    file = sqlite_file(uri) if uri.startswith("sqlite") else folder_of(uri)
    if file is not None and not file.exists():
        raise UsageProblem(
            f"There is no store {redact(uri)}.", "Name the store to be moved: sqlite:///mlflow.db"
        )


def _move(ways: Ways, names: Collection[str]) -> None:
    found = {one.name: one for one in pages(ways.source.search_experiments, _PAGE)}
    unknown = sorted(set(names) - found.keys())
    if unknown:
        raise UsageProblem(
            f"There is no experiment {unknown[0]!r} in the store.",
            f"It has {', '.join(map(repr, sorted(found)))}."[:300],
        )
    chosen = [one for name, one in found.items() if not names or name in names]
    listed = [(one, run) for one in chosen for run in _runs(ways.source, one.experiment_id)]
    by_id = {run.info.run_id: one for one, run in listed}
    order = runs.parents_first([run for _, run in listed])
    _look_for_files(ways, listed)
    places: dict[str, tuple[Any, dict[str, Any]]] = {}
    failed = 0
    for number, run in enumerate(order):
        ways.progress(number, len(order))
        try:
            _one_run(ways, run, by_id[run.info.run_id], places)
            failed = 0
        except Exception as error:
            failed += 1
            if is_denied(error) or failed == GIVEN_UP:
                raise
            why = str(error) if isinstance(error, CvtrackError) else said_by(error)
            ways.moved.left.append(f"run {run.info.run_name!r} ({run.info.run_id}): {why}")
    ways.progress(len(order), len(order))
    _models(ways, everything=not names)
    _say_what_stays(ways)


def _one_run(
    ways: Ways, run: Any, experiment: Any, places: dict[str, tuple[Any, dict[str, Any]]]
) -> None:
    name = experiment.name
    if name not in places:
        place = _place(ways, experiment)
        old = list(_runs(ways.target, place.experiment_id)) if place else []
        marked = {one.data.tags[FROM]: one for one in old if FROM in one.data.tags}
        places[name] = (place, marked)
    place, there = places[name]
    mine = there.get(run.info.run_id)
    if not ways.moved.tried:
        ways.moved.runs.append(runs.copy_run(ways, run, place, mine))
        return
    new = mine.info.run_id if mine is not None else ""
    ways.ids[run.info.run_id] = new
    said = (run.info.run_name or "", name, run.info.run_id, new, run.info.status)
    ways.moved.runs.append(MovedRun(*said, was_there=mine is not None))


def _place(ways: Ways, experiment: Any) -> Any:
    """Return the target's experiment of that name, which is made where there is none."""
    found = ways.target.get_experiment_by_name(experiment.name)
    if found is None and not ways.moved.tried:
        made = ways.target.create_experiment(experiment.name, tags=dict(experiment.tags or {}))
        found = ways.target.get_experiment(made)
    if found is not None and found.lifecycle_stage != "active":
        raise StoreUnavailable(
            f"Experiment {experiment.name!r} is deleted there.",
            f"Bring it back: mlflow experiments restore --experiment-id {found.experiment_id}",
        )
    return found


def _models(ways: Ways, *, everything: bool) -> None:
    for model in versions.registered(ways.source):
        if versions.is_prompt(model):
            ways.moved.left.append(f"prompt {model.name!r}: prompts are not moved")
            continue
        if ways.moved.tried:
            for version in versions.versions_of(ways.source, model.name):
                if everything or version.run_id in ways.ids:
                    said = MovedVersion(model.name, str(version.version), "")
                    ways.moved.versions.append(said)
        elif everything or any(
            version.run_id in ways.ids for version in versions.versions_of(ways.source, model.name)
        ):
            versions.copy_model(ways, model)


def _look_for_files(ways: Ways, listed: list[tuple[Any, Any]]) -> None:
    """Say of experiments whose folders are not here that their files are not moved."""
    for name, location in {(one.name, str(one.artifact_location or "")) for one, _ in listed}:
        parts = urlsplit(location)
        folder = Path(unquote(parts.path))
        if parts.scheme not in ("", "file") or folder.exists():
            continue
        line = f"the files of experiment {name!r}: their folder {folder} is not there"
        # MLflow makes the folder with the first file; a run of ours has files
        has = any(one.name == name and _is_ours(run) for one, run in listed)
        (ways.moved.left if has else ways.moved.notes).append(line)


def _is_ours(run: Any) -> bool:
    return any(key.startswith("cvtrack.") for key in run.data.tags)


def _say_what_stays(ways: Ways) -> None:
    going = sum(run.status == "RUNNING" for run in ways.moved.runs)
    if going:
        ways.moved.notes.append(
            f"{going} {'runs are' if going > 1 else 'run is'} said to be running still: the same "
            "line adds what comes."
        )


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    return pages(lambda **page: client.search_runs([experiment], **page), _PAGE)
