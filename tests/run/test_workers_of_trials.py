"""Workers that trials start, which run side by side in threads or tasks, log into their trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.test_workers import indented, run_script
from tests.store_views import points, runs_of

TRIALS = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
there = threading.Barrier(3)

def trial(at):
    with mlrun(f"trial {at}", nested=True):
        there.wait(60)  # all are open
        work(100 * at, 100 * at + 10)
        there.wait(60)
        log({"mine": float(at)}, step=0)

with mlrun("search"), ThreadPoolExecutor(3) as pool:
    for done in [pool.submit(trial, at) for at in range(3)]:
        done.result()
    work(1000, 1010)  # behind them all
"""

OWN = {
    "a forked process": """
        w = mp.get_context("fork").Process(target=working.count, args=(a, b))
        w.start(); w.join()
    """,
    "a spawned process": """
        w = mp.get_context("spawn").Process(target=working.count, args=(a, b))
        w.start(); w.join()
    """,
    "a process of the fork server": """
        w = mp.get_context("forkserver").Process(target=working.count, args=(a, b))
        w.start(); w.join()
    """,
    "a fork": """
        pid = os.fork()
        if not pid:
            working.count(a, b)
            os._exit(0)
        os.waitpid(pid, 0)
    """,
    "a forked pool": """
        with mp.get_context("fork").Pool(2) as pool:
            pool.starmap(working.count, [(a, a + 5), (a + 5, b)])
            pool.close(); pool.join()
    """,
    "an executor": """
        with ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as pool:
            list(pool.map(working.count, [a, a + 5], [a + 5, b]))
    """,
    "a worker's own worker": """
        w = mp.get_context("spawn").Process(target=working.through_another, args=(a, b))
        w.start(); w.join()
    """,
}

AROUND = {
    "a script that is started": """
        subprocess.run([sys.executable, "-c",
            f"from tests.run import working; working.count({a}, {b})"], check=True)
    """,
}


def logged(store: str, name: str) -> list[int]:
    """Return the steps of a run's workers, each once."""
    return sorted(step for step, _ in points(store, runs_of(store)[name], "worker"))


def code(way: str) -> str:
    return "def work(a, b):\n" + indented(way) + TRIALS


@pytest.mark.parametrize("way", OWN)
def test_a_worker_is_of_the_trial_that_started_it(way: str, store: str, tmp_path: Path) -> None:
    ran = run_script(code(OWN[way]), tmp_path)
    found = {name: logged(store, name) for name in runs_of(store)}
    wanted = {f"trial {at}": list(range(100 * at, 100 * at + 10)) for at in range(3)}
    assert found == {**wanted, "search": list(range(1000, 1010))}, ran.stdout + ran.stderr


@pytest.mark.parametrize("way", AROUND)
def test_one_that_cannot_be_told_is_of_the_run_around_the_trials(
    way: str, store: str, tmp_path: Path
) -> None:
    ran = run_script(code(AROUND[way]), tmp_path)
    found = {name: logged(store, name) for name in runs_of(store)}
    every = [100 * at + step for at in (0, 1, 2, 10) for step in range(10)]
    nobody: list[int] = []
    assert found == {
        **{f"trial {at}": nobody for at in range(3)},
        "search": every,
    }, ran.stdout + ran.stderr


def test_a_worker_is_of_the_task_that_started_it(store: str, tmp_path: Path) -> None:
    tasks = """
        import asyncio

        async def trial(at):
            with mlrun(f"trial {at}", nested=True):
                await there.wait()
                w = mp.get_context("spawn").Process(target=working.count, args=(at, at + 10))
                w.start()
                await asyncio.to_thread(w.join)

        async def main():
            global there
            there = asyncio.Barrier(2) if hasattr(asyncio, "Barrier") else Event()
            await asyncio.gather(trial(100), trial(200))

        class Event:
            def __init__(self): self.count, self.all = 0, asyncio.Event()
            async def wait(self):
                self.count += 1
                if self.count == 2: self.all.set()
                await self.all.wait()

        with mlrun("search"):
            asyncio.run(main())
    """
    ran = run_script(tasks, tmp_path)
    found = {name: logged(store, name) for name in runs_of(store)}
    wanted = {f"trial {at}": list(range(at, at + 10)) for at in (100, 200)}
    assert found == {**wanted, "search": []}, ran.stdout + ran.stderr


def test_starts_are_as_they_were_after_the_trials(store: str, tmp_path: Path) -> None:
    kept = (
        """
        start = mp.process.BaseProcess.start
        def work(a, b): pass
    """
        + "\n".join(f"        {line}" for line in TRIALS.splitlines())
        + """
        print(mp.process.BaseProcess.start is start, os.environ.get("CVTRACK_RUN", "").count("/"))
    """
    )
    ran = run_script(kept, tmp_path)
    assert ran.stdout.splitlines()[-1].startswith("True"), ran.stdout + ran.stderr
    assert "search" in runs_of(store)
