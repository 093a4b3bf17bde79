"""What can happen to a run, told one by one; the schedules mix all of it at random."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.proxy import Fault
from tests.faults.story import Story, said
from tests.kernels import Kernel

pytestmark = pytest.mark.server

TRAIN = """
import pathlib, time
from cvtrack_magics import log, mlconfig, mlparams, mlrun, mltags
from cvtrack_magics.run.current import get_session

config = get_session().config
config.close_timeout = config.exit_timeout = {patience}
slowest = 0.0
with mlrun("train", tags={{"by": "story"}}, params={{"lr": 0.1}}):
    mltags(phase="one")
    mlconfig({{"depth": 18}}, name="net")
    pathlib.Path("open").touch()
    for step in range({steps}):
        began = time.perf_counter()
        log({{"loss": step / 3, "odd": float("nan") if step % 2 else float("inf")}}, step=step)
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep({pace})
    pathlib.Path("slowest").write_text(str(slowest))
    {last}
"""


WAIT = """
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    log(loss=0, step=step + 1)
"""


def train(steps: int = 60, pace: float = 0.0, last: str = "pass", patience: float = 1.0) -> str:
    """Return a script that logs ``steps`` times, ``pace`` seconds apart."""
    return TRAIN.format(steps=steps, pace=pace, last=last, patience=patience)


def losses(steps: int) -> list[tuple[int, float]]:
    """Return the points of that script's loss."""
    return [(step, step / 3) for step in range(steps)]


def test_the_server_is_down_from_before_the_run_until_after_it(story: Story) -> None:
    story.proxy.set(Fault("refuse"))
    began = time.time() * 1000
    process = story.run(train())
    ended = time.time() * 1000
    assert process.status == 0, process.said
    assert story.runs() == []
    assert story.sync()["code"] == 1

    time.sleep(1.5)  # what is sent now must not bear the time of its sending
    story.proxy.set(None)
    sent = story.sync()

    assert sent["code"] == 0
    assert [run["name"] for run in sent["sent"]] == ["train"]
    [run] = story.runs()
    assert run.info.status == "FINISHED"
    assert began <= run.info.start_time <= run.info.end_time <= ended
    times = [m.timestamp for m in sorted(story.history(run, "loss"), key=lambda m: m.step)]
    assert times == sorted(times)
    assert began <= times[0] <= times[-1] <= ended
    assert story.points("train", "loss") == losses(60)
    assert run.data.params["lr"] == "0.1"
    assert run.data.params["depth"] == "18"
    assert {run.data.tags["by"], run.data.tags["phase"]} == {"story", "one"}
    listed = story.client.list_artifacts(run.info.run_id, "configs")
    assert [file.path for file in listed] == ["configs/net.yaml"]
    assert story.nothing_waits()


def test_the_server_dies_in_the_loop_and_comes_back(story: Story) -> None:
    story.environment["MLFLOW_TRACKING_URI"] = story.server.uri
    process = story.start(train(steps=200, pace=0.02, last=WAIT, patience=60))
    story.wait_for("open")
    story.server.kill()
    try:
        story.wait_for("slowest")
    finally:
        story.server.start()
    (story.folder / "go").touch()

    assert process.wait(120) == 0, process.said
    assert story.statuses() == {"train": "FINISHED"}
    assert story.points("train", "loss") == [*losses(200), (200, 0.0)]
    assert float((story.folder / "slowest").read_text()) < 0.5


def test_the_server_is_stopped_and_the_loop_does_not_notice(story: Story) -> None:
    story.environment["MLFLOW_TRACKING_URI"] = story.server.uri
    process = story.start(train(steps=100, pace=0.02, patience=60))
    story.wait_for("open")
    story.server.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        slowest = float(story.wait_for("slowest").read_text() or "0")
        lasted = time.monotonic() - began
    finally:
        story.server.signal(signal.SIGCONT)

    assert slowest < 0.5
    assert lasted < 10
    assert process.wait(120) == 0, process.said
    assert story.statuses() == {"train": "FINISHED"}
    assert story.points("train", "loss") == losses(100)


@pytest.mark.parametrize("server", ["up", "down"])
def test_a_killed_kernel_is_settled_by_the_next_load(story: Story, server: str) -> None:
    if server == "down":
        story.proxy.set(Fault("refuse"))
    logged = "for i in range(500): log(loss=i / 3)\nprint('logged', flush=True)\ntime.sleep(60)"
    with Kernel(story.folder, **story.environment) as kernel:
        kernel.run("%load_ext cvtrack_magics\nimport time\nfrom cvtrack_magics import log").check()
        message = kernel.start(f"%%mlrun train\n{logged}")
        kernel.wait_output(message, "logged")
        kernel.manager.signal_kernel(signal.SIGKILL)
        while kernel.manager.is_alive():
            time.sleep(0.05)
    story.proxy.set(None)

    with Kernel(story.folder, **story.environment) as kernel:
        kernel.run("%load_ext cvtrack_magics").check()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and any((story.state / "journal").iterdir()):
            time.sleep(0.3)
    assert story.statuses() == {"train": "KILLED"}
    assert story.points("train", "loss") == losses(500)
    assert story.nothing_waits()


