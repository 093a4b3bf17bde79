"""What was started in a run and goes on after its end logs to that run, never to the next one."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from unittest import mock

import pytest

import cvtrack_magics
from cvtrack_magics import log, mlparams, mlrun, track
from cvtrack_magics.run import current
from tests.conftest import Shell
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")

HALF, WAIT = 20, 60


@dataclass
class Job:
    """Logs one half of its points in the run that it is started in, and the other when told."""

    first: int = HALF
    half_way: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def __call__(self, *_: Any) -> None:
        for step in range(self.first):
            log({"late": float(step)}, step=step)
        self.half_way.set()
        self.go_on.wait(WAIT)
        for step in range(self.first, 2 * HALF):
            log({"late": float(step)}, step=step)
        self.done.set()

    async def as_task(self) -> None:
        for step in range(self.first):
            log({"late": float(step)}, step=step)
        self.half_way.set()
        while not self.go_on.is_set():
            await asyncio.sleep(0.001)
        for step in range(self.first, 2 * HALF):
            log({"late": float(step)}, step=step)
        self.done.set()


class OfItsOwn(threading.Thread):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def run(self) -> None:
        self._job()


Start = Callable[[Job], Any]


def a_thread(job: Job) -> None:
    threading.Thread(target=job, name="of the user").start()


def a_thread_of_a_thread(job: Job) -> None:
    starter = threading.Thread(target=a_thread, args=(job,))
    starter.start()
    starter.join()


def a_timer(job: Job) -> None:
    threading.Timer(0.001, job).start()


def in_a_context(job: Job) -> None:
    threading.Thread(target=contextvars.copy_context().run, args=(job,)).start()


def in_a_nested_run(job: Job) -> None:
    with mlrun("inner", nested=True, output=False):
        a_thread(job)
        job.half_way.wait(WAIT)


def a_loop_of_its_own(job: Job) -> None:
    threading.Thread(target=lambda: asyncio.run(job.as_task())).start()


POOLS: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    POOLS.append(ThreadPoolExecutor(1))
    return POOLS[-1]


def a_task_in_a_pool(job: Job) -> None:
    _pool().submit(job)


def a_task_in_a_thread_pool(job: Job) -> None:
    ThreadPool(1).apply_async(job)


def a_queue_of_the_users(job: Job) -> None:
    queue: SimpleQueue[Job] = SimpleQueue()

    def work() -> None:
        queue.get()()

    threading.Thread(target=work).start()
    queue.put(job)


WAYS: dict[str, Start] = {
    "a thread": a_thread,
    "a daemon": lambda job: threading.Thread(target=job, daemon=True).start(),
    "a class of threads": lambda job: OfItsOwn(job).start(),
    "a thread of a thread": a_thread_of_a_thread,
    "a timer": a_timer,
    "a thread in a context": in_a_context,
    "a loop in a thread": a_loop_of_its_own,
    "a queue of the user's": a_queue_of_the_users,
    "a task in a pool": a_task_in_a_pool,
    "a task in a ThreadPool": a_task_in_a_thread_pool,
}


@pytest.fixture(autouse=True)
def pools_end() -> Iterator[None]:
    yield
    while POOLS:
        POOLS.pop().shutdown()


@contextmanager
def no_store() -> Iterator[None]:
    """Let the store be away: nothing can be opened at its address."""
    from cvtrack_magics.store import probe  # sqlite3's own function is put back at a run's end

    def away(*args: Any, **kwargs: Any) -> Any:
        raise sqlite3.OperationalError("unable to open database file")

    with mock.patch.object(probe, "sqlite3", mock.Mock(wraps=sqlite3, connect=away)) as theirs:
        theirs.DatabaseError = sqlite3.DatabaseError
        theirs.OperationalError = sqlite3.OperationalError
        yield


def settled(name: str) -> list[tuple[int, float]]:
    """Return the points that have arrived when the session has sent all."""
    session = current.get_session()
    session.writing.outliving.settle(all_of_it=True)
    session.sender.drain(WAIT, lambda _: None)
    found = runs_of(session.tracking.uri)
    return points(session.tracking.uri, found[name], "late") if name in found else []


ALL = [(step, float(step)) for step in range(2 * HALF)]


@pytest.mark.parametrize("first", [HALF, 0])
@pytest.mark.parametrize("way", WAYS)
def test_it_logs_to_the_run_it_was_started_in(
    way: str, first: int, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(first)
    with mlrun("a", output=False):
        WAYS[way](job)
        job.half_way.wait(WAIT)
    with mlrun("b", output=False):
        log({"mine": 1.0}, step=0)
        job.go_on.set()
        job.done.wait(WAIT)
        log({"mine": 2.0}, step=1)
    assert settled("a") == ALL
    assert settled("b") == []
    assert points(store, runs_of(store)["b"], "mine") == [(0, 1.0), (1, 2.0)]
    assert {run.info.status for run in runs_of(store).values()} == {"FINISHED"}
    assert capsys.readouterr().out.count("goes on after that has ended") == 1
    assert current.get_session().sender.deliveries == []


def test_a_thread_of_a_nested_run_logs_to_that(store: str) -> None:
    job = Job()
    with mlrun("outer", output=False):
        in_a_nested_run(job)
        job.go_on.set()
        job.done.wait(WAIT)
    assert settled("inner") == ALL
    assert settled("outer") == []


def _two_runs_of_one_loop(make: Callable[[Job], Any]) -> Job:
    job = Job()

    async def both() -> None:
        with mlrun("a", output=False):
            going = make(job)
            await asyncio.to_thread(job.half_way.wait, WAIT)
        with mlrun("b", output=False):
            log({"mine": 1.0}, step=0)
            job.go_on.set()
            await asyncio.to_thread(job.done.wait, WAIT)
        await asyncio.gather(*([going] if going is not None else []))

    asyncio.run(both())
    return job


def _by_callbacks(job: Job) -> None:
    loop = asyncio.get_running_loop()

    def again(step: int) -> None:
        if step == HALF:
            job.half_way.set()
        if step >= HALF and not job.go_on.is_set():
            loop.call_later(0.001, again, step)
            return
        log({"late": float(step)}, step=step)
        if step + 1 < 2 * HALF:
            loop.call_soon(again, step + 1)
        else:
            job.done.set()

    loop.call_soon(again, 0)


TASKS: dict[str, Callable[[Job], Any]] = {
    "a task": lambda job: asyncio.create_task(job.as_task()),
    "a task of a task": lambda job: asyncio.create_task(_inner(job)),
    "callbacks": _by_callbacks,
    "a thread that is awaited": lambda job: asyncio.create_task(asyncio.to_thread(job)),
    "the loop's pool": lambda job: asyncio.get_running_loop().run_in_executor(None, job),
}


async def _inner(job: Job) -> None:
    await asyncio.create_task(job.as_task())


@pytest.mark.parametrize("way", TASKS)
def test_what_a_loop_goes_on_with_logs_to_the_run_it_was_made_in(way: str, store: str) -> None:
    _two_runs_of_one_loop(TASKS[way])
    assert settled("a") == ALL
    assert settled("b") == []


@pytest.mark.parametrize("away", [False, True])
def test_with_no_run_open_it_logs_to_that_all_the_same(
    away: bool, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the store does not have the run yet."""
    job = Job()
    with no_store() if away else nullcontext():
        with mlrun("a", output=False):
            log({"mine": 1.0}, step=0)
            a_thread(job)
            job.half_way.wait(WAIT)
        job.go_on.set()
        job.done.wait(WAIT)
    current.get_session().sender.hurry()
    assert settled("a") == ALL
    found = runs_of(store)
    assert list(found) == ["a"]
    assert found["a"].info.status == "FINISHED"
    assert points(store, found["a"], "mine") == [(0, 1.0)]
    said = capsys.readouterr().out
    assert "nothing is recorded" not in said
    assert ("is kept on disk" in said) == away


