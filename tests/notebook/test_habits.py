"""What people are used to in notebooks works in a run's cell, and after loading."""

from __future__ import annotations

import mlflow
import pytest

from cvtrack_magics.notebook.cells import open_at_first_line
from tests.conftest import Shell
from tests.store_views import points, runs_of

BELOW = {
    "time": ("%%time\nx = 'time'", "FINISHED"),
    "capture": ("%%capture kept\nprint(1)\nx = 'capture'", "FINISHED"),
    "bash": ("%%bash\necho said\nexit 0", "FINISHED"),
    "a failing bash": ("%%bash\nexit 3", "FAILED"),
    "writefile": ("%%writefile made.txt\n%%mlrun is text here", "FINISHED"),
    "timeit": ("%%timeit -n1 -r1\n1 + 1", "FINISHED"),
    "html": ("%%html\n<b>1</b>", "FINISHED"),
    "script": ("%%script echo\nanything", "FINISHED"),
    "blank lines": ("\n\n%%time\nx = 'blank lines'", "FINISHED"),
    "two": ("%%time\n%%capture kept\nx = 'two'", "FINISHED"),
    "an error": ("%%time\n1/0", "FAILED"),
    "quotes": ("%%time\nx = '''quotes'''; y = \"\"\"a\\nb\"\"\"", "FINISHED"),
    "a run inside": ("%%mlrun inside --nested\nx = 'a run inside'", "FINISHED"),
}


def test_a_cell_magic_below_is_one(shell: Shell, store: str) -> None:
    for name, (body, status) in BELOW.items():
        shell.ip.user_ns["x"] = name
        said = shell.run(f"%%mlrun {name}\n{body}")
        assert shell.ip.user_ns["x"] == name, said
        assert runs_of(store)[name].info.status == status, said
        assert mlflow.active_run() is None
    assert runs_of(store)["inside"].info.status == "FINISHED"


def test_lines_stay_where_they_are_without_one() -> None:
    lines = ["%%mlrun a\n", "\n", "x = '''\n", "%%time\n", "'''\n"]
    assert open_at_first_line(lines)[1:] == lines[1:]
    assert len(open_at_first_line(["%%mlrun a\n", "%%time\n", "x\n", "y\n"])) == 2


def test_names_are_there_after_loading_and_gone_after_unloading(shell: Shell) -> None:
    from cvtrack_magics import Predictions, log, track

    names = shell.ip.user_ns
    assert (names["log"], names["track"]) == (log, track)
    shell.run("found = Predictions")
    assert names["found"] is Predictions
    shell.run("track = 'mine'")
    shell.run("%unload_ext cvtrack_magics")
    assert "log" not in names
    assert "Predictions" not in names
    assert names["track"] == "mine"


@pytest.mark.parametrize("mine", ["log", "track", "Predictions"])
def test_a_name_of_the_users_is_never_replaced(mine: str, shell: Shell) -> None:
    shell.run("%unload_ext cvtrack_magics")
    shell.run(f"{mine} = 'mine'")
    shell.run("%load_ext cvtrack_magics")
    shell.run(f"found = {mine}")
    assert shell.ip.user_ns["found"] == "mine"
    shell.run("%unload_ext cvtrack_magics")
    assert shell.ip.user_ns[mine] == "mine"
    shell.run(f"del {mine}")
    shell.run("%load_ext cvtrack_magics")


def test_no_names_where_none_are_wanted(shell: Shell) -> None:
    shell.run("%unload_ext cvtrack_magics")
    shell.ip.config.CvTrack.offer_names = False
    shell.run("%load_ext cvtrack_magics")
    assert "log" not in shell.ip.user_ns
    shell.run("Predictions")
    assert not shell.result.success


NAMES = {
    "my run": "my run",
    "'my run'": "my run",
    '"my run" --seed 1': "my run",
    "--seed 1 my run": "my run",
    "a  b   c": "a b c",
    "lr {lr} --no-code": "lr 0.1",
    "ResNet-50, frozen": "ResNet-50, frozen",
    "'a nested'": "a nested",
    "plain": "plain",
    "v2 (again)": "v2 (again)",
}


