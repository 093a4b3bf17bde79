"""Cells with ``--ranks`` in a real shell, by real processes that torch elastic starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

from cvtrack_magics.run.current import get_session
from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, points, runs_of

OURS = ("cvtrack_magics.run.ranks.launcher", "cvtrack_magics.notebook.rank_process")


def ranks_left() -> list[list[str]]:
    """Return the command lines of launchers and ranks below this process."""
    found = []
    for one in psutil.Process().children(recursive=True):
        try:
            line = one.cmdline()
        except psutil.Error:
            continue
        if any(name in line for name in OURS):
            found.append(line)
    return found


def test_one_run_that_rank_0_records(shell: Shell, store: str) -> None:
    shell.run("import os, time\nlr = 0.1\nrank = None")
    shell.run("%%mlskip\nraise_if_replayed = 1 / 1")
    text = shell.run(
        "%%mlrun pair --ranks 2 --seed 3\n"
        "import random\n"
        "rank = int(os.environ['RANK'])\n"
        "%mlparams dict(lr=lr)\n"
        "for epoch in track(range(3), 'epoch'):\n"
        "    log({'loss': 1 / (epoch + 1), 'draw': random.random()})\n"
        "log('note', __import__('numpy').zeros((8, 8, 3), 'uint8'))\n"
        "print('said by', rank)\n"
        "result = {'acc': 0.5}\n"
        "model = object()\n"
        "typed = hasattr(__import__('sys'), 'ps1')\n"  # Lightning's ddp refuses a prompt
        "log({'odd': {}})\n"
    )
    assert shell.result.success, text
    runs = runs_of(store)
    assert list(runs) == ["pair"]
    run = runs["pair"]
    assert run.info.status == "FINISHED"
    assert [step for step, _ in points(store, run, "loss")] == [0, 1, 2]
    assert run.data.params["lr"] == "0.1"
    assert "system/node_1/memory_mb" in run.data.metrics
    assert any(name.startswith("visualisations/note/") for name in artifact_names(store, run))
    output = artifact(store, run, "logs/output.txt")
    assert "said by 0" in output
    assert "[rank 1] said by 1" in output
    assert (shell.ip.user_ns["rank"], shell.ip.user_ns["result"]) == (0, {"acc": 0.5})
    assert "model" not in shell.ip.user_ns
    assert shell.ip.user_ns["typed"] is False
    assert text.count("'odd'") + text.count("odd:") >= 1  # what was not recorded, on the card
    assert "typed came back from rank 0; model stayed in the ranks" in text
    assert ranks_left() == []


def test_the_traceback_of_the_rank_that_failed_first_is_shown_once(
    shell: Shell, store: str
) -> None:
    shell.run("import os, time")
    text = shell.run(
        "%%mlrun broken --ranks 2\n"
        "if os.environ['RANK'] == '1':\n"
        "    time.sleep(0.5)\n"
        "    1 / 0\n"
        "log({'loss': 1.0})\n"
        "time.sleep(60)\n"
    )
    assert text.count("ZeroDivisionError: division by zero\n") == 1
    assert "----> 4     1 / 0" in text
    assert "run_cell_magic" not in text
    run = runs_of(store)["broken"]
    assert run.info.status == "FAILED"
    assert run.data.tags["error.type"] == "ZeroDivisionError"
    assert "1 / 0" in artifact(store, run, "error/traceback.txt")
    assert points(store, run, "loss") == [(0, 1.0)]
    assert ranks_left() == []


def _once(is_so: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act in another thread, as a button does, once something is so."""

    def work() -> None:
        until = time.monotonic() + 100
        while not is_so() and time.monotonic() < until:
            time.sleep(0.05)
        act()

    started = threading.Thread(target=work)
    started.start()
    return started


def test_stop_ends_the_loops_of_all_ranks_and_the_run_is_finished(shell: Shell, store: str) -> None:
    shell.run("import os, time")

    def loops() -> bool:
        scope = get_session().current
        if scope is None or "loss" not in scope.curves():  # the plot has what rank 0 logs
            return False
        return any(bar.done > 2 for bar in scope.control.bars())

    button = _once(loops, lambda: get_session().scopes[-1].control.act("stop"))
    text = shell.run(
        "%%mlrun stopped --ranks 2\n"
        "import torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "for step in track(range(100_000), 'step'):\n"
        "    dist.barrier()\n"
        "    time.sleep(0.05)\n"
        "    log({'loss': 1.0})\n"
        "dist.barrier()\n"
        "print('after step', step)\n"
    )
    button.join()
    assert shell.result.success, text
    run = runs_of(store)["stopped"]
    assert run.info.status == "FINISHED"
    steps = [step for step, _ in points(store, run, "loss")]
    assert steps == list(range(len(steps)))
    assert text.count(f"after step {steps[-1]}") == 2
    assert ranks_left() == []


def test_ranks_that_exit_with_code_0_have_ended_well(shell: Shell, store: str) -> None:
    text = shell.run("%%mlrun pair --ranks 2\nimport sys\nlog({'loss': 1.0})\nsys.exit(0)")
    (run,) = runs_of(store).values()
    assert (run.info.status, points(store, run, "loss")) == ("FINISHED", [(0, 1.0)]), text
    assert "error.type" not in run.data.tags


def test_where_it_cannot_be_no_run_is_opened(shell: Shell, store: str) -> None:
    said = {
        "%%mlrun a --ranks 0\npass": "no number of processes",
        "%%mlrun a --ranks two\npass": "no number of processes",
        "%%mlrun a --ranks 2 --verify\npass": "leave out --ranks",
        "%%mlrun a --ranks 2 --resume\npass": "leave out --ranks",
        "%%mlrun a --ranks 2\nfor in x": "SyntaxError",
        "%mlrun a --ranks 2": "needs a whole cell",
    }
    for cell, words in said.items():
        assert words in shell.run(cell), cell
    assert runs_of(store) == {}
