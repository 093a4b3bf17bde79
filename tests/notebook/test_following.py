"""``%mlruns`` and ``%mlwatch`` are kept up to date in their place while a run goes on elsewhere."""

from __future__ import annotations

import queue
import time
from typing import Any

import mlflow
import pytest

from cvtrack_magics import UsageProblem, mlwatch
from tests.kernels import Kernel


def updates(kernel: Kernel, until: str) -> list[str]:
    """Return the texts of updates, up to one that says something."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (found and until in found[-1]):
        try:
            got = kernel.client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if got["msg_type"] == "update_display_data":
            found.append(str(got["content"]["data"]["text/plain"]))
    return found


def still(kernel: Kernel) -> bool:
    """Whether no update comes any more."""
    threads = "import threading; [t.name for t in threading.enumerate() if 'follow' in t.name]"
    (left,) = kernel.run(threads).results
    return left == "[]"


@pytest.mark.parametrize("line", ["%mlruns", "%mlwatch"])
def test_a_run_of_another_process_is_followed_until_it_ends(
    kernel: Kernel, store: str, line: str
) -> None:
    client = mlflow.MlflowClient(store)
    run = client.create_run("0", run_name="far").info.run_id
    client.log_metric(run, "loss", 0.5, step=1)
    kernel.run("from cvtrack_magics.commands import following").check()
    kernel.run("following.EVERY, following.SHARE = 0.1, 1").check()
    first = kernel.run(line).check()
    assert "0.5" in first.text
    assert "RUNNING" in first.text or "▶" in first.text or "●" in first.text
    client.log_metric(run, "loss", 0.25, step=2)
    assert "0.25" in updates(kernel, "0.25")[-1]
    client.log_metric(run, "loss", 0.125, step=3)
    client.set_terminated(run)
    assert "✓" in updates(kernel, "✓")[-1]
    deadline = time.monotonic() + 30
    while not still(kernel) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert still(kernel)
    again = kernel.run(line if line != "%mlwatch" else "%mlwatch far").check()
    assert "✓" in again.text
    assert still(kernel)  # of what has ended nothing is asked


def test_without_a_run_that_goes_on_it_says_so(store: str, script: Any) -> None:
    client = mlflow.MlflowClient(store)
    client.set_terminated(client.create_run("0", run_name="done").info.run_id)
    with pytest.raises(UsageProblem, match="%mlshow RUN"):
        mlwatch()
    assert "FINISHED done" in repr(mlwatch("done"))


def test_a_store_that_does_not_tell_is_shown_as_it_was_and_then_as_it_is(
    kernel: Kernel, store: str
) -> None:
    client = mlflow.MlflowClient(store)
    run = client.create_run("0", run_name="far").info.run_id
    client.log_metric(run, "acc", 0.5)
    client.set_terminated(run)
    kernel.run("import importlib; m = importlib.import_module('cvtrack_magics.commands.mlruns')")
    kernel.run("m.WORTH_IT, m.state_of = 1, lambda uri: ''").check()
    assert "being asked" not in kernel.run("%mlruns").check().text
    client.log_metric(run, "acc", 0.75, step=1)
    shown = kernel.run("%mlruns").check().text
    assert "0.5" in shown
    assert "the store is being asked" in shown
    now = updates(kernel, "0.75")[-1]
    assert "being asked" not in now
    (value,) = kernel.run("m.mlruns().runs[0].metrics['acc'][0]").results
    assert value == "0.75"  # who asks for a value gets what the store has
