"""What executes notebooks sees a failure, and the demo shows what was recorded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.store_views import runs_of

ROOT = Path(__file__).resolve().parents[2]


def notebook(*cells: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "p", "language": "python"}
    return made


FAILING = ("%load_ext cvtrack_magics", "%%mlrun bad\nraise ValueError('no')", "print('after')")


def test_nbclient_stops_at_the_failed_run(store: str, tmp_path: Path) -> None:
    made = notebook(*FAILING)
    with pytest.raises(CellExecutionError, match="ValueError"):
        NotebookClient(made, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert runs_of(store)["bad"].info.status == "FAILED"
    errors = [o for o in made.cells[1].outputs if o.output_type == "error"]
    assert [error.ename for error in errors] == ["ValueError"]
    assert made.cells[2].outputs == []


def test_papermill_stops_at_the_failed_run(store: str, tmp_path: Path) -> None:
    nbformat.write(notebook(*FAILING), tmp_path / "in.ipynb")
    with pytest.raises(papermill.PapermillExecutionError, match="ValueError"):
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), progress_bar=False
        )
    assert runs_of(store)["bad"].info.status == "FAILED"


def test_a_notebook_that_a_program_executes_keeps_no_widget(store: str, tmp_path: Path) -> None:
    cells = (
        "%load_ext cvtrack_magics\nimport time",
        "%%mlrun curve\nfor step in track(range(20)):\n    log(loss=1 / (step + 1))\n"
        "    time.sleep(0.1)",
    )
    made = notebook(*cells)
    NotebookClient(made, resources={"metadata": {"path": str(tmp_path)}}).execute()
    states = made.metadata.get("widgets", {}).values()
    assert not [state for one in states for state in one["state"].values()]
    shown = [output.data for output in made.cells[1].outputs if "data" in output]
    assert shown[0]["text/plain"].startswith("▶ curve · run ")
    assert "FINISHED curve" in shown[-1]["text/plain"]
    assert any("image/png" in data or "data:image/png" in str(data) for data in shown)


def test_what_papermill_was_given_are_params_of_every_run(store: str, tmp_path: Path) -> None:
    cells = (
        "lr, layers = 0.1, [1]",
        "%load_ext cvtrack_magics",
        "%%mlrun one\nlr = 7",
        "%mlparams lr=0.25",
        "%%mlrun two --params epochs\nepochs = 3",
    )
    made = notebook(*cells)
    made.cells[0].metadata["tags"] = ["parameters"]
    made.cells.insert(0, made.cells.pop(1))  # the extension sees the parameters
    nbformat.write(made, tmp_path / "in.ipynb")
    papermill.execute_notebook(
        str(tmp_path / "in.ipynb"),
        str(tmp_path / "out.ipynb"),
        parameters={"lr": 0.5, "layers": [3, 4], "epochs": 9},
        progress_bar=False,
    )
    found = runs_of(store)
    keys = ("lr", "layers.0", "layers.1", "layers", "epochs")
    one = {key: found["one"].data.params.get(key) for key in keys}
    assert one["lr"] == "0.5"
    assert one["epochs"] == "9"
    assert "3" in str(one)
    assert found["two"].data.params["lr"] == "0.25"


def test_the_demo_prints_the_tree_of_runs(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "notebooks" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    source = tmp_path / "small.ipynb"
    cells = (
        "%load_ext cvtrack_magics\nfrom cvtrack_magics import log",
        "%mlrun parent",
        "%%mlrun child --nested\nlog(acc=0.5)",
        "%mlend",
    )
    nbformat.write(notebook(*cells), source)
    work = tmp_path / "work"
    work.mkdir()
    demo.execute(source, work)
    progress = [line for line in capsys.readouterr().out.splitlines() if "/4]" in line]
    assert len(progress) == 4
    lines = demo.tree(store, 0)
    assert lines[0] == "Experiment Default"
    assert lines[1].split()[:2] == ["parent", "FINISHED"]
    assert lines[2].split()[:3] == ["└", "child", "FINISHED"]
    assert lines[2].endswith("acc 0.5")
