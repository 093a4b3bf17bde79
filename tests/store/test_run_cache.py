"""A list of runs that is kept: what was written since is noticed, and no file is believed."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import msgspec
import pytest

from cvtrack_magics import mlruns
from cvtrack_magics.commands import mlruns as command
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.listing import runs_in
from cvtrack_magics.store.run_cache import Listed, RunCache, key_of, state_of

KEY = ("store", "0", "", "50")
Client = mlflow.MlflowClient


@pytest.fixture
def client(store: str) -> Client:
    made = Client(tracking_uri=store)
    for name in ("a", "b"):
        run_id = made.create_run("0", run_name=name).info.run_id
        made.log_metric(run_id, "acc", 0.5)
        made.set_tag(run_id, "there", "x")
        made.set_terminated(run_id)
    return made


def newest(client: Client) -> str:
    return str(client.search_runs(["0"])[0].info.run_id)


def restored(client: Client) -> None:
    run_id = newest(client)
    client.delete_run(run_id)
    client.restore_run(run_id)


CHANGES: dict[str, Callable[[Client], object]] = {
    "tagged": lambda c: c.set_tag(newest(c), "team", "blue"),
    "untagged": lambda c: c.delete_tag(newest(c), "there"),
    "renamed": lambda c: c.update_run(newest(c), name="other"),
    "deleted": lambda c: c.delete_run(newest(c)),
    "brought back": restored,
    "measured later": lambda c: c.log_metric(newest(c), "late", 1.0),
    "one that began long ago": lambda c: c.create_run("0", start_time=1),
    "one more": lambda c: c.create_run("0"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_written_since_is_noticed(
    client: Client, store: str, script: None, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WORTH_IT", 1)
    mlruns()
    assert mlruns() is mlruns()  # nothing was written, nothing is read
    before = state_of(store)
    CHANGES[change](client)
    assert state_of(store) != before
    assert list(mlruns().runs) == runs_in(store, ["0"])


def test_another_process_takes_up_what_is_as_it_was(
    client: Client, store: str, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WORTH_IT", 1)
    first = mlruns()
    get_session().run_cache.made.clear()
    asked: list[Any] = []
    search = Client.search_runs
    monkeypatch.setattr(Client, "search_runs", lambda *a, **k: asked.append(a) or search(*a, **k))
    again = mlruns()
    assert (again.runs, again.lines, asked) == (first.runs, first.lines, [])
    assert "unique-in-a-uri" not in "".join(key_of(f"{store}?unique-in-a-uri", "0", "", 1))
    client.set_tag(newest(client), "a", "b")
    assert mlruns().runs != first.runs
    assert asked


def kept(cache: RunCache, folder: Path, listed: Listed) -> Path:
    cache.save(KEY, listed)
    (path,) = folder.glob("*.runs")
    return path


def signed(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + body


def with_wrong_types(content: bytes) -> bytes:
    whole = msgspec.msgpack.decode(content[32:])
    whole["listed"]["runs"][0]["metrics"] = {"acc": "<script>"}
    return signed(msgspec.msgpack.encode(whole))


def of_another(content: bytes) -> bytes:
    whole = msgspec.msgpack.decode(content[32:])
    return signed(msgspec.msgpack.encode({**whole, "key": ["other", "0", "", "50"]}))


class Shouts:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("it-ran",)


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda c: b"",
    "cut short": lambda c: c[:-3],
    "one byte altered": lambda c: c[:-1] + bytes([c[-1] ^ 1]),
    "pickled": lambda c: signed(pickle.dumps(Shouts())),
    "nested without end": lambda c: signed(b"\x91" * 100_000),
    "wrong types": with_wrong_types,
    "of another store": of_another,
}


@pytest.mark.parametrize("harm", [*CONTENTS, "writable by others", "link", "pipe", "folder"])
def test_no_hostile_file_is_believed(client: Client, store: str, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "runs"
    cache = RunCache(lambda: folder)
    listed = Listed("state", 1.0, tuple(runs_in(store, ["0"])))
    path = kept(cache, folder, listed)
    assert cache.load(KEY) == listed
    content = path.read_bytes()
    if harm in CONTENTS:
        path.write_bytes(CONTENTS[harm](content))
    elif harm == "writable by others":
        path.chmod(0o666)
    else:
        path.unlink()
        if harm == "link":
            (tmp_path / "elsewhere").write_bytes(content)
            path.symlink_to(tmp_path / "elsewhere")
        elif harm == "pipe":
            os.mkfifo(path, 0o600)
        else:
            path.mkdir(mode=0o700)
    assert cache.load(KEY) is None
    assert not Path("it-ran").exists()


def test_a_folder_that_others_write_to_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    folder.chmod(0o777)
    cache = RunCache(lambda: folder)
    cache.save(KEY, Listed("state", 1.0, ()))
    assert not list(folder.iterdir())


def test_the_oldest_files_go(tmp_path: Path) -> None:
    cache = RunCache(lambda: tmp_path / "runs")
    for number in range(12):
        cache.save(("store", str(number)), Listed("", 1.0, ()))
    assert len(list((tmp_path / "runs").glob("*"))) == 8


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://a/b", "sqlite:///none/x.db"])
def test_other_stores_do_not_tell(uri: str) -> None:
    assert not state_of(uri)
