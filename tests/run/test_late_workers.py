"""What worker processes log is in the run they work for: also after its end, also when reused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.test_workers import indented, run_script
from tests.store_views import points, runs_of

LATE = {
    "spawned": """
        w = mp.get_context("spawn").Process(target=working.in_two_halves, args=(FOLDER, FIRST))
        w.start(); end = w.join
    """,
    "forked": """
        w = mp.get_context("fork").Process(target=working.in_two_halves, args=(FOLDER, FIRST))
        w.start(); end = w.join
    """,
    "a task in a pool": """
        w = mp.get_context("spawn").Pool(1)
        w.apply_async(working.in_two_halves, (FOLDER, FIRST)); end = w.terminate
    """,
    "a task in an executor": """
        from concurrent.futures import ProcessPoolExecutor
        w = ProcessPoolExecutor(1)
        w.submit(working.in_two_halves, FOLDER, FIRST); end = w.shutdown
    """,
    "a script that is started": """
        w = subprocess.Popen([sys.executable, "-c",
            f"from tests.run import working; working.in_two_halves({FOLDER!r}, {FIRST})"])
        end = w.wait
    """,
    "a script that a shell starts": """
        Path(FOLDER, "worker.py").write_text(
            f"from tests.run import working; working.in_two_halves({FOLDER!r}, {FIRST})")
        w = subprocess.Popen(f"'{sys.executable}' '{FOLDER}/worker.py'; true", shell=True)
        end = w.wait
    """,
    "forked by hand": """
        w = os.fork()
        if w == 0:
            working.in_two_halves(FOLDER, FIRST)
            os._exit(0)
        end = lambda: os.waitpid(w, 0)
    """,
}


AT_ONCE = ("a script that a shell starts", "forked by hand")


@pytest.mark.parametrize(
    ("way", "first"),
    [(way, first) for way in LATE for first in (20, 0) if first == 0 or way not in AT_ONCE],
)
def test_what_goes_on_after_the_run_logs_to_that(
    way: str, first: int, store: str, tmp_path: Path
) -> None:
    if not first and way.startswith("a task"):
        first = 1  # nothing tells of a task until it logs
    code = f"from pathlib import Path\nFOLDER, FIRST = {str(tmp_path)!r}, {first}\n"
    code += "with mlrun('a', output=False):\n    log({'mine': 1.0}, step=0)\n" + indented(LATE[way])
    code += "    working.wait_for(Path(FOLDER, 'half'))\n"
    code += "with mlrun('b', output=False):\n    Path(FOLDER, 'go').touch()\n"
    code += "    working.wait_for(Path(FOLDER, 'done'))\nend()\n"
    ran = run_script(code, tmp_path)
    said, found = ran.stdout + ran.stderr, runs_of(store)
    assert set(found) == {"a", "b"}, said
    assert points(store, found["a"], "worker") == [(at, float(at)) for at in range(40)], said
    assert points(store, found["b"], "worker") == [], said
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert said.count("has ended; what it logs goes to that run") == 1, said
    assert "nothing is recorded" not in said
    assert not list((tmp_path / "home" / "state").rglob("run.json")), "a journal is left"


POOLS = {
    "a pool": """
        pool = mp.get_context("spawn").Pool(1)
        work = lambda *given: pool.apply(working.count, given)
    """,
    "a forked pool": """
        pool = mp.get_context("fork").Pool(1)
        work = lambda *given: pool.apply(working.count, given)
    """,
    "an executor": """
        from concurrent.futures import ProcessPoolExecutor
        pool = ProcessPoolExecutor(1)
        work = lambda *given: pool.submit(working.count, *given).result()
    """,
    "loky": """
        from joblib.externals.loky import get_reusable_executor
        pool = get_reusable_executor(1)
        work = lambda *given: pool.submit(working.count, *given).result()
    """,
}


REUSED = """
with mlrun("a", output=False):
    MAKE
    work(0, 5)
    with mlrun("in a", nested=True, output=False):
        work(5, 10)
    work(10, 15)
with mlrun("b", output=False):
    with mlrun("in b", nested=True, output=False):
        work(15, 20)
    with mlrun("next in b", nested=True, output=False):
        work(20, 25)
    work(25, 30)
getattr(pool, "terminate", getattr(pool, "shutdown", None))()
"""


@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_logs_to_the_run_that_is_open(kind: str, store: str, tmp_path: Path) -> None:
    """Whichever run its workers were started in: one before, one around, or one beside it."""
    if kind == "loky":
        pytest.importorskip("joblib", reason="comes with scikit-learn, which is no need of ours")
    code = REUSED.replace("    MAKE\n", indented(POOLS[kind]))
    ran = run_script(code, tmp_path)
    found = runs_of(store)
    steps = {name: [at for at, _ in points(store, run, "worker")] for name, run in found.items()}
    assert steps == {
        "a": [*range(5), *range(10, 15)],
        "in a": [*range(5, 10)],
        "b": [*range(25, 30)],
        "in b": [*range(15, 20)],
        "next in b": [*range(20, 25)],
    }, ran.stdout + ran.stderr
    assert "has ended" not in ran.stdout + ran.stderr
