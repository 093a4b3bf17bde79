"""Hosts that need no browser: other versions, programs that execute notebooks, scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from tests.hosts.cells import FAILS, GRID, LOAD, TRAIN, Host, notebook, records, saved

NOBODY = "nobody looks while a program executes the notebook"


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with a store and a state of its own."""
    root = str(Path(__file__).parents[2])
    return {
        **os.environ,
        "PYTHONPATH": root,
        "MLFLOW_TRACKING_URI": store(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "IPYTHONDIR": str(folder / "ipython"),
        "CVTRACK_CLOSE_TIMEOUT": "60",
    }


def store(folder: Path) -> str:
    """Return where a lane's runs go."""
    return f"sqlite:///{folder / 'mlflow.db'}"


def call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a lane's folder."""
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=500,
    )


def executed(folder: Path, python: str, *, asks: bool) -> nbformat.NotebookNode:
    """Execute the notebook in a kernel of another Python; ``asks`` says that a person looks."""
    from jupyter_client.manager import KernelManager
    from nbclient import NotebookClient

    manager = KernelManager(kernel_name="python3")
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = python
    made = notebook()
    client = NotebookClient(
        made,
        km=manager,
        timeout=400,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.allow_stdin = asks
    client.execute(env=environment(folder))
    return made


def kernel(folder: Path, name: str, python: str) -> Host:
    """A kernel of certain versions, as a front end drives it."""
    host = Host(name)
    made = executed(folder, python, asks=True)
    records(host, store(folder))
    saved(host, made)
    return host


def papermill(folder: Path) -> Host:
    """papermill with a parameter."""
    host = Host("papermill")
    nbformat.write(notebook(), folder / "in.ipynb")
    ran = call(
        folder, sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-p", "lr", "0.2"
    )
    runs = records(host, store(folder))
    given = "train" in runs and runs["train"].data.params.get("lr") == "0.2"
    host.note("runs", given and host.cells["runs"] == "works", "its parameter is no param")
    host.note("failures", ran.returncode != 0 and "ValueError" in ran.stderr, "it went on")
    saved(host, nbformat.read(folder / "out.ipynb", as_version=4))
    host.cells["live"] = host.cells["buttons"] = NOBODY
    return host


def exec_(folder: Path) -> Host:
    """``cvtrack exec`` of a script as jupytext writes it, magics in comments."""
    host = Host("`cvtrack exec` of a jupytext script")
    cells = [f"# %%\n{_commented(source)}" for source in (LOAD, TRAIN, GRID, FAILS)]
    (folder / "script.py").write_text("\n\n".join(cells))
    ran = call(folder, sys.executable, "-m", "cvtrack_magics", "exec", "script.py")
    records(host, store(folder))
    host.note("failures", ran.returncode == 1, f"its exit code is {ran.returncode}")
    host.note("live", "40/40" in ran.stdout + ran.stderr or "FINISHED" in ran.stdout, "no words")
    host.cells["buttons"] = "a terminal: Ctrl+C ends the run as KILLED"
    host.cells["saved"] = "nothing is saved but the run"
    host.note("viewer", "12 samples" in ran.stdout, "no words")
    if host.cells["viewer"] == "works":
        host.cells["viewer"] = "words; the run's artifact has the viewer"
    return host


def _commented(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(f"# {line}" if line.startswith("%") else line for line in lines)


def terminal(folder: Path) -> Host:
    """Plain IPython, without a kernel."""
    host = Host("IPython in a terminal")
    code = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell as S\n"
        "s = S.instance()\n"
        f"for cell in {[LOAD, TRAIN, GRID, FAILS]!r}: s.run_cell(cell, store_history=True)\n"
    )
    ran = call(folder, sys.executable, "-c", code)
    records(host, store(folder))
    host.note("live", "FINISHED train" in ran.stdout, "no words")
    host.cells["buttons"] = "a terminal: Ctrl+C ends the run as KILLED"
    host.cells["saved"] = "nothing is saved but the run"
    host.cells["viewer"] = "words; the run's artifact has the viewer"
    return host


SCRIPT = """
from cvtrack_magics import log, mlrun, track
with mlrun("train"):
    for epoch in track(range(40), "epoch"):
        log({"train/loss": 1 / (epoch + 1)})
try:
    with mlrun("fails"):
        raise ValueError("no such batch")
except ValueError:
    pass
"""


def script(folder: Path) -> Host:
    """A Python script without IPython."""
    return _plain(folder, "a Python script", SCRIPT)


MARIMO = """
import marimo
app = marimo.App()

@app.cell
def _():
{body}
    return

if __name__ == "__main__":
    app.run()
"""


def marimo(folder: Path, python: str) -> Host:
    """A marimo notebook, which has no magics: the functions are used."""
    body = "\n".join(f"    {line}" for line in SCRIPT.strip().splitlines())
    host = _plain(folder, "marimo", MARIMO.format(body=body), python)
    host.cells["live"] = "words when the run ends: marimo has no magics and no display of ours"
    return host


def _plain(folder: Path, name: str, source: str, python: str = sys.executable) -> Host:
    host = Host(name)
    (folder / "plain.py").write_text(source)
    ran = call(folder, python, "plain.py")
    records(host, store(folder))
    said: Any = "FINISHED train" in ran.stdout + ran.stderr
    host.note("live", said, "no words: " + (ran.stderr.strip().splitlines() or [""])[-1][:120])
    host.cells["buttons"] = "no page: Ctrl+C ends the run as KILLED"
    host.cells["saved"] = "nothing is saved but the run"
    host.cells["viewer"] = "`log_predictions()` puts the viewer into the run's artifacts"
    return host
