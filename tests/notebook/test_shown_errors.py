"""An error that IPython catches and shows itself ends the run as any other error does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.store_views import runs_of

FILES = {
    "bad.py": "raise KeyError('gone')",
    "wrong.py": "x = = 1",
    "leave.py": "import sys; sys.exit(3)",
    "leave_well.py": "import sys; sys.exit(0)",
    "stopped.py": "raise KeyboardInterrupt",
    "good.py": "x = 1",
}
OURSELVES = "try:\n    1/0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()"
NO_DRAWING = "class Odd:\n    def _repr_html_(self):\n        1/0\ndisplay(Odd())"
CELLS = {
    "plain": ("1/0", "FAILED"),
    "capture": ("%%capture\n1/0", "FAILED"),
    "time": ("%%time\n1/0", "FAILED"),
    "timeit": ("%%timeit -n1 -r1\n1/0", "FAILED"),
    "prun": ("%%prun -q\n1/0", "FAILED"),
    "time of a line": ("%time 1/0", "FAILED"),
    "run": ("%run bad.py", "FAILED"),
    "run -i": ("%run -i bad.py", "FAILED"),
    "run a wrong file": ("%run wrong.py", "FAILED"),
    "run and leave": ("%run leave.py", "FAILED"),
    "run and leave well": ("%run leave_well.py", "FINISHED"),
    "run and stop": ("%run stopped.py", "KILLED"),
    "run a good file": ("%run good.py", "FINISHED"),
    "run_cell": ("get_ipython().run_cell('1/0')", "FAILED"),
    "run_cell in run_cell": ("get_ipython().run_cell('%%capture\\n1/0')", "FAILED"),
    "a loop with a good one last": (
        "for name in ('bad', 'good'):\n    %run {name}.py",
        "FAILED",
    ),
    "run_cell with a good one last": (
        "for text in ('1/0', '1'):\n    get_ipython().run_cell(text)",
        "FAILED",
    ),
    "run_cell and an own one shown": (f"get_ipython().run_cell('[][1]')\n{OURSELVES}", "FAILED"),
    "caught inside capture": (
        "%%capture\ntry:\n    1/0\nexcept ZeroDivisionError:\n    pass",
        "FINISHED",
    ),
    "shown by the user": (OURSELVES, "FINISHED"),
    "shown by the user inside capture": (f"%%capture\n{OURSELVES}", "FINISHED"),
    "caught around a magic": (
        "try:\n    %timeit -n1 -r1 1/0\nexcept ZeroDivisionError:\n    pass",
        "FINISHED",
    ),
    "a way to draw": (NO_DRAWING, "FINISHED"),
    "bash": ("%%bash\nexit 3", "FAILED"),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text + "\n")
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("place", ["cell", "nested", "span", "span that ends in the cell"])
@pytest.mark.parametrize("cell", list(CELLS))
def test_the_run_ends_as_its_code_did(cell: str, place: str, shell: Shell, store: str) -> None:
    body, wanted = CELLS[cell]
    shell.run("[][0]")  # what was shown before is not the run's
    if place == "cell":
        shell.run(f"%%mlrun r\n{body}")
    else:
        shell.run("%mlrun r" if place != "nested" else "%mlrun outer")
        if place == "nested":
            shell.run(f"%%mlrun r --nested\n{body}")
        elif place == "span":
            shell.run(body)
        elif not body.startswith("%%"):
            shell.run(f"{body}\n%mlend")
        else:
            shell.run(body)
        shell.run("%mlend")
    assert runs_of(store)["r"].info.status == wanted


@pytest.mark.usefixtures("files")
def test_a_cell_that_succeeds_later_makes_its_failure_good(shell: Shell, store: str) -> None:
    shell.run("%mlrun r")
    shell.run("%run bad.py")
    Path("bad.py").write_text("x = 1\n")
    shell.run("%run bad.py")
    shell.run("%mlend")
    assert runs_of(store)["r"].info.status == "FINISHED"


def test_a_cell_that_exits_makes_no_other_cells_failure_good(shell: Shell, store: str) -> None:
    for name, cells in {"exits": ["exit_()"], "failed before": ["1/0", "exit_()"]}.items():
        shell.run("import sys\ndef exit_(): sys.exit(0)")
        shell.run(f"%mlrun {name}")
        for cell in cells:
            shell.run(cell)
        shell.run("%mlend")
    found = {name: run.info.status for name, run in runs_of(store).items()}
    assert found == {"exits": "FINISHED", "failed before": "FAILED"}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("body", ["1/0", "%run bad.py", "get_ipython().run_cell('1/0')"])
def test_a_cell_that_opens_a_span_and_fails_is_noted(body: str, shell: Shell, store: str) -> None:
    shell.run(f"%mlrun r\n{body}")
    shell.run("1")
    shell.run("%mlend")
    assert runs_of(store)["r"].info.status == "FAILED"
