"""The files of a run, as a server lists them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store import run_files
from cvtrack_magics.store import run_reader as reading
from cvtrack_magics.store.run_files import RunFiles

Listing = Callable[[str], list[tuple[str, bool]]]


class Server:
    """Lists what it likes."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.asked: list[str] = []

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, experiment_id="0"))

    def search_logged_models(self, **_: Any) -> Any:
        from mlflow.store.entities import PagedList

        return PagedList([], None)

    def list_artifacts(self, run_id: str, folder: str | None) -> list[Any]:
        self.asked.append(folder or "")
        return [
            SimpleNamespace(path=path, is_dir=is_folder, file_size=None if is_folder else 3)
            for path, is_folder in self.listing(folder or "")
        ]


def walked(listing: Listing) -> tuple[dict[str, int], list[str]]:
    server = Server(listing)
    return dict(reading._walk(RunFiles(server, "", "r"))), server.asked


TREE = {
    "": [("b", True), ("c", True), ("a.txt", False)],
    "b": [("b/d", True), ("b/x.txt", False)],
    "b/d": [("b/d/y.txt", False)],
    "c": [],
}


def test_files_are_listed_from_the_top() -> None:
    files, asked = walked(lambda folder: TREE[folder])
    assert list(files.items()) == [("a.txt", 3), ("b/x.txt", 3), ("b/d/y.txt", 3)]
    assert asked == ["", "b", "c", "b/d"]


CIRCLES: dict[str, Listing] = {
    "the top lists itself": lambda folder: [("", True), ("a.txt", False)],
    "a folder lists itself": lambda folder: [("b", True), ("a.txt", False)],
    "a folder lists the one above": lambda folder: [
        *([("", True)] if folder else [("b", True)]),
        ("a.txt", False),
    ],
    "two list each other": lambda folder: [("b" if folder == "c" else "c", True), ("a.txt", False)],
}


@pytest.mark.parametrize("name", CIRCLES)
def test_a_circle_of_folders_is_walked_once(name: str) -> None:
    files, asked = walked(CIRCLES[name])
    assert files == {"a.txt": 3}
    assert len(asked) == len(set(asked)) <= 3


ENDLESS: dict[str, Listing] = {
    "levels": lambda folder: [(f"{folder}/a".lstrip("/"), True)],
    "levels and files": lambda folder: [(f"{folder}/a", True), (f"{folder}/x.txt", False)],
    "folders": lambda folder: [(f"{folder}/{number}", True) for number in range(30)],
    "files": lambda folder: [(f"{number}.txt", False) for number in range(1001)],
    "the same file": lambda folder: [("a.txt", False)] * 1001,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_run_without_end_is_not_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FILES", 1000)
    with pytest.raises(CvtrackError, match="The run has more than 1,000 files or 64 levels"):
        walked(ENDLESS[name])


def test_the_texts_of_a_run_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 600_000)

    def download(*, artifact_path: str, **_: object) -> str:
        return str(tmp_path / artifact_path)

    artifacts = SimpleNamespace(download_artifacts=download)
    monkeypatch.setattr(RunFiles, "models", {})
    monkeypatch.setattr(run_files, "mlflow", lambda: SimpleNamespace(artifacts=artifacts))
    assert len(list(reading._texts(RunFiles(Server(lambda _: []), "", "r"), ["a", "b"]))) == 2
    monkeypatch.setattr(reading, "MOST_TEXT", 1_000_000)
    with pytest.raises(CvtrackError, match="more than 1 MB of texts"):
        list(reading._texts(RunFiles(Server(lambda _: []), "", "r"), ["a", "b"]))


def test_no_file_asks_for_the_run_again(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the store does not grow with the files that are read."""
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    asked: list[str] = []
    for name in ("get_run", "search_logged_models"):
        monkeypatch.setattr(SqlAlchemyStore, name, _noted(asked, getattr(SqlAlchemyStore, name)))
    client = MlflowClient(store)
    of: dict[int, list[str]] = {}
    for count in (1, 8):
        run_id = client.create_run("0").info.run_id
        for at in range(count):
            client.log_text(run_id, f"words {at}", f"folder/{at}.txt")
        asked.clear()
        read = reading.read_run(store, run_id, lambda *_: True)
        assert read.texts == {f"folder/{at}.txt": f"words {at}" for at in range(count)}
        of[count] = [*asked]
    assert of[1] == of[8]


def _noted(asked: list[str], plainly: Callable[..., Any]) -> Callable[..., Any]:
    def noting(*words: Any, **more: Any) -> Any:
        asked.append(plainly.__name__)
        return plainly(*words, **more)

    return noting
