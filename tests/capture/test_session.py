"""The session as a script and as a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat

from cvtrack_magics.capture.code.session import OUTPUT_LIMIT, Cell, session_notebook, session_script

CELLS = [
    Cell(1, "x = 1\n"),
    Cell(
        2,
        "%xmode Plain\nprint('é')",
        ({"output_type": "stream", "name": "stdout", "text": "é\n"},),
    ),
    Cell(3, "%%capture out\nprint('hidden', '\\\\')\n%xmode Plain\ny = x + 1"),
    Cell(5, "x = 1\n"),
    Cell(
        6,
        "fig",
        (
            {
                "output_type": "execute_result",
                "execution_count": 6,
                "data": {
                    "text/plain": "<fig>",
                    "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
                },
                "metadata": {},
                "transient": {"display_id": "a"},
            },
            {
                "output_type": "display_data",
                "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}},
                "metadata": {},
            },
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["line"]},
        ),
    ),
]


def test_notebook_is_valid() -> None:
    text = session_notebook(CELLS)
    nbformat.validate(json.loads(text))
    notebook = nbformat.reads(text, as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in CELLS]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 5, 6]
    assert len({cell.id for cell in notebook.cells}) == 5
    assert notebook.cells[1].outputs[0].text == "é\n"


def test_widget_views_are_dropped() -> None:
    outputs = json.loads(session_notebook(CELLS))["cells"][4]["outputs"]
    assert [output["output_type"] for output in outputs] == ["execute_result", "error"]
    assert outputs[0]["data"] == {"text/plain": "<fig>"}


def test_large_outputs_are_cut_and_said() -> None:
    big = "x" * (OUTPUT_LIMIT + 5)
    outputs = (
        {"output_type": "stream", "name": "stdout", "text": big},
        {
            "output_type": "display_data",
            "data": {"image/png": big, "text/plain": "small"},
            "metadata": {},
        },
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": [big]},
    )
    text = session_notebook([Cell(1, "go()", outputs)])
    nbformat.validate(json.loads(text))
    assert len(text) < 1.1 * OUTPUT_LIMIT
    stream, shown, error = json.loads(text)["cells"][0]["outputs"]
    assert "left out of the saved session: text, 5 characters" in stream["text"]
    assert shown["data"]["text/plain"].startswith("small\n[left out")
    assert "image/png" not in shown["data"]
    assert "left out" in error["text"]


def test_no_cells() -> None:
    nbformat.validate(json.loads(session_notebook([])))
    assert session_script([]) == ""


def test_script_runs_in_ipython(tmp_path: Path) -> None:
    odd = "%%capture\n\"\"\"doc\"\"\"\nb = '''x\\ny'''"
    shown = "print('y is', y, out.stdout.split(), repr(b))"
    cells = [*CELLS[:4], Cell(7, odd), Cell(8, shown)]
    script = tmp_path / "session.ipy"
    script.write_text(session_script(cells), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--profile-dir", str(tmp_path), str(script)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == (
        r"y is 2 ['hidden', '\\', 'Exception', 'reporting', 'mode:', 'Plain'] 'x\ny'"
    ), done.stdout + done.stderr


def test_script_keeps_the_source_readable() -> None:
    text = session_script(CELLS[:2])
    body = session_script(CELLS[2:3])
    assert "\ny = x + 1\n" in body
    assert text == "# %% [1]\nx = 1\n\n# %% [2]\n%xmode Plain\nprint('é')\n"
