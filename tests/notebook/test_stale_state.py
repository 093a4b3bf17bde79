"""A run says which of the names it reads are not what the notebook makes them."""

from __future__ import annotations

import ast
import json
import os
import time
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics.notebook.executing import execute
from tests.conftest import Shell
from tests.notebook.fine_cases import FINE
from tests.notebook.planted_cases import PLANTED, Case
from tests.store_views import artifact, runs_of


def save(path: Path, cells: list[tuple[str, str]]) -> None:
    """Write the notebook's file, certainly later than what was executed."""
    code = [
        {"cell_type": "code", "id": key, "source": text.splitlines(keepends=True)}
        for key, text in cells
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "id": "m"}, *code]}))
    later = time.time_ns() + 1_000_000
    os.utime(path, ns=(later, later))


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook's file, which the kernel knows of; it is not there yet."""
    path = tmp_path / "note.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def play(shell: Shell, notebook: Path, case: Case, head: str = "%%mlrun a") -> str:
    """Run a case's cells, then its body as a run; return what was said."""
    for key, text in case.cells:
        shell.run(text, key)
    if case.saved is not None:
        save(notebook, case.saved)
    return shell.run(f"{head}\n{case.body}", "run")


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_stale_is_found(shell: Shell, store: str, notebook: Path, name: str) -> None:
    said = play(shell, notebook, PLANTED[name])
    assert PLANTED[name].said in said.replace("\n", " ")
    assert PLANTED[name].said in runs_of(store)["a"].data.tags["stale"]


@pytest.mark.parametrize("name", FINE)
def test_what_people_do_is_not_called_stale(
    shell: Shell, store: str, notebook: Path, name: str
) -> None:
    said = play(shell, notebook, FINE[name], "%%mlrun train a b")
    assert "stale" not in said
    assert "stale" not in runs_of(store)["train a b"].data.tags


def test_there_are_enough_of_both() -> None:
    assert len(PLANTED) >= 20
    assert len(FINE) >= 30


def test_strict_refuses_before_the_body_runs(shell: Shell, store: str, notebook: Path) -> None:
    case = PLANTED["data of a path that was edited"]
    said = play(shell, notebook, Case(case.cells, "ran = 1", ""), "%%mlrun fresh --strict")
    assert "FINISHED" in said
    said = play(
        shell, notebook, Case(case.cells, f"late = 1\n{case.body}", ""), "%%mlrun a --strict"
    )
    assert case.said.replace("[3]", "[7]") in said
    assert "no run was opened" in said
    assert "late" not in shell.ip.user_ns
    assert set(runs_of(store)) == {"fresh"}


def test_strict_can_be_a_setting(shell: Shell, store: str, notebook: Path) -> None:
    shell.run("%config CvTrack.strict = True")
    case = PLANTED["multiplied twice"]
    said = play(shell, notebook, case)
    assert "UsageError: --strict" in said
    assert "was changed by cell" in said
    assert not runs_of(store)


def test_strict_is_for_a_whole_cell(shell: Shell) -> None:
    assert "--strict needs a whole cell; write %%mlrun" in shell.run("%mlrun a --strict")


def test_a_run_over_several_cells_says_it_at_its_end(shell: Shell, store: str) -> None:
    for key, text in [
        ("a", "path = 'one'"),
        ("b", "data = path.upper()"),
        ("a", "path = 'two'"),
        ("open", "%mlrun over"),
        ("c", "fresh = 3"),
        ("d", "log(x=len(data) + fresh)"),
    ]:
        shell.run(text, key)
    said = shell.run("%mlend", "end")
    assert "`data` was made with an earlier `path`; run cell [3] again" in said
    assert "`data`" in runs_of(store)["over"].data.tags["stale"]


