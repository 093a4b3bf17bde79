"""A notebook or script is run from a shell as it is meant, and its parameters are params."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.notebook.executing import Given, parameters_of, value_of, with_parameters
from cvtrack_magics.notebook.parameters import names_in
from tests import warm
from tests.store_views import points, runs_of

SCRIPT = """\
# %% [markdown]
# # Training

# %%
# %load_ext cvtrack_magics
# !echo said by the shell

# %% tags=["parameters"]
lr, epochs = 0.1, 2

# %%
# %%mlrun base --seed 3
for epoch in range(epochs):
    log(loss=lr / (epoch + 1), step=epoch)

# %%
# %%capture seen
print("captured")

# %%
print("at the end:", seen.stdout.strip(), await_me := 1 + 1)
"""


def execute(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return warm.run(["-m", "cvtrack_magics", "exec", str(file), *options], timeout=180)


def notebook_of(cells: list[str | tuple[str, list[str]]]) -> str:
    found = []
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        found.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {"tags": tags},
                "outputs": [],
                "source": source,
            }
        )
    return json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def test_a_script_with_cells_is_run_with_its_magics(store: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(SCRIPT)
    ran = execute(file, "-p", "lr=0.5", "-p", "epochs=4")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "said by the shell" in ran.stdout
    assert "at the end: captured 2" in ran.stdout
    assert "already loaded" not in ran.stdout
    run = runs_of(store)["base"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "loss") == [(step, 0.5 / (step + 1)) for step in range(4)]
    assert {key: run.data.params[key] for key in ("lr", "epochs")} == {"lr": "0.5", "epochs": "4"}
    assert run.data.tags["mlflow.source.name"] == str(file)


def test_a_notebook_is_run_with_modules_beside_it(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "beside.py").write_text("ANSWER = 42\n")
    file = folder / "train.ipynb"
    file.write_text(
        notebook_of(
            [
                "import asyncio, beside",
                ("raise KeyError('shown')", ["raises-exception"]),
                ("1/0", ["skip-execution"]),
                "%%mlrun base\nawait asyncio.sleep(0)\nlog(answer=beside.ANSWER)",
            ]
        )
    )
    ran = execute(file)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = runs_of(store)["base"]
    assert run.data.metrics["answer"] == 42.0
    assert run.data.tags["mlflow.source.type"] == "NOTEBOOK"


ENDS: dict[str, tuple[str, int, str, dict[str, str]]] = {
    "a cell fails": (
        "%%mlrun base\nlog(x=1)\n1/0",
        1,
        "Cell 1 of 2 failed (ZeroDivisionError); those after it were not run.",
        {"base": "FAILED"},
    ),
    "a cell is no Python": ("%%mlrun base\n)", 1, "Cell 1 of 2 failed (SyntaxError)", {}),
    "it ends itself": ("%%mlrun base\nimport sys\nsys.exit(3)", 3, "", {"base": "FAILED"}),
    "it ends itself well, in a run": (
        "%%mlrun base\nimport sys\nsys.exit(0)",
        0,
        "",
        {"base": "FINISHED"},
    ),
    "it ends itself well": ("import sys\nsys.exit()", 0, "", {}),
    "it ends itself with words": ("raise SystemExit('no data')", 1, "no data", {}),
    "a span is left open": (
        "%mlrun base",
        0,
        "",
        {"base": "KILLED", "later": "FINISHED"},
    ),
}


@pytest.mark.parametrize("way", ENDS)
def test_the_exit_code_and_the_status_are_true(way: str, store: str, tmp_path: Path) -> None:
    first, code, why, statuses = ENDS[way]
    file = tmp_path / "train.ipynb"
    file.write_text(notebook_of([first, "%%mlrun later --nested\nlog(x=1)"]))
    ran = execute(file)
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert why in ran.stderr
    assert {name: run.info.status for name, run in runs_of(store).items()} == statuses


def test_an_interrupt_ends_it(store: str, tmp_path: Path) -> None:
    file = tmp_path / "train.ipynb"
    waits = "%%mlrun base\nlog(x=1)\nprint('here', flush=True)\nimport time\ntime.sleep(60)"
    file.write_text(notebook_of([waits, "print('never')"]))
    with subprocess.Popen(
        [sys.executable, "-m", "cvtrack_magics", "exec", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "here" not in process.stdout.readline():
            pass
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Cell 1 of 2 was interrupted; those after it were not run." in err
    assert runs_of(store)["base"].info.status == "KILLED"


UNREADABLE = {
    "missing.ipynb": None,
    "broken.ipynb": "{",
    "words.xyz": "some words",
    "of_r.ipynb": json.dumps(
        {
            "cells": [],
            "metadata": {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_run_is_one_line(name: str, tmp_path: Path) -> None:
    text = UNREADABLE[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    ran = execute(tmp_path / name)
    assert ran.returncode == 2
    assert ran.stderr.startswith("cvtrack exec: ")
    assert ran.stderr.count("\n") <= 2
    assert name in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ("There is no file" in ran.stderr) is (text is None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0.1", 0.1), ("1e-3", 1e-3), ("-4", -4), ("true", True), ("False", False)),
        *(("null", None), ("None", None), ("[1, 2]", [1, 2]), ("'7'", "7"), ("{'a': 1}", {"a": 1})),
        *(("resnet18", "resnet18"), ("a=b", "a=b"), ("", ""), ("1/2", "1/2"), ("f(x)", "f(x)")),
    ],
)
def test_a_parameter_is_a_literal_or_a_word(text: str, value: Any) -> None:
    assert value_of(text) == value
    assert parameters_of([f"name={text}"]) == {"name": value}


@pytest.mark.parametrize("said", ["lr", "=1", "a b=1", "1a=2", "a.b=3"])
def test_a_parameter_has_a_name(said: str) -> None:
    with pytest.raises(UsageProblem, match="NAME=VALUE"):
        parameters_of([said])


def test_parameters_stand_behind_their_defaults_and_replace_earlier_ones() -> None:
    defaults = Given("lr = 1", frozenset(["parameters"]))
    old, first, last = Given("lr = 2", frozenset(["injected-parameters"])), Given("1"), Given("2")
    cells = [first, defaults, old, last]
    mine = with_parameters(cells, {"lr": 3, "name": "a'b"})
    assert [cell.source for cell in mine] == [
        "1",
        "lr = 1",
        '# Parameters\nlr = 3\nname = "a\'b"\n',
        "2",
    ]
    assert with_parameters([first], {"lr": 3})[1:] == [first]
    assert with_parameters(cells, {}) == cells


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("# Parameters\nlr = 0.1\nepochs = 3\n", ("lr", "epochs")),
        ("# Parameters\nlr: float = 0.1\nlr = 2\n", ("lr",)),
        ("# Parameters", ()),
        ("# Parameters\n)", ()),
        ("# Parameters of the model\nlr = 0.1", ()),
        ("lr = 0.1", ()),
        ("%%mlrun x\n# Parameters\nlr = 1", ()),
        ("", ()),
    ],
)
def test_a_cell_of_parameters_says_so(source: str, names: tuple[str, ...]) -> None:
    assert names_in(source) == names