def test_names_of_runs_need_no_quotes(shell: Shell, store: str) -> None:
    shell.ip.user_ns["lr"] = 0.1
    for line, name in NAMES.items():
        shell.run(f"%%mlrun {line}\n1")
        assert shell.result.success, line
        assert name in runs_of(store), line


@pytest.mark.parametrize("line", ["train nested", "train seed 3", "train lr=0.1", "a resume"])
def test_an_option_without_dashes_is_pointed_out(line: str, shell: Shell, store: str) -> None:
    said = shell.run(f"%%mlrun {line}\n1")
    assert "run's name" in said
    assert runs_of(store) == {}


def test_a_cell_that_is_a_run_does_not_take_the_extension_out(shell: Shell, store: str) -> None:
    said = shell.run("%%mlrun a\n%unload_ext cvtrack_magics\nlog(x=1)\ndone = True")
    assert shell.result.success, said
    assert said.count("%unload_ext") == 1
    assert runs_of(store)["a"].info.status == "FINISHED"
    shell.run("%load_ext cvtrack_magics")
    shell.run("%%mlrun b\nlog(x=1)")
    assert runs_of(store)["b"].info.status == "FINISHED"
    assert shell.run("%unload_ext cvtrack_magics") == ""
    shell.run("%%mlrun c")
    assert not shell.result.success


def test_a_reload_in_a_run_is_refused(shell: Shell, store: str) -> None:
    said = shell.run("%%mlrun a\n%reload_ext cvtrack_magics\nlog(x=1)\ndone = True")
    assert shell.result.success, said
    assert said.count("%reload_ext") == 1
    assert runs_of(store)["a"].data.metrics["x"] == 1
    shell.run("%mlrun span")
    assert "%reload_ext" in shell.run("%reload_ext cvtrack_magics")
    shell.run("%mlend")
    assert shell.run("%reload_ext cvtrack_magics") == ""
    shell.run("%%mlrun b\nlog(x=1)")
    found = runs_of(store)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert set(found) == {"a", "span", "b"}


def test_params_are_given_as_people_guess(shell: Shell, store: str) -> None:
    shell.run("base = 0.5\nloss = 0.1")
    shell.run(
        "%%mlrun a\n"
        "%mlparams lr=0.1 optim.decay=base/2 steps=[1, 2] name='resnet 18' size=(3, 4)\n"
        "%mlparams f=dict(g=1)\n"
        "%mlparams base --prefix head\n"
        "%mlparams n=3 --prefix head"
    )
    params = runs_of(store)["a"].data.params
    wanted = {
        "lr": "0.1",
        "optim.decay": "0.25",
        "steps": "[1, 2]",
        "name": "resnet 18",
        "head.base": "0.5",
        "head.n": "3",
        "f.g": "1",
    }
    assert {name: params[name] for name in wanted} == wanted
    assert "no 'resnet18'" in shell.run("%mlparams name=resnet18")
    assert "has no name" in shell.run("%mlparams loss==base")


GUESSES = {
    "%mlparams lr=0.1, bs=32": {"lr": "0.1", "bs": "32"},
    "%mlparams lr=0.1 , bs=32,": {"lr": "0.1", "bs": "32"},
    "%mlparams lr = 0.1": {"lr": "0.1"},
    "%mlparams lr= 0.1 bs =32": {"lr": "0.1", "bs": "32"},
    "%mlparams lr: 0.1, bs: 32": {"lr": "0.1", "bs": "32"},
    "%mlparams size=(3,) lr = base": {"size": "[3]", "lr": "0.5"},
    "%mlparams base, d={'a': 1, 'b': 2}": {"base": "0.5", "d.a": "1", "d.b": "2"},
}
REFUSED = {
    "%mlparams --lr 0.1": "lr=VALUE",
    "%mlparams --lr=0.1": "lr=VALUE",
    "%mlparams base==0.5": "has no name",
    "%mlrun a --lr 0.1": "--params lr=VALUE",
    "%mlrun a --params": "expected one argument",
    "%mlrun --help": "%mlrun? shows",
    "%mlrun a -h": "%mlrun? shows",
}