def test_many_syncs_at_once_send_each_run_once(story: Story) -> None:
    story.proxy.set(Fault("refuse"))
    named = [train().replace('"train"', f'"train-{n}"') for n in range(3)]
    for process in [story.start(code) for code in named]:
        assert process.wait(90) == 0, process.said
    story.proxy.set(Fault("slow", delay=0.05))

    for process in [story.start_sync() for _ in range(4)]:
        said(process)

    assert story.sync()["code"] == 0
    assert story.statuses() == {f"train-{n}": "FINISHED" for n in range(3)}
    for n in range(3):
        assert story.points(f"train-{n}", "loss") == losses(60)


def test_a_living_run_is_left_alone(story: Story) -> None:
    process = story.start(train(last=WAIT))
    story.wait_for("slowest")

    assert story.sync()["sent"] == []
    assert story.statuses() == {"train": "RUNNING"}

    (story.folder / "go").touch()
    assert process.wait(60) == 0, process.said
    assert story.statuses() == {"train": "FINISHED"}
    assert story.points("train", "loss") == [*losses(60), (60, 0.0)]


def test_an_answer_that_never_came_opens_no_second_run(story: Story) -> None:
    story.proxy.set(Fault("cut"))
    process = story.start(train(steps=150, pace=0.02))
    time.sleep(2)
    story.proxy.set(None)

    assert process.wait(90) == 0, process.said
    assert story.sync()["code"] == 0
    assert story.statuses() == {"train": "FINISHED"}
    assert story.points("train", "loss") == losses(150)


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_token_that_expires_in_the_loop_loses_nothing(story: Story, status: str) -> None:
    process = story.start(train(steps=80, pace=0.02))
    story.wait_for("open")
    story.proxy.set(Fault(status))
    assert process.wait(90) == 0, process.said
    assert story.proxy.hits[status] > 0
    assert "wait on disk" in process.said
    denied = story.sync()
    assert denied["code"] == 1
    story.proxy.set(None)

    assert [run["name"] for run in story.sync()["sent"]] == ["train"]
    assert story.statuses() == {"train": "FINISHED"}
    assert story.points("train", "loss") == losses(80)
    [run] = story.runs()
    assert run.data.params["depth"] == "18"
    [file] = story.client.list_artifacts(run.info.run_id, "configs")
    assert file.path == "configs/net.yaml"
    assert story.nothing_waits()


def test_two_processes_with_one_name_stay_two_runs(story: Story) -> None:
    first, second = story.start(train(steps=40)), story.start(train(steps=50))
    assert (first.wait(90), second.wait(90)) == (0, 0), first.said + second.said
    assert story.sync()["code"] == 0
    counts = sorted(len(story.history(run, "loss")) for run in story.runs())
    assert counts == [40, 50]


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"


@pytest.mark.parametrize("how", ["a full file system", "files may not grow", "no folder at all"])
def test_no_room_on_the_disk_and_a_server_that_is_up(story: Story, how: str) -> None:
    story.state.parent.mkdir(exist_ok=True)
    code = train(steps=3000, patience=30)
    mounted = False
    if how == "a full file system":
        mounted = _tiny(story.state.parent)
        if not mounted:
            pytest.skip("a small file system can be mounted by root alone")
    elif how == "no folder at all":
        story.state.write_text("a file stands where the folder should be")
    else:
        code = LIMITED + code
    try:
        process = story.run(code)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(story.state.parent)], check=True)

    assert process.status == 0, process.said
    assert story.statuses() == {"train": "FINISHED"}, process.said
    assert story.points("train", "loss") == losses(3000), process.said
    at_once = process.said.index("cvtrack: Nothing can be written to the state folder")
    assert at_once < process.said.index("FINISHED train")


def test_what_is_lost_with_a_process_is_named(story: Story) -> None:
    story.state.parent.mkdir(exist_ok=True)
    story.state.write_text("a file stands where the folder should be")
    story.proxy.set(Fault("refuse"))
    process = story.run(train(steps=50, patience=1))
    assert process.status == 0, process.said
    assert "what run 'train' had in memory only" in process.said
    assert "is lost with this process (100 points" in process.said
    assert story.statuses() == {}


def _tiny(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