def test_steps_go_on_and_params_arrive(store: str) -> None:
    half_way, go_on = threading.Event(), threading.Event()

    def work() -> None:
        for at in range(10):
            if at == 5:
                half_way.set()
                go_on.wait(WAIT)
                mlparams({"said": "late"})
            log(late=float(at))

    with mlrun("a", output=False):
        thread = threading.Thread(target=work)
        thread.start()
        half_way.wait(WAIT)
    with mlrun("b", output=False):
        for _ in track(range(3), "epoch"):
            log(mine=1.0)
        go_on.set()
        thread.join()
    assert settled("a") == [(step, float(step)) for step in range(10)]
    found = runs_of(store)
    assert found["a"].data.params["said"] == "late"
    assert "said" not in found["b"].data.params


def test_steps_go_on_where_it_is_settled_in_between(store: str) -> None:
    """As at a process's end, while its threads go on."""
    turns = [threading.Event() for _ in range(3)]
    done = [threading.Event() for _ in range(3)]

    def work() -> None:
        for part in range(3):
            turns[part].wait(WAIT)
            for at in range(4):
                log(late=float(4 * part + at))
            done[part].set()

    def play(part: int) -> None:
        turns[part].set()
        assert done[part].wait(WAIT)

    with mlrun("a", output=False):
        thread = threading.Thread(target=work)
        thread.start()
        play(0)
    play(1)
    current.get_session().writing.outliving.settle(all_of_it=True)
    play(2)
    thread.join()
    assert settled("a") == [(step, float(step)) for step in range(12)]