CARRIED = {
    "a network": (
        "import torch\nnet = torch.nn.Linear(1, 1)",
        "with torch.no_grad():\n    net.weight.add_(1)\nlog(x=1)",
        "`net` was trained by run 'first' (cell [3]) already",
    ),
    "a number": (
        "lr = 1.0",
        "lr *= 0.1\nlog(x=lr)",
        "`lr` was changed by run 'first' (cell [3]) already",
    ),
    "a list that is read": (
        "losses = []",
        "losses.append(1)\nlog(x=sum(losses) / len(losses))",
        "`losses` was changed by run 'first' (cell [3]) already",
    ),
    "a list that only collects": ("found = []", "found.append(1)\nlog(x=1)", ""),
    "what is only read again": ("net = [1, 2]", "log(x=sum(net))", ""),
    "made in the cell": ("lr = 2.0", "lr = 1.0\nlr *= 0.1\nlog(x=lr)", ""),
}


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("name", CARRIED)
def test_a_run_that_goes_on_with_what_another_has_changed_says_so(
    shell: Shell, store: str, name: str, with_ids: bool
) -> None:
    made, body, said = CARRIED[name]
    cell = (lambda key: key) if with_ids else (lambda key: "")
    shell.run(made, cell("a"))
    first = shell.run(f"%%mlrun first\n{body}", cell("run"))
    assert "already" not in first
    second = shell.run(f"%%mlrun second --strict\n{body}", cell("run")).replace("\n", " ")
    assert "stale" not in second
    assert ("already, and this run went on from there" in second) == bool(said)
    assert said in second
    assert ("carried_over" in runs_of(store)["second"].data.tags) == bool(said)
    shell.run(made, cell("a"))
    assert "already" not in shell.run(f"%%mlrun third\n{body}", cell("run"))


def test_without_ids_nothing_is_called_stale(shell: Shell, store: str) -> None:
    for text in ("t = [1]", "t.append(1)", "t.append(1)"):
        shell.run(text)
    assert "stale" not in shell.run("%%mlrun a\nlog(x=len(t))")


def test_what_no_cell_has_set_is_not_known(shell: Shell, store: str) -> None:
    for key, text in PLANTED["data of a path that was edited"].cells:
        shell.run(text, key)
    shell.ip.user_ns["data"] = "made by a button"
    assert "stale" not in shell.run("%%mlrun a\nlog(x=len(data))", "run")


def test_an_id_that_was_given_to_another_cell_is_another_cell(shell: Shell, store: str) -> None:
    key = "vscode-notebook-cell:/x.ipynb#W1"
    shell.run("scale = 3\nwidth = 4", key)
    shell.run("import math\n\ndef area(r):\n    return math.pi * r", key)
    assert "stale" not in shell.run("%%mlrun a\nlog(x=scale * width)", f"{key}2")


def test_what_is_no_notebook_file_is_passed_over(shell: Shell, store: str, notebook: Path) -> None:
    shell.run("x = 1", "a")
    for text in ("", "{", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}', "{}"):
        notebook.write_text(text)
        said = shell.run("%%mlrun a\nlog(x=x)", "run")
        assert "Not recorded" not in said
        assert "stale" not in said


def test_a_file_of_another_notebook_says_nothing(shell: Shell, store: str, notebook: Path) -> None:
    shell.run("x = 1", "a")
    save(notebook, [("other", "x = 2")])
    assert "stale" not in shell.run("%%mlrun a\nlog(x=x)", "run")


def test_the_cells_that_a_run_needs_are_one_script(shell: Shell, store: str) -> None:
    shell.run("lr = 0.1\n%matplotlib inline")
    shell.run("unused = 1")
    shell.run("%%mlrun a --seed 1\nlog(x=lr)")
    text = artifact(store, runs_of(store)["a"], "code/minimal.py")
    ast.parse(text)
    assert "lr = 0.1\n# %matplotlib inline" in text
    assert "# %%mlrun a --seed 1\nlog(x=lr)" in text
    assert "unused" not in text


def test_the_script_runs_as_it_is(shell: Shell, store: str, tmp_path: Path) -> None:
    shell.run("%load_ext cvtrack_magics")
    shell.run("%%writefile held.txt\n3")
    shell.run("lr = 0.1")
    shell.run("%%mlrun a\nlog(x=lr + float(open('held.txt').read()))")
    script = tmp_path / "minimal.py"
    script.write_text(artifact(store, runs_of(store)["a"], "code/minimal.py"))
    (tmp_path / "held.txt").unlink()
    shell.run("%unload_ext cvtrack_magics")
    assert execute(script, {}).code == 0
    found = mlflow.MlflowClient(store).search_runs(["0"])
    assert [run.data.metrics["x"] for run in found] == [3.1, 3.1]
