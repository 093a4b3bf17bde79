"""What the process around a run does to it: forks, signals, exits, other threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import warm
from tests.store_views import points, runs_of

LOADED = "from cvtrack_magics import log, mlrun, mlend\n"
WAYS = {
    "a forked worker is terminated": (
        "import multiprocessing, time\n"
        "ctx = multiprocessing.get_context('fork')\n"
        "with mlrun('r'):\n"
        "    p = ctx.Process(target=time.sleep, args=(30,)); p.start(); time.sleep(0.3)\n"
        "    p.terminate(); p.join(); log(code=p.exitcode)\n",
        "FINISHED",
    ),
    "a forked child exits by itself": (
        "import os, sys\n"
        "with mlrun('r'):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        sys.exit(0)\n"
        "    os.waitpid(pid, 0); log(x=1)\n",
        "FINISHED",
    ),
    "the script ends with a run open": ("mlrun('r'); log(x=1)\n", "KILLED"),
    "the script fails with a run open": ("mlrun('r'); log(x=1)\n1/0\n", "FAILED"),
    "the script is interrupted with a run open": (
        "mlrun('r'); log(x=1)\nraise KeyboardInterrupt\n",
        "KILLED",
    ),
    "an error is caught in the script, which ends with a run open": (
        "mlrun('r')\ntry: 1/0\nexcept ZeroDivisionError: log(x=1)\n",
        "KILLED",
    ),
    "the error that was shown is that of another thread": (
        "import threading\nmlrun('r'); log(x=1)\n"
        "t = threading.Thread(target=lambda: 1/0); t.start(); t.join()\n",
        "KILLED",
    ),
    "the script exits with code 0 in a with block": (
        "import sys\nwith mlrun('r'):\n    sys.exit(0)\n",
        "FINISHED",
    ),
    "the script exits with a message in a with block": (
        "import sys\nwith mlrun('r'):\n    sys.exit('no data')\n",
        "FAILED",
    ),
    "a command line ends itself": (
        "import click\n@click.command()\ndef train(): log(x=1)\nwith mlrun('r'):\n    train([])\n",
        "FINISHED",
    ),
    "who asks a generator for values leaves it": (
        "def losses():\n    with mlrun('r'):\n        for i in range(9): log(x=i); yield i\n"
        "for i in losses():\n    if i == 2: break\n",
        "KILLED",
    ),
    "the script fails in a with block": ("with mlrun('r'):\n    1/0\n", "FAILED"),
    "the script gets SIGTERM": (
        "import os, signal\nmlrun('r'); log(x=1)\nos.kill(os.getpid(), signal.SIGTERM)\n",
        "KILLED",
    ),
    "another thread logs": (
        "import threading\n"
        "with mlrun('r'):\n"
        "    t = threading.Thread(target=lambda: [log(x=i) for i in range(100)])\n"
        "    t.start(); t.join()\n",
        "FINISHED",
    ),
    "the working folder changes": (
        "import os, tempfile\nwith mlrun('r'):\n    os.chdir(tempfile.mkdtemp()); log(x=1)\n",
        "FINISHED",
    ),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_the_status_is_true(way: str, store: str, tmp_path: Path) -> None:
    code, expected = WAYS[way]
    script = tmp_path / "script.py"
    script.write_text(LOADED + code)
    ran = warm.run([str(script)], timeout=120)
    found = runs_of(store)
    assert list(found) == ["r"], ran.stdout + ran.stderr
    assert found["r"].info.status == expected, ran.stdout + ran.stderr
    if way == "another thread logs":
        assert [step for step, _ in points(store, found["r"], "x")] == list(range(100))


def test_the_default_store_is_beside_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    warm.run(["-c", LOADED + "with mlrun('r'): log(x=1)"], check=True, cwd=tmp_path)
    assert (tmp_path / "mlflow.db").exists()
    assert runs_of(f"sqlite:///{tmp_path / 'mlflow.db'}")["r"].info.status == "FINISHED"


CHILDREN = {
    "in a run": ("with mlrun('r'):\n    child()\n", "SIG_DFL"),
    "with a run that is held open": ("mlrun('r')\nchild()\nmlend()\n", "SIG_DFL"),
    "after a run": ("with mlrun('r'):\n    log(x=1)\nchild()\n", "SIG_DFL"),
    "from another thread": (
        "with mlrun('r'):\n    t = threading.Thread(target=child)\n    t.start(); t.join()\n",
        "SIG_DFL",
    ),
    "of a script with a handler of its own": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwith mlrun('r'):\n    child()\n",
        "SIG_IGN",
    ),
    "that sets one in the run": (
        "with mlrun('r'):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN); child()\n",
        "SIG_IGN",
    ),
    "that has a run of its own": (
        "with mlrun('r'):\n    child('with mlrun(\"own\"): log(x=1)')\n",
        "SIG_DFL",
    ),
}


@pytest.mark.parametrize("way", list(CHILDREN))
def test_a_forked_child_is_told_to_end_by_the_signals_own_action(
    way: str, store: str, tmp_path: Path
) -> None:
    code, expected = CHILDREN[way]
    script = tmp_path / "script.py"
    script.write_text(
        LOADED + "import os, signal, threading\n"
        "def child(before=''):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        exec(before)\n"
        "        action = signal.getsignal(signal.SIGTERM)\n"
        "        open('action', 'w').write(getattr(action, 'name', repr(action)))\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n" + code
    )
    ran = warm.run([str(script)], cwd=tmp_path)
    assert (tmp_path / "action").read_text() == expected, ran.stderr
    assert runs_of(store)["r"].info.status == "FINISHED"
