"""Runs that wait on disk are sent once, whoever sends them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.journal.folder import RunFolder, RunNote, me, read_folders
from cvtrack_magics.journal.record_log import FactLog, read_batches
from cvtrack_magics.records import Artifact, Dataset, End, Metric, Param, Replaces, Tag
from tests import warm
from tests.conftest import closed_uri
from tests.store_views import artifact, points, runs_of

SCRIPT = """
import os, sys, mlflow
from cvtrack_magics import log, mlparams, mlrun
with mlrun("outer", tags={"team": "cv"}, output=False):
    with mlrun("inner", nested=True, output=False):
        for step in range(2500):
            log({"a": float(step), "b": step / 2}, step=step)
    mlparams({"lr": 0.1})
    mlflow.log_text("kept", "notes/a.txt")
    log(x=float("nan"))
    if sys.argv[1:] == ["kill"]:
        os.kill(os.getpid(), 9)
    if sys.argv[1:] == ["fail"]:
        raise ValueError("broken on purpose")
"""


def run_script(folder: Path, *arguments: str, uri: str) -> subprocess.CompletedProcess[str]:
    return warm.run(
        ["-c", SCRIPT, *arguments],
        cwd=folder,
        # a slow run would have points of the machine, too
        env={**os.environ, "MLFLOW_TRACKING_URI": uri, "CVTRACK_USAGE_INTERVAL": "3600"},
    )


def sync(uri: str, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    ran = warm.run(["-m", "cvtrack_magics", "sync", *arguments], env=environment)
    # old versions of MLflow log to stderr when they make a database
    return ran.returncode, ran.stdout if ran.stdout else ran.stderr


def journal() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("cvtrack_magics", appauthor=False)) / "journal"


def repoint(uri: str) -> None:
    """What a server that is there again looks like, without starting one."""
    for folder in read_folders(journal()):
        folder.change(uri=uri)


@pytest.mark.parametrize(
    ("how", "status"), [("", "FINISHED"), ("fail", "FAILED"), ("kill", "KILLED")]
)
def test_a_run_without_a_server_is_sent_later_as_it_was(
    store: str, tmp_path: Path, how: str, status: str
) -> None:
    uri = closed_uri()
    before = int(time.time() * 1000)
    ran = run_script(tmp_path, *([how] if how else []), uri=uri)
    after = int(time.time() * 1000)
    assert "kept on disk" in ran.stdout or how == "kill"
    code, said = sync(uri)
    assert code == 1
    assert said.count("waiting") == 2
    assert "No MLflow server answers" in said

    time.sleep(0.5)
    repoint(store)
    code, said = sync(store, "--json")
    assert code == 0
    sent = json.loads(said)["sent"]
    assert {item["name"]: (item["points"], item["status"]) for item in sent} == {
        "outer": (1, status),
        "inner": (5000, "FINISHED"),
    }
    found = runs_of(store)
    outer, inner = found["outer"], found["inner"]
    assert len(found) == 2
    assert outer.info.status == status
    assert before <= outer.info.start_time <= inner.info.start_time
    assert inner.info.end_time <= outer.info.end_time <= after
    assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert outer.data.tags["team"] == "cv"
    assert outer.data.params["lr"] == "0.1"
    assert artifact(store, outer, "notes/a.txt") == "kept"
    assert points(store, inner, "a") == [(s, float(s)) for s in range(2500)]
    times = mlflow.MlflowClient(store).get_metric_history(inner.info.run_id, "b")
    assert all(before <= m.timestamp <= after for m in times)
    assert list(journal().iterdir()) == []
    assert sync(store) == (0, f"Nothing waits in {journal()}.\n")
    assert len(runs_of(store)) == 2


def test_an_experiment_named_without_a_server_is_made_later(store: str, tmp_path: Path) -> None:
    code = (
        "from cvtrack_magics import log, mlexperiment, mlrun\n"
        "print(mlexperiment('far-away'))\n"
        "with mlrun('there', output=False):\n    log(a=1)"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": closed_uri()}
    ran = warm.run(["-c", code], check=True, env=environment)
    assert "go to experiment 'far-away'" in ran.stdout
    repoint(store)
    assert sync(store)[0] == 0
    run = runs_of(store)["there"]
    client = mlflow.MlflowClient(store)
    assert client.get_experiment(run.info.experiment_id).name == "far-away"


HELD = """
import sys, time
sys.modules["boto3"] = None
from cvtrack_magics import log, mlconfig, mlexperiment, mlparams, mlrun, mltags
mlexperiment("elsewhere")
with mlrun("held", output=False):
    mltags(phase="one")
    mlconfig({"depth": 18}, name="net")
    time.sleep(0.5)
    mlconfig({"depth": 18, "width": 2}, name="net")
    time.sleep(0.5)
    mltags(phase="two")
    for step in range(50):
        log(loss=step, step=step)
    mlparams({"lr": 0.1})
