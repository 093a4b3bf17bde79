"""A cell that gives a command to the system's shell: its failure is the run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cvtrack_magics.capture.code.scripts import LARGEST, script_records
from cvtrack_magics.records import Artifact, Notice
from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, points, runs_of

TRAIN = """
import sys
for epoch in range(1, 4):
    print(f"epoch {epoch} loss {1 / epoch:.2f}", flush=True)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    return script


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("!python train.py 0", "FINISHED"),
        ("!python train.py 3", "FAILED"),
        ("!python train.py 3 || true", "FINISHED"),
        ("!python train.py 3\n!true", "FAILED"),
        ("!true\n!kill -9 $$", "FAILED"),
        ("!kill -2 $$", "KILLED"),
        ("!no-such-command-at-all", "FAILED"),
        ("%run train.py 0", "FINISHED"),
        ("%run train.py 3", "FAILED"),
        ("get_ipython().system('exit 5')", "FAILED"),
        ("%system exit 5", "FINISHED"),  # whose output is a value, and whose code is not told
    ],
)
def test_its_exit_code_is_the_runs_outcome(
    command: str, status: str, shell: Shell, store: str, train: Path
) -> None:
    shell.ip.user_ns["get_ipython"] = lambda: shell.ip
    shell.run(f"%%mlrun a\n{command}")
    assert runs_of(store)["a"].info.status == status


def test_the_card_says_which_command_and_what_to_do(shell: Shell, store: str, train: Path) -> None:
    said = shell.run("%%mlrun a\n!python train.py 3")
    assert "!python train.py 3 ended with exit code 3" in said
    tags = runs_of(store)["a"].data.tags
    assert tags["error.type"] == "CommandFailed"
    assert "|| true" in tags["error.message"]
    assert shell.result.success  # the user's cell goes on as without us


def test_a_command_that_failed_before_the_run_is_not_its(shell: Shell, store: str) -> None:
    shell.run("!exit 4")
    shell.run("%%mlrun a\npass")
    assert runs_of(store)["a"].info.status == "FINISHED"


def test_a_span_fails_until_the_cell_is_run_again_with_success(
    shell: Shell, store: str, train: Path
) -> None:
    shell.run("%mlrun a")
    shell.run("!python train.py 3")
    shell.run("%mlend")
    shell.run("%mlrun b")
    shell.run("code = 3")
    shell.run("!python train.py {code}")
    shell.run("code = 0")
    shell.run("!python train.py {code}")
    shell.run("%mlend")
    found = runs_of(store)
    assert found["a"].info.status == "FAILED"
    assert found["b"].info.status == "FINISHED"


def test_what_a_command_prints_is_read(shell: Shell, store: str, train: Path) -> None:
    shell.run("%%mlrun a\n%run train.py 0")
    assert points(store, runs_of(store)["a"], "printed/loss") == [(1, 1.0), (2, 0.5), (3, 0.33)]


@pytest.mark.parametrize(
    "line",
    [
        "!python train.py 0",
        "!python -u ./train.py 0 > log.txt",
        "!CUDA_VISIBLE_DEVICES=0 python3 train.py 0",
        "%run train.py 0",
        "%run -i 'train.py' 0",
        "import runpy, sys\nsys.argv = ['train.py', '0']\ntry: runpy.run_path('train.py')\n"
        "except SystemExit: pass",
    ],
)
def test_the_scripts_source_is_kept_as_it_ran(
    line: str, shell: Shell, store: str, train: Path
) -> None:
    shell.run(f"%%mlrun a\n{line}\nopen('train.py', 'a').write('# edited later')")
    assert artifact(store, runs_of(store)["a"], "code/scripts/train.py") == TRAIN


def test_a_script_that_the_cell_writes_itself_is_kept(
    shell: Shell, store: str, train: Path
) -> None:
    shell.run("%%mlrun a\nopen('made.py', 'w').write('print(7)')\n!python made.py")
    assert artifact(store, runs_of(store)["a"], "code/scripts/made.py") == "print(7)"


def test_what_no_script_is_named_or_not_wanted(shell: Shell, store: str, train: Path) -> None:
    shell.run("%%mlrun a --no-code\n!python train.py 0")
    shell.run("%%mlrun b\n!echo other.py $HOME/train.py '*.py'")
    for run in runs_of(store).values():
        assert not [name for name in artifact_names(store, run) if name.startswith("code/scripts")]


def test_scripts_of_folders_and_large_ones(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "eval.py").write_text("print(1)")
    (tmp_path / "large.py").write_text("#" * (LARGEST + 1))
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    source = "!python tools/eval.py\n!python large.py\n!python binary.py\n!python 'unclosed.py"
    kept, said = script_records(source, tmp_path)
    assert kept == Artifact("code/scripts/tools/eval.py", "print(1)")
    assert isinstance(said, Notice)
    assert "large.py" in said.text


def test_the_shell_is_given_back(shell: Shell) -> None:
    assert "system" in vars(shell.ip)
    shell.run("%unload_ext cvtrack_magics")
    assert "system" not in vars(shell.ip)
    shell.run("%load_ext cvtrack_magics")


def test_a_password_in_a_command_is_masked(shell: Shell, store: str) -> None:
    secret = "tr0ub4dor" + "K9"
    shell.run(f"%%mlrun a\n!mysql --password={secret} -e nothing-there")
    run = runs_of(store)["a"]
    assert run.info.status == "FAILED"
    assert secret not in json.dumps(run.data.tags)
