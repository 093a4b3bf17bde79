"""Several runs read side by side: a request each for what is asked, and none waits for another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.resuming import histories
from cvtrack_magics.store.run_reader import StoredRun, stored_run
from cvtrack_magics.store.writer import Point

AT_ONCE = 8
"""Requests that are under way at a time."""
MOST_FILES = 5_000
MOST_LEVELS = 8
FOLDERS = ("code", "environment", "configs", "datasets", "evaluation")
"""Whose files are listed; pictures, checkpoints and models are not."""

T = TypeVar("T")
R = TypeVar("R")


def read_runs(
    uri: str, run_ids: Sequence[str], wanted: Callable[[str, int], bool]
) -> list[StoredRun]:
    """Read runs, their files in ``FOLDERS``, and the texts of those that are wanted.

    Parameters
    ----------
    uri : str
        The tracking store.
    run_ids : sequence of str
        Their ids.
    wanted : callable
        Told a path and its bytes, says whether the text is to be read.

    Raises
    ------
    StoreUnavailable
        The store does not answer, or has no such run.
    """
    client = client_of(uri)
    runs = _all("read the runs", client.get_run, run_ids)
    places = sorted({str(run.info.experiment_id) for run in runs})
    names = dict(
        zip(places, _all("read", lambda at: client.get_experiment(at).name, places), strict=True)
    )
    files = _all("list the files of the runs", lambda run_id: _files(client, run_id), run_ids)
    paths = [
        (run_id, path)
        for run_id, found in zip(run_ids, files, strict=True)
        for path, size in found.items()
        if wanted(path, size)
    ]
    texts = read_texts(uri, paths)
    return [
        stored_run(
            run,
            str(names[str(run.info.experiment_id)]),
            found,
            {path: text for (of, path), text in texts.items() if of == run_id},
        )
        for run_id, run, found in zip(run_ids, runs, files, strict=True)
    ]


def read_texts(uri: str, paths: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the texts of artifacts, by run and path.

    A file that does not lie below its run's folder, or cannot be read, is left out.
    """
    client, wanted = client_of(uri), [(of, path) for of, path in paths if _is_below(path)]
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:

        def read(item: tuple[int, tuple[str, str]]) -> str | None:
            number, (run_id, path) = item
            # a name of ours: what the store calls a file is no path on this disk
            target = Path(folder, str(number))
            try:
                _repository(client, run_id)._download_file(path, str(target))
                return target.read_bytes().decode("utf-8", "replace")
            except Exception:
                return None

        found = _all("read the files of the runs", read, list(enumerate(wanted)))
    return {key: text for key, text in zip(wanted, found, strict=True) if text is not None}


def read_curves(uri: str, names: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[Point]]]:
    """Return all points of some metrics, by run and name, each in the order of time.

    Parameters
    ----------
    uri : str
        The tracking store.
    names : mapping of str to sequence of str
        The metrics of each run, by the run's id.
    """
    pairs = [(run_id, name) for run_id, some in names.items() for name in some]
    found = _all(
        "read the curves of the runs", lambda pair: histories(uri, pair[0], [pair[1]]), pairs
    )
    curves: dict[str, dict[str, list[Point]]] = {run_id: {} for run_id in names}
    for (run_id, _), one in zip(pairs, found, strict=True):
        curves[run_id].update(one)
    return curves


def _all(what: str, ask: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Ask for each item, several at a time; the answers are in the items' order."""

    def quiet(item: T) -> R:
        with quietly():
            return ask(item)

    try:
        with ThreadPoolExecutor(AT_ONCE, "cvtrack-read") as pool:
            return list(pool.map(quiet, items))
    except Exception as error:
        raise StoreUnavailable(f"MLflow could not {what}: {in_one_line(error, 300)}") from error


def _repository(client: Any, run_id: str) -> Any:
    """Return where a run's files are; MLflow asks for the run once, and not for each file."""
    return client._tracking_client._get_artifact_repo(run_id)


def _files(client: Any, run_id: str) -> dict[str, int]:
    """Return the files in ``FOLDERS`` with their bytes."""
    repository, found = _repository(client, run_id), dict[str, int]()
    top = {str(item.path) for item in repository.list_artifacts(None) if item.is_dir}
    ahead = [(folder, 1) for folder in FOLDERS if folder in top]
    while ahead and len(found) < MOST_FILES:
        folder, level = ahead.pop()
        for item in repository.list_artifacts(folder):
            path = str(item.path)
            if not item.is_dir:
                found[path] = int(item.file_size or 0)
            elif level < MOST_LEVELS and path.startswith(f"{folder}/"):
                ahead.append((path, level + 1))
    return found


def _is_below(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/") and "\\" not in path
