"""Nothing that is kept of a text with a secret tells the secret to whoever tries all of them."""

from __future__ import annotations

import hmac
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput

from cvtrack_magics.capture.code.session import Cell, session_notebook
from cvtrack_magics.capture.data.flows import _setting
from cvtrack_magics.capture.params.values import make_param
from cvtrack_magics.records import Artifact, Param, Record, Tag
from cvtrack_magics.run.album import Album
from cvtrack_magics.run.sweep.spec import SweepSpec
from cvtrack_magics.secrets import Masker, stored
from cvtrack_magics.secrets.notebooks import mask_notebook
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store.cleaning import _input

ONE, OTHER = "hunter" + "22", "gandal" + "f7"
"""Short enough to be tried."""
DATE = "2020-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def key(tmp_path: Path) -> Iterator[None]:
    before = stored._masker, stored._key
    (tmp_path / "state").mkdir()
    stored.use(Masker(), lambda: tmp_path / "state")
    yield
    stored._masker, stored._key = before


def masked(record: Record) -> str:
    return repr(RecordMasker(Masker()).records([record])[0])


def notebook_of(source: str) -> str:
    return session_notebook([Cell(1, source), Cell(2, "x = 1")])


def users_notebook(source: str) -> str:
    cell = {"cell_type": "code", "id": str(abs(hash(source))), "metadata": {}, "source": source}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def diff_of(secret: str, minus: str = "") -> str:
    folder = Path(os.environ["PYTEST_DIFF"])
    (folder / "a.py").write_text(f"a = 1\n{minus}")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "a")):
        _git(folder, *words)
    (folder / "a.py").write_text(f"a = 1\npassword = '{secret}'\n")
    return _git(folder, "diff", "HEAD")


def _git(folder: Path, *words: str) -> str:
    options = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    env = {**os.environ, "GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    command = ["git", *options, *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=env, check=True
    ).stdout


def body_digest(secret: str) -> str:
    return SweepSpec("s", "m", "minimize", body=f"db(password='{secret}')\nx = 1\n").digest


SAME: dict[str, Callable[[str], str]] = {
    "a session's notebook": lambda s: masked(
        Artifact("code/session.ipynb", notebook_of(f"password = '{s}'"))
    ),
    "a notebook of the user's": lambda s: masked(
        Artifact("code/modules/a.ipynb", users_notebook(f"password = '{s}'"))
    ),
    "a notebook of no known shape": lambda s: mask_notebook(
        notebook_of(f"password = '{s}'").replace(
            '"outputs": []', f'"outputs": {"[" * 900}{"]" * 900}'
        ),
        Masker(),
    )[0],
    "an added line": lambda s: masked(Artifact("code/uncommitted.diff", diff_of(s))),
    "a hunk that is left out": lambda s: masked(
        Artifact("code/uncommitted.diff", diff_of("x", f"password = '{s}'\n"))
    ),
    "the body of a sweep": body_digest,
    "a stream's code": lambda s: stored.lasting(f"def f(x):\n    return get(x, password='{s}')"),
    "a stream's setting": lambda s: str(_setting("password", s)),
    "a stream's other setting": lambda s: str(_setting("url", f"https://h/x?password={s}")),
    "a number among a stream's settings": lambda s: str(_setting("password", len(s) * 12345)),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_is_kept_is_the_same_for_every_secret(
    kind: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for secret in (ONE, OTHER):
        monkeypatch.setenv("PYTEST_DIFF", str(tmp_path_factory.mktemp("diff")))
        found.append(SAME[kind](secret))
    assert found[0] == found[1]
    assert ONE not in found[0]


LONG = "a" * 240
KEYED: dict[str, Callable[[str], str]] = {
    "a metric": lambda s: RecordMasker(Masker()).metric(f"db?password={s}"),
    "a param": lambda s: masked(Param(f"db?password={s}", "1")),
    "a tag": lambda s: masked(Tag(f"db?password={s}", "1")),
    "tags": lambda s: repr(RecordMasker(Masker()).tags({f"db?password={s}": "1"})),
    "a long param": lambda s: repr(make_param(f"{LONG}?password={s}", 1)),
    "a picture's folder": lambda s: Album(f"db?password={s}", "r").page_path,
    "MLflow's digest of an address": lambda s: str(
        dict(_input(RecordMasker(Masker()), address(s)).dataset)
    ),
}


def address(secret: str) -> DatasetInput:
    data = MetaDataset(HTTPDatasetSource(f"https://h.example/x?password={secret}"), name="d")
    return DatasetInput(data._to_mlflow_entity(), [])


@pytest.mark.parametrize("kind", KEYED)
def test_names_that_differ_in_a_secret_stay_two_and_need_the_key(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = [KEYED[kind](secret) for secret in (ONE, OTHER, ONE)]
    assert here[0] == here[2] != here[1]
    assert not [secret for secret in (ONE, OTHER) if secret in here[0] + here[1]]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    stored.use(Masker(), lambda: elsewhere)
    assert KEYED[kind](ONE) != here[0]


def test_the_digest_of_data_that_was_read_stays() -> None:
    import numpy as np

    source = f"https://h.example/x?password={ONE}"
    data = mlflow.data.from_numpy(np.zeros(3), source=source, name="d")  # type: ignore[attr-defined]
    item = DatasetInput(data._to_mlflow_entity(), [])
    clean = _input(RecordMasker(Masker()), item)
    assert clean.dataset.digest == item.dataset.digest
    assert ONE not in str(dict(clean.dataset))


def test_the_key_is_the_users_own_and_that_of_each_process(tmp_path: Path) -> None:
    folder, name = tmp_path / "state", f"x?password={ONE}"
    here = stored.name_without_secrets(name)
    assert (folder / stored.FILE).stat().st_mode & 0o777 == 0o600
    assert os.listdir(folder) == [stored.FILE]
    code = (
        "import sys; from pathlib import Path; from cvtrack_magics.secrets import Masker, stored; "
        "stored.use(Masker(), lambda: Path(sys.argv[1])); "
        "print(stored.name_without_secrets(sys.argv[2]))"
    )
    words = [sys.executable, "-c", code, str(folder), name]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == here


def _put_digits(queue: multiprocessing.SimpleQueue[str]) -> None:
    queue.put(stored.digits_of("a"))


@pytest.mark.parametrize("place", ["no folder", "a short file", "a link", "open to others"])
def test_without_a_fit_file_the_key_is_the_process_and_its_forks(
    place: str, tmp_path: Path
) -> None:
    file = tmp_path / stored.FILE
    if place == "a short file":
        file.write_bytes(b"x")
    elif place == "a link":
        (tmp_path / "other").write_bytes(b"x" * 32)
        file.symlink_to(tmp_path / "other")
    elif place == "open to others":
        file.write_bytes(b"x" * 32)
        file.chmod(0o666)
    folder = tmp_path / "none" if place == "no folder" else tmp_path
    stored.use(Masker(), lambda: folder)
    fork = multiprocessing.get_context("fork")
    queue: multiprocessing.SimpleQueue[str] = fork.SimpleQueue()
    process = fork.Process(target=_put_digits, args=(queue,))
    process.start()
    assert queue.get() == stored.digits_of("a")
    process.join()
    stored.use(Masker(), lambda: folder)
    assert stored.digits_of("a") not in (
        hmac.new(b"x" * n, b"a", "sha256").hexdigest()[:8] for n in (1, 32)
    )