def test_signs_that_people_put_between_are_no_part_of_a_value(shell: Shell, store: str) -> None:
    shell.run("base = 0.5")
    for line, wanted in GUESSES.items():
        said = shell.run(f"%%mlrun {line!r}\n{line}")
        assert shell.result.success, said
        params = runs_of(store)[line].data.params
        assert {name: params.get(name) for name in wanted} == wanted, line
    shell.run("%%mlrun 'by option' --params lr=0.1 --params base\n1")
    found = runs_of(store)["by option"].data.params
    assert (found["lr"], found["base"]) == ("0.1", "0.5")


@pytest.mark.parametrize("line", REFUSED)
def test_a_guess_that_is_not_taken_is_told_the_way_on(line: str, shell: Shell, store: str) -> None:
    assert REFUSED[line] in shell.run(f"base = 0.5\n{line}")
    assert runs_of(store) == {}


def test_names_of_experiments_need_no_quotes_and_runs_may_have_commas(
    shell: Shell, store: str
) -> None:
    assert "'my questions'" in shell.run("%mlexperiment my questions")
    assert "'my questions'" in shell.run("%mlexperiment")
    shell.run("%%mlrun one\nlog(a=1)")
    shell.run("%%mlrun two\nlog(a=2)")
    assert "one" in shell.run("%mlcompare one, two")
    assert shell.result.success


CELLS: dict[str, tuple[str, dict[str, list[int]]]] = {
    "a search, then epochs of batches": (
        "for i in track(range(3)): log({'lr': i})\n"
        "for e in track(range(2)):\n  for b in track(range(2)): log({'loss': 10 * e + b})",
        {"lr": [0, 1, 2], "loss": [3, 4, 5, 6]},
    ),
    "epochs of batches, then a test": (
        "for e in track(range(2)):\n  for b in track(range(2)): log({'loss': 10 * e + b})\n"
        "for i in track(range(2)): log({'test': i})",
        {"loss": [0, 1, 2, 3], "test": [4, 5]},
    ),
    "twice the same lines": (
        "for e in track(range(2)):\n  for b in track(range(2)): log({'a': 10 * e + b})\n"
        "for e in track(range(2)):\n  for b in track(range(2)): log({'b': 10 * e + b})",
        {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7]},
    ),
}


def test_statements_of_a_cell_are_loops_of_their_own(shell: Shell, store: str) -> None:
    for name, (body, wanted) in CELLS.items():
        shell.run(f"%%mlrun {name!r} --no-auto\n{body}")
        found = runs_of(store)[name]
        assert {key: [s for s, _ in points(store, found, key)] for key in wanted} == wanted


NESTS = {
    "one in another": "from contextlib import ExitStack\nwith ExitStack() as held:\n"
    "    for i in range(15): held.enter_context(mlrun(f'n{i}', nested=True))",
    "one after another": "for i in range(15):\n    with mlrun(f'n{i}', nested=True): pass",
    "folds of epochs": "for i in range(5):\n    with mlrun(f'n{i}', nested=True):\n"
    "        for j in range(2):\n            with mlrun(f'n{i}.{j}', nested=True): pass",
}


def test_fifteen_child_runs_are_no_fifteen_cards(shell: Shell, store: str) -> None:
    shell.run("from cvtrack_magics import mlrun")
    for way, body in NESTS.items():
        said = shell.run(f"%%mlrun {way!r} --no-auto\n{body}")
        assert shell.result.success, said
        ends = [line for line in said.splitlines() if line.startswith("✓ FINISHED")]
        assert len(ends) == 16, said
        assert said.count("  experiment  ") == 4, said  # three cards, and that of the run itself