"""


def held_at(store: str, place: str) -> Any:
    """Run a script whose files go to a place that takes none; return its run."""
    mlflow.MlflowClient(store).create_experiment("elsewhere", artifact_location=place)
    ran = warm.run(["-c", HELD], check=True)
    said = ran.stdout + ran.stderr
    assert "The store takes no files now: " in said
    assert "Those of run 'held' wait on disk; %mlsync sends them." in said
    run = runs_of(store)["held"]
    assert run.info.status == "FINISHED"
    assert {"depth": "18", "lr": "0.1"}.items() <= run.data.params.items()
    assert len(points(store, run, "loss")) == 50
    return run


def test_a_bucket_that_cannot_be_reached_holds_up_nothing_else(store: str) -> None:
    held_at(store, "s3://nobody/there")
    assert [folder.note.name for folder in read_folders(journal())] == ["held"]


def test_files_that_find_no_place_are_sent_when_there_is_one(store: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.write_text("a file stands where the folder should be")
    run = held_at(store, str(files))
    code, told = sync(store)
    assert code == 1
    assert "waiting  'held' (0 points" in told
    assert "The store takes no files now" in told

    files.unlink()
    code, told = sync(store)
    assert code == 0
    assert re.search(r"sent     .held. \(5\d points, FINISHED\)", told)
    again = runs_of(store)["held"]
    assert again.info.end_time == run.info.end_time
    assert again.data.tags["phase"] == "two"
    assert "width: 2" in artifact(store, again, "configs/net.yaml")
    assert sync(store) == (0, f"Nothing waits in {journal()}.\n")


def test_several_syncs_at_once_send_once(store: str, tmp_path: Path) -> None:
    uri = closed_uri()
    for _ in range(2):
        run_script(tmp_path, uri=uri)
    repoint(store)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store}
    command = ["-m", "cvtrack_magics", "sync", "--json"]
    together = [warm.Script(command, env=environment) for _ in range(3)]
    answers = [json.loads(process.communicate()[0]) for process in together]
    assert sum(len(answer["sent"]) for answer in answers) == 4
    client = mlflow.MlflowClient(store)
    found = client.search_runs(["0"])
    assert sorted(run.info.run_name for run in found) == ["inner", "inner", "outer", "outer"]
    for run in found:
        if run.info.run_name == "inner":
            assert len(client.get_metric_history(run.info.run_id, "a")) == 2500


def test_a_run_whose_process_lives_is_left_alone(store: str, tmp_path: Path) -> None:
    code = (
        "from cvtrack_magics import log, mlrun\nimport time\n"
        "with mlrun('alive', output=False):\n    log(a=1)\n    print('open', flush=True)\n"
        "    time.sleep(600)"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != "open":
        pass
    status, said = sync(store)
    assert status == 0
    assert "open     'alive': its process still runs" in said
    assert runs_of(store)["alive"].info.status == "RUNNING"
    process.send_signal(signal.SIGKILL)
    process.wait()
    status, said = sync(store)
    assert status == 0
    assert re.search(r"sent     'alive' \(\d+ points, KILLED\)", said)
    assert runs_of(store)["alive"].info.status == "KILLED"
    assert points(store, runs_of(store)["alive"], "a") == [(0, 1.0)]


def test_another_hosts_run_is_left_alone(store: str) -> None:
    host, pid, created = me()
    note = RunNote("k" * 32, "far", store, 1, "another-host", pid, created)
    RunFolder.make(journal(), note)
    dead = RunNote("d" * 32, "near", store, 1, host, 2**22, created)
    RunFolder.make(journal(), dead)
    code, said = sync(store)
    assert code == 0, said
    assert "open     'far'" in said
    assert "sent     'near'" in said
    assert set(runs_of(store)) == {"near"}


def test_credentials_are_not_kept_and_are_asked_for(tmp_path: Path) -> None:
    secret = closed_uri().replace("http://", "http://me:hunter2@")
    run_script(tmp_path, uri=secret)
    for path in journal().rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()
    assert stat.S_IMODE(journal().stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in journal().iterdir()} == {0o700}
    code, said = sync(secret)
    assert code == 1
    assert "hunter2" not in said


def test_what_is_not_a_run_of_ours_is_passed_over(store: str) -> None:
    root = journal()
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"key": "c"}'), ("d", "")):
        (root / name).mkdir(parents=True)
        (root / name / "run.json").write_text(text)
    (root / "stray").write_text("x")
    newer = RunNote("n" * 32, "newer", store, 1, me()[0], 2**22, 1.0, format=99)
    RunFolder.make(root, newer)
    assert sync(store)[0] == 0
    assert (root / newer.key / "run.json").exists()


def test_facts_survive_being_written_and_read(tmp_path: Path) -> None:
    def fail(error: OSError) -> None:
        raise error

    log = FactLog(tmp_path, fail)
    records: list[Any] = [
        Param("p", "1"),
        Tag("t", "ü"),
        Metric("m", float("inf"), 3, 4),
        Dataset("d", "s", "train", "ab" * 32, {"x": [1]}, {"rows": 2}),
        Replaces("r" * 32),
    ]
    log.add([*records, Artifact("a/b.bin", b"\x00\xff"), Artifact("t.txt", "text")])
    log.add([Tag("last", "x")], End("FAILED", 12))
    first, second = read_batches(tmp_path)
    assert list(first.records) == records
    assert first.files is not None
    assert (first.files / "a" / "b.bin").read_bytes() == b"\x00\xff"
    assert (first.files / "t.txt").read_text() == "text"
    assert second.end == End("FAILED", 12)
    whole = (tmp_path / "facts.jsonl").read_bytes()
    (tmp_path / "facts.jsonl").write_bytes(whole[:-5])
    assert read_batches(tmp_path) == [first]


def test_a_journal_of_the_released_format_is_sent(store: str) -> None:
    """What an older version left on disk must stay sendable: this text never changes."""
    import socket
    import struct

    key = "0123456789abcdef0123456789abcdef"
    folder = journal() / key
    folder.mkdir(parents=True)
    (folder / "files" / "000001" / "logs").mkdir(parents=True)
    (folder / "files" / "000001" / "logs" / "output.txt").write_text("printed")
    (folder / "run.json").write_text(
        json.dumps(
            {
                "key": key,
                "name": "old",
                "uri": store,
                "started": 1_700_000_000_000,
                "host": socket.gethostname(),
                "pid": 4_194_304,
                "created": 1.5,
                "experiment": "digits",
                "experiment_id": "",
                "parent_key": "",
                "parent_run_id": "",
                "run_id": "",
                "guest": False,
                "tags": {"team": "cv"},
                "format": 1,
            }
        )
    )
    (folder / "facts.jsonl").write_text(
        '{"batch": 1, "files": "000001", "records": [["param", {"key": "lr", "value": "0.1"}]]}\n'
        '{"batch": 2, "files": "", "records": [["end", {"outcome": "FINISHED", "ended": '
        "1700000009000}]]}\n"
    )
    (folder / "main-000000.rows").write_bytes(
        struct.pack("<8sq", b"CVTRACK\x01", 1_700_000_000_000_000_000)
        + struct.pack("<HHI", 0xFFFF, 1, 8)
        + b'["loss"]'
        + b"\xa5"
        + struct.pack("<HqqdB", 1, 4, 5_000_000_000, 0.25, 0xA5)
        + bytes(50)
    )
    code, said = sync(store)
    assert code == 0, said
    run = runs_of(store)["old"]
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_009_000)
    assert run.data.params["lr"] == "0.1"
    client = mlflow.MlflowClient(store)
    assert client.get_experiment(run.info.experiment_id).name == "digits"
    (point,) = client.get_metric_history(run.info.run_id, "loss")
    assert (point.step, point.value, point.timestamp) == (4, 0.25, 1_700_000_005_000)
    assert artifact(store, run, "logs/output.txt") == "printed"


def test_a_backlog_that_hangs_does_not_hold_up_a_new_run(store: str, tmp_path: Path) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        note = RunNote("d" * 32, "stuck", uri, 1, me()[0], 2**22, 1.0, run_id="r" * 32)
        RunFolder.make(journal(), note)
        code = (
            "import time\nfrom cvtrack_magics import log, mlrun\n"
            "from cvtrack_magics.run.current import get_session\n"
            "get_session().left.recover()\ntime.sleep(0.5)\nstarted = time.monotonic()\n"
            "with mlrun('new', output=False):\n    log(a=1)\n"
            "print('took', time.monotonic() - started)"
        )
        ran = warm.run(["-c", code], check=True, timeout=60)
    assert "still" not in ran.stdout
    assert runs_of(store)["new"].info.status == "FINISHED"
    assert float(ran.stdout.split("took ")[1]) < 15


def test_a_try_that_says_little_is_made_once_more(
    store: str, tmp_path: Path, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.commands.mlsync import mlsync
    from cvtrack_magics.store.tracking import Tracking

    run_script(tmp_path, uri=closed_uri())
    repoint(store)
    plainly, tries = Tracking.write_points, []

    def at_second(self: Tracking, *arguments: Any) -> Any:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise KeyError("_SOMEBODY_ELSES")
        return plainly(self, *arguments)

    monkeypatch.setattr(Tracking, "write_points", at_second)
    report = mlsync(timeout=60)
    assert len(tries) > 1
    assert [(item.name, item.state) for item in sorted(report.items, key=lambda i: i.name)] == [
        ("inner", "sent"),
        ("outer", "sent"),
    ]
    assert len(points(store, runs_of(store)["inner"], "a")) == 2500


def test_what_cannot_be_read_is_named_in_json_too(store: str) -> None:
    folder = journal() / "20260101-000000-0a1b2c3d"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("no note of a run")
    _, said = sync(store)
    _, as_json = sync(store, "--json")
    (line,) = json.loads(as_json)["left"]
    assert line.startswith(f"{folder.name}: ")
    assert line in said
    assert folder.is_dir()
