"""What worker processes log arrives in the run of the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import closed_uri
from tests.run.test_sync import repoint
from tests.store_views import points, runs_of

HEAD = """
import faulthandler
import multiprocessing as mp, os, signal, subprocess, sys, threading, time
faulthandler.register(signal.SIGUSR1, all_threads=True)  # its forked workers have that, too
from cvtrack_magics import log, mlrun
from tests.run import working
"""

WAYS = {
    "a spawned process": """
        w = mp.get_context("spawn").Process(target=working.count, args=(0, 50))
        w.start(); w.join()
    """,
    "a forked process": """
        w = mp.get_context("fork").Process(target=working.count, args=(0, 50))
        w.start(); w.join()
    """,
    "a process of the fork server": """
        w = mp.get_context("forkserver").Process(target=working.count, args=(0, 50))
        w.start(); w.join()
    """,
    "a spawned pool": """
        with mp.get_context("spawn").Pool(2) as pool:
            pool.starmap(working.count, [(at, at + 10) for at in range(0, 50, 10)])
    """,
    "an executor": """
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as pool:
            list(pool.map(working.count, range(0, 50, 10), range(10, 60, 10)))
    """,
    "a script that is started": """
        subprocess.run([sys.executable, "-c",
            "from tests.run import working; working.count(0, 50)"], check=True)
    """,
    "a worker's own worker": """
        w = mp.get_context("spawn").Process(target=working.through_another, args=(0, 50))
        w.start(); w.join()
    """,
    "joblib": """
        from joblib import Parallel, delayed
        Parallel(2)(delayed(working.count)(at, at + 10) for at in range(0, 50, 10))
    """,
    "a loader's workers": """
        from torch.utils.data import DataLoader
        for _ in DataLoader(working.Logged(50), batch_size=5, num_workers=2,
                            multiprocessing_context="spawn"):
            pass
    """,
    "a worker that is killed": """
        w = mp.get_context("spawn").Process(target=working.count_and_die, args=(0, 50))
        w.start(); w.join()
    """,
    "torch's spawn": """
        import torch.multiprocessing as tm
        tm.spawn(working.of_rank, args=(25,), nprocs=2)
    """,
}


def run_script(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(HEAD + "if __name__ == '__main__':\n" + indented(code))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    process = warm.Script([str(script)], env=env)
    try:
        out, err = process.communicate(timeout=180)
    except subprocess.TimeoutExpired:  # who hangs, and where, is what has to be known
        for number in (signal.SIGUSR1, signal.SIGKILL):
            process.kill(number)
            time.sleep(2)
        out, err = process.communicate()
        pytest.fail(f"the script did not end:\n{out}\n{err}")
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def indented(code: str) -> str:
    lines = [line for line in code.splitlines() if line.strip()]
    least = min(len(line) - len(line.lstrip()) for line in lines)
    return "".join(f"    {line[least:]}\n" for line in lines)


def in_a_run(code: str) -> str:
    return "with mlrun('r'):\n    log({'mine': 1.0}, step=0)\n" + indented(code)


@pytest.mark.parametrize("way", list(WAYS))
def test_what_a_worker_logs_is_in_the_run(way: str, store: str, tmp_path: Path) -> None:
    if way == "joblib":
        pytest.importorskip("joblib", reason="comes with scikit-learn, which is no need of ours")
    ran = run_script(in_a_run(WAYS[way]), tmp_path)
    found = runs_of(store)
    assert list(found) == ["r"], ran.stdout + ran.stderr
    run = found["r"]
    assert run.info.status == "FINISHED", ran.stdout + ran.stderr
    assert points(store, run, "worker") == [(at, float(at)) for at in range(50)], ran.stderr
    assert points(store, run, "mine") == [(0, 1.0)]
    assert "nothing is recorded" not in ran.stdout + ran.stderr


def test_a_pool_that_outlives_a_run_logs_into_the_next(store: str, tmp_path: Path) -> None:
    for context in ("spawn", "fork"):
        ran = run_script(
            f"""
            with mlrun("{context} a"):
                pool = mp.get_context("{context}").Pool(1)
                pool.apply(working.count, (0, 20))
            pool.apply(working.count, (1000, 1005))
            with mlrun("{context} b"):
                pool.apply(working.count, (20, 50))
            pool.terminate()
            """,
            tmp_path,
        )
        found = runs_of(store)
        first, second = found[f"{context} a"], found[f"{context} b"]
        assert points(store, first, "worker") == [(at, float(at)) for at in range(20)], ran.stderr
        assert points(store, second, "worker") == [(at, float(at)) for at in range(20, 50)]
        assert (ran.stdout + ran.stderr).count("nothing is recorded") == 1


EARLY = {
    **{
        f"a pool that is {how}ed": f"""
            pool = mp.get_context("{how}").Pool(2)
            everywhere = lambda work, *ranges: pool.starmap(work, zip(*ranges))
        """
        for how in ("spawn", "fork")
    },
    "a pool of the fork server": """
        pool = mp.get_context("forkserver").Pool(2)
        everywhere = lambda work, *ranges: pool.starmap(work, zip(*ranges))
    """,
    "an executor": """
        from concurrent.futures import ProcessPoolExecutor
        pool = ProcessPoolExecutor(2, mp_context=mp.get_context("spawn"))
        everywhere = lambda work, *ranges: list(pool.map(work, *ranges))
    """,
    "joblib's": """
        from joblib import Parallel, delayed
        everywhere = lambda work, *ranges: Parallel(2)(
            delayed(work)(*one) for one in zip(*ranges))
    """,
}


@pytest.mark.parametrize("kind", EARLY)
def test_workers_that_were_there_before_the_first_run_log_into_the_runs(
    kind: str, store: str, tmp_path: Path
) -> None:
    """They were told nothing at their start: no run, and no process that could have one."""
    if kind.startswith("joblib"):
        pytest.importorskip("joblib", reason="comes with scikit-learn, which is no need of ours")
    ran = run_script(
        indented(EARLY[kind])
        + indented("""
            everywhere(working.count, (1000, 1001), (1001, 1002))
            with mlrun("a"):
                everywhere(working.count, range(0, 40, 10), range(10, 50, 10))
            everywhere(working.count, (1000, 1001), (1001, 1002))
            with mlrun("b"):
                everywhere(working.trial, range(2))
                everywhere(working.count, range(0, 40, 10), range(10, 50, 10))
        """),
        tmp_path,
    )
    found = runs_of(store)
    assert set(found) == {"a", "b", "trial 0", "trial 1"}, ran.stdout + ran.stderr
    for name in ("a", "b"):
        assert points(store, found[name], "worker") == [(at, float(at)) for at in range(40)]
    for name in ("trial 0", "trial 1"):
        assert found[name].data.tags["mlflow.parentRunId"] == found["b"].info.run_id
    assert "nothing is recorded" in ran.stdout + ran.stderr  # of what was logged before it


def test_a_worker_logs_into_the_nearest_process_above_that_has_runs(
    store: str, tmp_path: Path
) -> None:
    ran = run_script(
        """
        far = mp.get_context("spawn").Process(target=working.pool_and_run)
        far.start()
        with mlrun("far"):
            far.join()
        """,
        tmp_path,
    )
    found = runs_of(store)
    assert set(found) == {"far", "near"}, ran.stdout + ran.stderr
    assert points(store, found["near"], "worker") == [(at, float(at)) for at in range(10)]
    assert points(store, found["far"], "worker") == []


def test_a_worker_logs_into_the_run_that_it_was_started_in(store: str, tmp_path: Path) -> None:
    for context in ("spawn", "fork"):
        ran = run_script(
            f"""
            ctx = mp.get_context("{context}")
            go = ctx.Event()
            with mlrun("{context} outer"):
                w = ctx.Process(target=working.count_when, args=(go, 0, 20))
                w.start()
                with mlrun("{context} inner", nested=True):
                    v = ctx.Process(target=working.count, args=(50, 60))
                    v.start(); v.join()
                    go.set(); w.join()
            """,
            tmp_path,
        )
        found = runs_of(store)
        outer, inner = found[f"{context} outer"], found[f"{context} inner"]
        assert points(store, outer, "worker") == [(at, float(at)) for at in range(20)], ran.stderr
        assert points(store, inner, "worker") == [(at, float(at)) for at in range(50, 60)]


def test_what_a_worker_logged_of_a_killed_run_is_sent_with_it(store: str, tmp_path: Path) -> None:
    for context in ("spawn", "fork"):
        ran = run_script(
            f"""
            with mlrun("{context}"):
                w = mp.get_context("{context}").Process(target=working.count, args=(0, 50))
                w.start(); w.join()
                os.kill(os.getpid(), signal.SIGKILL)
            """,
            tmp_path,
            CVTRACK_WATCH="0",
        )
        assert ran.returncode == -9
        warm.run(["-m", "cvtrack_magics", "sync"], check=True)
        run = runs_of(store)[context]
        assert run.info.status == "KILLED"
        assert points(store, run, "worker") == [(at, float(at)) for at in range(50)], ran.stderr


def test_a_worker_says_what_it_cannot_record(store: str, tmp_path: Path) -> None:
    for context in ("spawn", "fork"):
        ran = run_script(
            f"""
            with mlrun("{context}"):
                w = mp.get_context("{context}").Process(target=working.pictures, args=(3,))
                w.start(); w.join()
            """,
            tmp_path,
        )
        said = ran.stdout + ran.stderr
        assert said.count("figures and images that log() is given in a worker process") == 1, said
        assert said.count("'what' is of type object, not one number") == 1
        run = runs_of(store)[context]
        assert points(store, run, "loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_a_run_of_a_workers_own_is_its_own(store: str, tmp_path: Path) -> None:
    ran = run_script(
        """
        with mlrun("above"):
            w = mp.get_context("spawn").Process(target=working.own_run, args=(0, 10))
            w.start(); w.join()
        """,
        tmp_path,
    )
    found = runs_of(store)
    assert set(found) == {"above", "own"}, ran.stderr
    assert points(store, found["own"], "worker") == [(at, float(at)) for at in range(10)]
    assert points(store, found["above"], "worker") == [(10, 10.0)]


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_a_workers_runs_are_nested_where_it_was_started(
    context: str, store: str, tmp_path: Path
) -> None:
    ran = run_script(
        f"""
        with mlrun("search"):
            with mp.get_context("{context}").Pool(2) as pool:
                pool.map(working.trial, range(4))
            log({{"mine": 1.0}}, step=0)
        """,
        tmp_path,
    )
    found = runs_of(store)
    trials = {f"trial {at}" for at in range(4)}
    assert set(found) == {"search", *trials}, ran.stdout + ran.stderr
    parent = found["search"]
    assert {run.info.status for run in found.values()} == {"FINISHED"}, ran.stderr
    for name in trials:
        assert found[name].data.tags["mlflow.parentRunId"] == parent.info.run_id
        at = float(name.split()[1])
        assert points(store, found[name], "acc") == [(step, at + step) for step in range(20)]
        assert found[name].data.params["at"] == name.split()[1]
    assert points(store, parent, "mine") == [(0, 1.0)]


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_a_workers_nested_runs_find_their_parent_later(
    context: str, store: str, tmp_path: Path
) -> None:
    ran = run_script(
        f"""
        with mlrun("search"):
            with mp.get_context("{context}").Pool(2) as pool:
                pool.map(working.trial, range(2))
        """,
        tmp_path,
        MLFLOW_TRACKING_URI=closed_uri(),
        CVTRACK_WATCH="0",
    )
    repoint(store)
    done = warm.run(["-m", "cvtrack_magics", "sync"])
    assert done.returncode == 0, done.stdout + done.stderr + ran.stdout
    found = runs_of(store)
    assert set(found) == {"search", "trial 0", "trial 1"}, ran.stdout + ran.stderr
    for name in ("trial 0", "trial 1"):
        assert found[name].data.tags["mlflow.parentRunId"] == found["search"].info.run_id
        assert len(points(store, found[name], "acc")) == 20


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_a_worker_with_no_run_above_says_so(context: str, store: str, tmp_path: Path) -> None:
    ran = run_script(
        f"""
        with mlrun("before"):
            pool = mp.get_context("{context}").Pool(1)
            pool.apply(working.count, (0, 5))
        try:
            pool.apply(working.trial, (7,))
        except Exception as error:
            print("said:", error)
        pool.terminate()
        """,
        tmp_path,
    )
    assert "has no open run to put 'trial 7' under" in ran.stdout, ran.stderr
    assert set(runs_of(store)) == {"before"}


def test_a_forked_child_closes_no_run_of_its_parents(store: str, tmp_path: Path) -> None:
    ran = run_script(
        """
        with mlrun("r") as run:
            log({"mine": 0.0}, step=0)
            pid = os.fork()
            if not pid:
                log({"worker": 0.0}, step=0)
                sys.exit(0)
            os.waitpid(pid, 0)
            time.sleep(0.2)
            log({"mine": 1.0}, step=1)
        """,
        tmp_path,
    )
    run = runs_of(store)["r"]
    assert run.info.status == "FINISHED", ran.stdout + ran.stderr
    assert points(store, run, "mine") == [(0, 0.0), (1, 1.0)]
    assert points(store, run, "worker") == [(0, 0.0)]


LATE = {
    "by the client": "mlflow.MlflowClient().log_metric(run_id, 'late', float(step), step=step)",
    "by run_id": "mlflow.log_metric('late', float(step), step=step, run_id=run_id)",
    "in a batch": "mlflow.MlflowClient().log_batch(run_id, [Metric('late', float(step), 1, step)])",
}


@pytest.mark.parametrize("way", LATE)
@pytest.mark.parametrize("first", ["before", "after"])
def test_what_a_forked_worker_logs_by_mlflow_after_the_runs_end_arrives(
    way: str, first: str, store: str, tmp_path: Path
) -> None:
    """Nobody reads what it would write to the run's journal then: it goes as without us."""
    early = "0, 5" if first == "before" else "0, 0"
    ran = run_script(
        f"""
        import mlflow
        from mlflow.entities import Metric
        def work(run_id, began, over):
            for step in range({early}):
                {LATE[way]}
            began.set()
            over.wait(60)
            for step in range(5, 10):
                {LATE[way]}
        fork = mp.get_context("fork")
        began, over = fork.Event(), fork.Event()
        with mlrun("r"):
            log({{"mine": 1.0}}, step=0)
            worker = fork.Process(target=work, args=(mlflow.active_run().info.run_id, began, over))
            worker.start()
            began.wait(60)
        over.set()
        worker.join()
        """,
        tmp_path,
    )
    run = runs_of(store)["r"]
    steps = range(10) if first == "before" else range(5, 10)
    assert points(store, run, "late") == [(step, float(step)) for step in steps], ran.stderr
    assert run.info.status == "FINISHED"


def test_a_notebook_that_is_started_in_a_run_is_no_worker(store: str, tmp_path: Path) -> None:
    ran = run_script(
        """
        with mlrun("above"):
            done = subprocess.run([sys.executable, "-m", "IPython", "-c",
                "%load_ext cvtrack_magics\\nfrom cvtrack_magics import log\\nlog(loss=1.0)"],
                capture_output=True, text=True, check=False)
            print(done.stdout, done.stderr)
        """,
        tmp_path,
    )
    assert "log() was called with no run open" in ran.stdout
    assert points(store, runs_of(store)["above"], "loss") == []
