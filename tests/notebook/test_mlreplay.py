"""``%mlreplay``: a recorded run is written, run again in a process of its own, and compared."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics import UsageProblem, mlreplay
from tests.conftest import Shell
from tests.store_views import runs_of

SETUP = "import numpy as np\nrng = np.random.default_rng(7)\nweights = rng.normal(size=3)"
BODY = """%%mlrun {name} --seed 1 {more}
for step in range(20):
    log({{"loss": float(weights.sum() + np.random.rand()) {plus}}})"""


def make(shell: Shell, name: str, more: str = "", plus: str = "") -> None:
    shell.run(BODY.format(name=name, more=more, plus=plus))
    assert shell.result.success


pytestmark = pytest.mark.timeout(900)  # each check is a process that imports everything anew


@pytest.fixture
def ready(shell: Shell) -> Shell:
    shell.run("%mlexperiment digits")
    shell.run(SETUP)
    shell.run("unused = 3")
    return shell


def test_a_run_is_equal_to_the_last_bit_when_it_is_run_again(ready: Shell, store: str) -> None:
    make(ready, "a")
    before = set(runs_of(store))
    said = ready.run("%mlreplay a --check")
    assert "Run again: all 1 metrics are equal to the last bit." in said, said
    assert set(runs_of(store)) == before  # it has a store of its own
    folder = Path("replay", f"a-{runs_of(store)['a'].info.run_id[:8]}")
    assert {path.name for path in folder.iterdir()} >= {
        *("replay.ipynb", "replay.py", "requirements.txt", "replay.db")
    }
    assert not [path for path in Path("mlruns").rglob("*") if "replay" in path.parts]


def test_a_run_that_is_another_one_is_named_with_its_first_step(ready: Shell) -> None:
    make(ready, "a", plus="+ (step > 7) * __import__('time').time_ns()")
    found = mlreplay("a", check=True)
    assert found.equal is False
    assert "first differing metric loss at step 8" in found.outcome
    assert "nothing recorded differs, so it is not deterministic" in found.outcome


def test_a_module_that_the_run_did_not_need_is_no_other_code(
    ready: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "needed_there.py"
    original = "import time\ndef now(): return time.time_ns()\n"
    module.write_text(original)
    (tmp_path / "looked_at_once.py").write_text("a = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(tmp_path))
    ready.run("import looked_at_once")
    ready.run("import needed_there")
    make(ready, "a", plus="+ (step > 7) * needed_there.now()")
    found = mlreplay("a", check=True)
    assert (found.cells, found.rest) == (3, 3)
    assert "first differing metric loss at step 8" in found.outcome
    assert "nothing recorded differs, so it is not deterministic" in found.outcome
    module.write_text("def now(): return 0\n")
    again = mlreplay("a", check=True, folder=tmp_path / "out")  # with the module as it was
    assert "first differing metric loss at step 8" in again.outcome
    module.write_text(original)  # else runs of later tests say that it was edited


def test_a_run_that_fails_again_says_so(ready: Shell) -> None:
    Path("there.txt").write_text("x")
    ready.run("%%mlrun a --seed 1\nlog({'x': len(open('there.txt').read())})")
    Path("there.txt").unlink()
    found = mlreplay("a", check=True)
    assert found.equal is False
    assert "It fails when it is run again" in found.outcome
    assert "there.txt" in found.outcome


def test_data_is_looked_at_first(ready: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("1")
    ready.run("%%mlrun a --seed 1\n%mldata ./data --name pictures\nlog({'x': 1})")
    (tmp_path / "data" / "one.txt").write_text("2")
    found = mlreplay("a", check=True)
    assert found.equal is False
    assert found.outcome.startswith("Not run: pictures has changed")


def test_what_cannot_be_run_again_is_said_and_refused(ready: Shell) -> None:
    ready.ip.user_ns["from_nowhere"] = 3
    ready.run("%%mlrun a --seed 1\nlog({'x': from_nowhere})")
    said = ready.run("%mlreplay a")
    assert "replayable: no, no cell that was recorded defines `from_nowhere`" in said
    with pytest.raises(UsageProblem, match="cannot be run again"):
        mlreplay("a", check=True)


def test_a_folder_of_somebody_else_is_left_alone(ready: Shell, tmp_path: Path) -> None:
    make(ready, "a")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UsageProblem, match="has other files"):
        mlreplay("a", folder=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_files_of_a_run_stay_in_the_folder(shell: Shell, tmp_path: Path) -> None:
    client = mlflow.MlflowClient()
    run = client.create_run("0", run_name="a").info.run_id
    client.log_text(run, "%%mlrun a\nprint(1)", "code/cell.py")
    client.log_text(run, "x", "code/modules/replay.py")
    client.log_text(run, "x", "code/modules/deep/net.py")
    client.set_terminated(run)
    folder = mlreplay("a", folder=tmp_path / "out").folder
    assert (folder / "deep" / "net.py").read_text() == "x"
    assert "dependencies" in (folder / "replay.py").read_text()


def test_a_run_says_as_it_is_recorded_that_it_will_not_run_again(ready: Shell, store: str) -> None:
    make(ready, "fine")
    assert "replayable" not in runs_of(store)["fine"].data.tags
    ready.ip.user_ns["from_nowhere"] = 3
    said = ready.run("%%mlrun a --seed 1\nlog({'x': from_nowhere})")
    why = "no cell that was recorded defines `from_nowhere`"
    assert f"replayable: no, {why}." in said
    assert runs_of(store)["a"].data.tags["replayable"] == f"no: {why}"
