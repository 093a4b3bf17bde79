"""What it takes to run a run again, and why it cannot be."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest

from cvtrack_magics.capture.code.session import Cell, session_script
from cvtrack_magics.capture.code.slicing import slice_of
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.replay.files import notebook_of, script_of
from cvtrack_magics.replay.plan import GIVEN, Plan, changed_data, plan_of, why_not

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
BODY = "%%mlrun a --seed 1\nfor step in range(3):\n    log({'loss': lr / (step + 1)})"


def planned(*cells: str, body: str = BODY, **more: str) -> Plan:
    session = session_script([Cell(at, source) for at, source in enumerate([*cells, body], 1)])
    texts = {"code/cell.py": body, "code/session.ipy": session, **more}
    return plan_of(Candidate("a" * 32, "a", "digits", "FINISHED", 0, 1, texts=texts))


def test_the_cells_that_are_needed_and_the_rest() -> None:
    plan = planned("lr = 0.1", "plot = 3", "print(lr)")
    assert plan.before == ("lr = 0.1",)
    assert plan.rest == ("plot = 3", "print(lr)")
    assert plan.cell == BODY
    assert plan.problems == ()


PROBLEMS = {
    "no code": ("", [], "its code was not recorded"),
    "a name from nowhere": (BODY, [], "no cell that was recorded defines `lr`"),
    "names that a function needs": (
        BODY,
        ["lr = scale()", "def scale(): return factor"],
        "no cell that was recorded defines `factor`, `scale`",
    ),
    "several cells": ("%mlrun a\nlr = 1", [], "over several cells"),
    "resumed": ("%%mlrun a --resume\n1", [], "it went on with an earlier run"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_why_a_run_cannot_be_run_again(problem: str) -> None:
    body, cells, said = PROBLEMS[problem]
    assert said in " ".join(planned(*cells, body=body).problems)


FINE = {
    "a magic's words": (
        "%%mlrun a --task classification --tag team=cv\n%mldata 3 --context val",
        [],
    ),
    "what is there without an import": ("%%mlrun a\nlog({'x': 1})\ntrack(range(3))\nprint(_)", []),
    "a comprehension's name": ("%%mlrun a\n[n for n in range(3)]", []),
    "a function's own": ("%%mlrun a\ndef f(x):\n    y = x\n    return y\nf(1)", []),
    "recursion": ("%%mlrun a\ndef f(x):\n    return f(x - 1) if x else 0\nf(3)", []),
    "two functions that call each other": (
        "%%mlrun a\nf(3)",
        ["def f(x): return g(x)", "def g(x): return f(x - 1) if x else 0"],
    ),
    "an exception's name": ("%%mlrun a\ntry:\n    1\nexcept ValueError as e:\n    e", []),
    "a star": ("%%mlrun a\nsqrt(2)", ["from math import *"]),
    "on a branch": ("%%mlrun a\nx", ["if True:\n    x = 1"]),
    "with": ("%%mlrun a\nwith open('q') as f:\n    f.read()", []),
    "a class": ("%%mlrun a\nclass N:\n    a = 1\n    b = a\n    def m(self): return N\nN()", []),
    "a decorated function": ("%%mlrun a\n@d\ndef f(): pass", ["def d(f): return f"]),
    "a lambda": ("%%mlrun a\nf = lambda q: q + 1\nf(2)", []),
    "a walrus": ("%%mlrun a\nif (n := 3) > 2:\n    n", []),
    "global": ("%%mlrun a\ndef f():\n    global k\n    k = 1\nf()\nk", []),
    "while": ("%%mlrun a\nk = 0\nwhile k < 3:\n    k += 1", []),
}


@pytest.mark.parametrize("case", FINE)
def test_no_false_alarm(case: str) -> None:
    body, cells = FINE[case]
    assert planned(*cells, body=body).problems == ()


def test_experiment_and_store_are_those_of_who_runs_it_again() -> None:
    plan = planned(
        "%mlexperiment digits\nlr = 1",
        "import mlflow\nif 1:\n    mlflow.set_tracking_uri('http://server')\n    lr = 2",
        body="%%mlrun a --nested --seed 1 --baseline other\nlr",
    )
    text = "\n".join([*plan.before, plan.cell])
    for line in text.split("\n"):
        assert not line.strip().startswith(("%mlexperiment", "mlflow.set_tracking_uri"))
    ast.parse(plan.before[1])
    assert plan.cell == "%%mlrun a --seed 1\nlr"


def test_modules_and_config_files_go_along() -> None:
    files = {"code/modules/net/head.py": "x = 1", "configs/a.yaml": "lr: 1", "logs/output.txt": "q"}
    plan = planned("lr = 1", **files)
    assert plan.files == {"net/head.py": "x = 1", "configs/a.yaml": "lr: 1"}


def test_the_notebook_is_valid_and_keeps_the_rest_below_a_line() -> None:
    plan = planned("lr = 1", "%%html\n<b>x</b>")
    notebook = nbformat.reads(notebook_of(plan), as_version=4)
    nbformat.validate(notebook)
    kinds = [(cell.cell_type, cell.source) for cell in notebook.cells[1:]]
    assert kinds[:2] == [("code", "lr = 1"), ("code", BODY)]
    assert kinds[2][0] == "markdown"
    assert kinds[3] == ("raw", "%%html\n<b>x</b>")


def test_the_script_is_python_with_its_packages_on_top() -> None:
    more = {"environment/requirements.txt": "# Python 3.11\nnumpy==2.4.6\n-e ./x\na @ file:///x\n"}
    plan = planned("lr = 1\n%mlseed 3\nfiles = !ls", "unused = 1", **more)
    text = script_of(plan)
    ast.parse(text)
    assert '#     "numpy==2.4.6",' in text
    assert "file:" not in text
    assert "# %mlseed 3" in text
    assert "# %%mlrun a --seed 1" in text
    assert "\nunused" not in text


def test_a_name_of_a_run_is_only_text() -> None:
    plan = planned("lr = 1")
    hostile = Plan(**{**{k: getattr(plan, k) for k in plan.__slots__}, "name": "<script>\n# x`"})
    head = json.loads(notebook_of(hostile))["cells"][0]["source"]
    assert "<script>" not in "".join(head).replace("\\<script\\>", "")
    assert "\n# x" not in "".join(head)


def test_data_that_changed_is_named() -> None:
    known = [("same", "a" * 64, "a" * 64), ("gone", "b" * 64, ""), ("other", "c" * 64, "d" * 64)]
    gone, other = changed_data(known)
    assert gone == "gone is not there any more"
    assert other == "other has changed: dddddddddddd, and it was cccccccccccc"


LOAD = "%load_ext cvtrack_magics"
ALARMS = {
    "a name from nowhere": ([LOAD], BODY, {"lr"}, "no cell that was recorded defines `lr`"),
    "a name that is not there": ([LOAD], BODY, set(), ""),
    "cells before the load may be unknown": (["x = 1"], BODY, {"lr"}, ""),
    "another script's names": ([LOAD, "%run setup.py"], BODY, {"lr"}, ""),
    "another extension's": ([LOAD, "%store -r lr"], BODY, {"lr"}, ""),
    "executed text": ([LOAD, "exec('lr = 1')"], BODY, {"lr"}, ""),
    "a defined name": ([LOAD, "lr = 1"], BODY, {"lr"}, ""),
    "several cells": ([LOAD], "%mlrun a", {"lr"}, ""),
}


@pytest.mark.parametrize("case", ALARMS)
def test_what_a_run_says_of_itself_as_it_is_recorded(case: str) -> None:
    cells, body, names, said = ALARMS[case]
    assert why_not(cells, body, names) == said


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_tutorials_can_be_run_again(path: Path) -> None:
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    runs = [at for at, source in enumerate(cells) if source.startswith("%%mlrun")]
    assert runs
    for at in runs:
        found = slice_of(cells[:at], cells[at])
        assert [name for name in found.missing if name not in GIVEN] == []
