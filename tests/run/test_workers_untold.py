"""A worker whose environment was made anew is in the run that was open when it began."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.process_times import began_at, process_clock
from tests.run.test_workers import run_script
from tests.store_views import points, runs_of

HALVES = "from tests.run import working; working.in_two_halves('.', 20)"
WAYS = {
    "an environment of its own": "worker = subprocess.Popen(line, env=bare)",
    "env -i in a shell": (
        "worker = subprocess.Popen(['sh', '-c', f'env -i {said} \"$0\" \"$@\"; :', *line])"
    ),
    "a fork server from before the run": (
        "worker = early.Process(target=half, args=('.', 20)); worker.start()"
    ),
}
SCRIPT = """
early, half = mp.get_context("forkserver"), working.in_two_halves
first = early.Process(target=time.sleep, args=(0,))
first.start(); first.join()
bare = {name: os.environ[name] for name in ("PYTHONPATH", "XDG_STATE_HOME")}
said = " ".join(f"{name}='{value}'" for name, value in bare.items())
line = [sys.executable, "-c", HALVES]
with mlrun("before", code=False):
    pass
with mlrun("outer", code=False):
    with mlrun("a", nested=True, code=False):
        pass
    with mlrun("b", nested=True, code=False):
        START
        working.wait_for(working.Path("half"))
with mlrun("next", code=False):
    open("go", "w").close()
    working.wait_for(working.Path("done"))
worker.wait() if hasattr(worker, "wait") else worker.join()
"""


@pytest.mark.parametrize("way", WAYS)
def test_what_it_logs_is_in_the_run_it_was_started_in_and_in_no_other(
    way: str, store: str, tmp_path: Path
) -> None:
    code = SCRIPT.replace("HALVES", repr(HALVES)).replace("START", WAYS[way])
    ran = run_script(code, tmp_path)
    found = runs_of(store)
    assert set(found) == {"before", "outer", "a", "b", "next"}, ran.stdout + ran.stderr
    assert points(store, found["b"], "worker") == [(at, float(at)) for at in range(40)], ran.stderr
    for name in ("before", "outer", "a", "next"):
        assert points(store, found[name], "worker") == []


def test_which_runs_were_open_is_known_of_the_newest(tmp_path: Path) -> None:
    holder = liveness.Holder(tmp_path / "journal")
    path = tmp_path / liveness.FOLDER / holder.name
    moments = {}
    for keys in ([], ["a"], ["a", "b"], ["a"], ["a", "c"], [], ["d"]):
        time.sleep(0.03)
        holder.show(keys)
        time.sleep(0.03)
        moments["".join(keys) + str(len(moments))] = process_clock()
    shown = liveness.all_shown(path)
    open_then = {name: shown.open_at(at) for name, at in moments.items()}
    assert list(open_then.values()) == [[], ["a"], ["b", "a"], ["a"], ["c", "a"], [], ["d"]]
    for number in range(200):
        holder.show([f"{number:032x}"])
    time.sleep(0.03)
    shown = liveness.all_shown(path)
    assert shown.keys == (f"{199:032x}",)
    assert shown.open_at(process_clock()) == [f"{199:032x}"]
    assert len(shown.spans) < 30


def test_a_process_began_before_it_asks() -> None:
    assert 0 < began_at() <= process_clock()
