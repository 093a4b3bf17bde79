"""``%mlreport``: an experiment as one page to send around."""

from __future__ import annotations

import re
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics import UsageProblem, mlreport
from tests.conftest import Shell

HOSTILE = "<img src=x onerror=alert(1)>"


def add(name: str, *, status: str = "FINISHED", **metrics: float) -> None:
    client = mlflow.MlflowClient()
    run_id = client.create_run("0", run_name=name).info.run_id
    client.log_param(run_id, "lr", name)
    for key, value in metrics.items():
        client.log_metric(run_id, key, value)
    if status != "RUNNING":
        client.set_terminated(run_id, status)


def test_the_page_has_the_runs_and_why_the_best_differ(shell: Shell, store: str) -> None:
    client = mlflow.MlflowClient()
    client.set_experiment_tag("0", "mlflow.note.content", f"Which rate?\n{HOSTILE}")
    for name, acc in ((HOSTILE, 0.5), ("high", 0.75), ("middle", 0.625), ("nan", float("nan"))):
        add(name, acc=acc, error=1 - acc)
    add("broken", status="FAILED", acc=0.99)
    add("going", status="RUNNING", acc=0.98)
    said = shell.run("%mlreport why.html --best 2")
    assert "Written to why.html" in said
    assert "6 runs: 4 finished, 1 failed, 1 running." in said
    assert "The highest acc is 0.75, of run 'high' (of 3 finished runs that have it)." in said
    page = Path("why.html").read_text()
    assert page.count("<img src=x") == 0
    assert "Which rate?" in page
    assert "high" in page.split("middle")[0]
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|blob:|#)[a-z]+:""", page, re.I)
    assert "<link" not in page
    assert "just now" not in page  # it is read later
    fit = mlreport("fit.html", filter="params.lr = 'high'", best=2)
    assert [line.name for line in fit.table.lines] == ["high"]


def test_the_metric_that_the_experiment_is_about_orders_them(shell: Shell, store: str) -> None:
    shell.run("%mlexperiment Default --metric error")
    add("first", acc=0.9, error=0.5)
    add("second", acc=0.5, error=0.1)
    made = mlreport("a.html", best=0)
    assert "The lowest error is 0.1, of run 'second'" in made.lines[1]
    assert [line.name for line in made.table.lines] == ["second", "first"]
    assert made.best is None


def test_runs_without_a_metric_are_listed(shell: Shell, store: str) -> None:
    add("alone")
    made = mlreport()
    assert made.file == Path("Default.html")
    assert made.lines == ("1 run: 1 finished.",)
    assert "alone" in Path("Default.html").read_text()


@pytest.mark.parametrize("file", ["", "none/there.html", "."])
def test_where_there_is_nothing_to_write_or_nowhere_it_says_so(
    shell: Shell, store: str, file: str
) -> None:
    if file:
        add("alone")
    with pytest.raises(UsageProblem, match="cannot be written" if file else "no run to report"):
        mlreport(file)