@contextmanager
def reused(kind: str) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Give what runs a function in a thread that is reused, or was there before all runs."""
    if kind == "an executor":
        with ThreadPoolExecutor(1) as pool:
            yield lambda work: pool.submit(work).result()
    elif kind == "a ThreadPool":
        with ThreadPool(1) as threads:
            yield threads.apply
    elif kind == "joblib":
        joblib = pytest.importorskip("joblib", reason="comes with scikit-learn, which is no need")
        with joblib.Parallel(2, backend="threading") as parallel:
            yield lambda work: parallel([joblib.delayed(work)(), joblib.delayed(int)()])
    else:
        queue: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()

        def serve() -> None:
            while (given := queue.get()) is not None:
                given[1].set_result(given[0]())

        def run(work: Callable[[], Any]) -> Any:
            done: Future[Any] = Future()
            queue.put((work, done))
            return done.result()

        threading.Thread(target=serve).start()
        yield run
        queue.put(None)


def test_threads_of_pools_follow_the_run_that_is_open(store: str) -> None:
    for kind in ("an executor", "a ThreadPool", "joblib", "a thread of before"):
        with reused(kind) as run:
            for at in range(4):
                with mlrun(f"{kind} {at}", output=False):
                    run(lambda at=at: log({"late": float(at)}, step=at))
        for at in range(4):
            assert settled(f"{kind} {at}") == [(at, float(at))], kind


def test_a_pool_that_was_busy_at_the_end_is_free_for_the_next_task(store: str) -> None:
    job = Job()
    with ThreadPoolExecutor(1) as pool:
        with mlrun("a", output=False):
            busy = pool.submit(job)
            job.half_way.wait(WAIT)
        with mlrun("b", output=False):
            job.go_on.set()
            busy.result()
            pool.submit(log, {"late": 5.0}, step=5).result()
    assert settled("a") == ALL
    assert settled("b") == [(5, 5.0)]


def test_a_thread_that_was_ended_with_the_run_around_it_logs_to_its_own(store: str) -> None:
    began, go_on = threading.Event(), threading.Event()

    def trial() -> None:
        with mlrun("trial", nested=True, output=False):
            log({"late": 0.0}, step=0)
            began.set()
            go_on.wait(WAIT)
            log({"late": 1.0}, step=1)

    with mlrun("search", output=False):
        thread = threading.Thread(target=trial)
        thread.start()
        began.wait(WAIT)
    with mlrun("next", output=False):
        go_on.set()
        thread.join()
    assert settled("trial") == [(0, 0.0), (1, 1.0)]
    assert settled("next") == settled("search") == []


CELLS = {
    "a thread": "threading.Thread(target=job).start()",
    "a task in a pool": "pool.submit(job)",
}


@pytest.mark.parametrize("span", [False, True])
@pytest.mark.parametrize("way", CELLS)
def test_in_cells(way: str, span: bool, shell: Shell, store: str) -> None:
    job = Job()
    with ThreadPoolExecutor(1) as pool:
        shell.ip.user_ns.update(job=job, pool=pool, threading=threading, log=log)
        opened = "%mlrun a\n" if span else "%%mlrun a\n"
        shell.run(opened + CELLS[way] + "\njob.half_way.wait(60)")
        if span:
            shell.run("log({'of a': 1.0})")
            shell.run("%mlend")
        said = shell.run("%%mlrun b\njob.go_on.set()\njob.done.wait(60)\nlog({'mine': 1.0})")
    assert "was started in run 'a'" in said
    assert settled("a") == ALL
    assert settled("b") == []
    assert runs_of(store)["b"].data.metrics["mine"] == 1.0


def test_the_frames_of_other_threads_are_never_walked() -> None:
    """They run on between two steps of a walk; CPython 3.11 crashes where one of them is gone."""
    package = Path(cvtrack_magics.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert len(sources) > 100
    assert [path.name for path, text in sources.items() if "_current_frames" in text] == []


def test_who_awaits_a_task_of_an_earlier_cell_reads_its_whole_curve(
    shell: Shell, store: str
) -> None:
    shell.run(
        "%%mlrun a\nimport asyncio\nfrom cvtrack_magics import log\n"
        "async def work():\n    for at in range(3):\n        await asyncio.sleep(0.1)\n"
        "        log({'late': float(at)}, step=at)\n"
        "job = asyncio.create_task(work())\nawait asyncio.sleep(0.15)"
    )
    shell.run("await job")
    assert points(store, runs_of(store)["a"], "late") == [(0, 0.0), (1, 1.0), (2, 2.0)]
