"""A child never waits for what a thread held that it does not have."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

import cvtrack_magics
from tests.run.test_workers import run_script
from tests.store_views import points, runs_of

HOUSE = Path(cvtrack_magics.__file__).parent
MADE_IN = "forks.py"
KINDS = {"Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore"}
QUEUES = {"JoinableQueue", "LifoQueue", "PriorityQueue", "Queue", "SimpleQueue", "allocate_lock"}
OTHERS = {
    ("store/forked.py", "Lock"),  # MLflow's own, made anew in the child
    ("delivery/companion.py", "SimpleQueue"),  # made anew by the first run of a child
    ("capture/data/hashing.py", "SimpleQueue"),  # of one call, which is not there in a child
    ("run/checkpoint/tensors.py", "Event"),  # CUDA's
}


def makers() -> set[tuple[str, str]]:
    """Return where something that threads wait for is made, by file and kind."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            given = [word.value for word in getattr(node, "keywords", ())]
            for one in (called, *given, *getattr(node, "args", ())) if called else ():
                name = getattr(one, "attr", getattr(one, "id", ""))
                if name in KINDS | QUEUES:
                    found.add((path.relative_to(HOUSE).as_posix(), name))
    return {one for one in found if one[0] != MADE_IN and "node_modules" not in one[0]}


def test_every_lock_is_made_where_a_child_finds_it_free() -> None:
    assert makers() == OTHERS


# All is held at once: by a thread that is not there in the child.
HELD = """
import faulthandler
from cvtrack_magics import forks, track
from cvtrack_magics.run import current

with mlrun("r") as run:
    log({"mine": 0.0}, step=0)
    current.get_session().sender.hurry()
    held, go_on = threading.Event(), threading.Event()
    every = [getattr(lock, "_cond", lock) for lock in forks._forks.locks]
    def hold():
        # a thread of ours may hold one and want another: all or none are taken
        until = time.monotonic() + 60
        while refused := [lock for lock in every if not lock.acquire(blocking=False)]:
            for lock in every:
                if lock not in refused:
                    lock.release()
            if time.monotonic() > until:
                return print("not to be had:", refused)
            time.sleep(0.001)
        held.set()
        go_on.wait()
        for lock in every:
            lock.release()
    threading.Thread(target=hold, daemon=True).start()
    held.wait(60)
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(40, exit=True)
        stuck = [lock for lock in every if not lock.acquire(blocking=False)]
        for lock in every:
            if lock not in stuck:
                lock.release()
        print(len(every), "locks,", len(stuck), "stuck:", *stuck, flush=True)
        for step in track(range(5)):
            log({"worker": float(step)}, step=step)
        import mlflow
        mlflow.log_metric("plain", 1.0, step=0)
        print("said in the child", flush=True)
        sys.exit(0)
    go_on.set()
    print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_finds_all_locks_free_that_another_thread_held(store: str, tmp_path: Path) -> None:
    ran = run_script(HELD, tmp_path)
    said = ran.stdout + ran.stderr
    assert " 0 stuck:" in ran.stdout, said
    assert "child ended with 0" in ran.stdout, said
    assert "not to be had" not in ran.stdout, said
    run = runs_of(store)["r"]
    assert points(store, run, "worker") == [(step, float(step)) for step in range(5)], said
    assert points(store, run, "plain") == [(0, 1.0)], said
    assert points(store, run, "mine") == [(0, 0.0)], said


FORKING_THREAD = """
from cvtrack_magics import forks
locks = [forks.rlock(), forks.condition()]
for lock in locks:
    with lock:
        pid = os.fork()
    if pid == 0:
        with lock:
            os._exit(7)
    print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_what_the_forking_thread_holds_is_given_back_in_the_child(tmp_path: Path) -> None:
    ran = run_script(FORKING_THREAD, tmp_path)
    assert ran.stdout.count("child ended with 7") == 2, ran.stdout + ran.stderr


CLOSED = """
import gc, sqlite3, mlflow
def count():
    gc.collect()
    return sum(isinstance(one, sqlite3.Connection) for one in gc.get_objects())
with mlrun("r") as run:
    run_id = mlflow.active_run().info.run_id
    mlflow.MlflowClient().search_experiments()
    pid = os.fork()
    if pid == 0:
        inherited = count()
        mlflow.MlflowClient().search_experiments()
        gc.collect()
        print("inherited", inherited, "and", count(), flush=True)
        os._exit(0 if count() >= inherited > 0 else 1)
    print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_closes_no_database_of_its_parents(store: str, tmp_path: Path) -> None:
    """SQLite takes a lock of the process for it, which another thread may have held."""
    ran = run_script(CLOSED, tmp_path)
    assert "child ended with 0" in ran.stdout, ran.stdout + ran.stderr


WAITS = {
    "a call that ends": """
        forks.PATIENCE = 60.0
        def call():
            with forks.waiting_for_this():
                inside.set()
                while not forks._forks.forking:
                    time.sleep(0.001)
                done.append(1)
    """,
    "a call that goes on": """
        forks.PATIENCE = 0.01
        def call():
            with forks.waiting_for_this():
                done.append(1)
                inside.set()
                time.sleep(1000)
    """,
    "a request within a call": """
        forks.PATIENCE = 1000.0
        def call():
            with forks.waiting_for_this(), forks.not_waiting():
                done.append(1)
                inside.set()
                time.sleep(1000)
    """,
    "a call in a call": """
        forks.PATIENCE = 60.0
        def call():
            with forks.waiting_for_this():
                with forks.waiting_for_this():
                    pass
                inside.set()
                while not forks._forks.forking:
                    time.sleep(0.001)
                done.append(1)
    """,
}
FORKS = """
from cvtrack_magics import forks
inside, done = threading.Event(), []
{way}
threading.Thread(target=call, daemon=True).start()
inside.wait(60)
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        with forks.waiting_for_this():
            os._exit(7 if done and len(forks._forks.calls) == 1 else 8)
    print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
with forks.waiting_for_this():
    print("in the parent", len(forks._forks.forking))
"""


@pytest.mark.parametrize("way", WAITS)
def test_a_fork_waits_for(way: str, tmp_path: Path) -> None:
    ran = run_script(FORKS.format(way=textwrap.dedent(WAITS[way])), tmp_path)
    assert ran.stdout.count("child ended with 7") == 2, ran.stdout + ran.stderr
    assert "in the parent 0" in ran.stdout


STATEMENTS = """
import mlflow, sqlalchemy
from cvtrack_magics import forks
seen, outside = set(), set()
def look(*_):
    name = threading.current_thread().name
    if name.startswith("cvtrack-"):
        seen.add(name)
        if threading.get_ident() not in forks._forks.calls:
            outside.add(name)
for event in ("before_cursor_execute", "after_cursor_execute", "begin", "commit", "rollback"):
    sqlalchemy.event.listen(sqlalchemy.Engine, event, look)
with mlrun("r", params={"a": 1}, tags={"b": "c"}) as run:
    for step in range(50):
        log({"mine": float(step)}, step=step)
    mlflow.log_text("words", "a.txt")
print("seen", *seen, "outside", *outside)
"""


def test_all_that_threads_of_this_package_ask_of_a_database_is_waited_for(
    store: str, tmp_path: Path
) -> None:
    ran = run_script(STATEMENTS, tmp_path)
    said = ran.stdout + ran.stderr
    assert "cvtrack-sender" in ran.stdout.partition("outside")[0], said
    assert [line for line in ran.stdout.splitlines() if line.endswith(" outside")], said
