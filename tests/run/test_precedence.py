"""What is said closest to a run is what its record says."""

from __future__ import annotations

import mlflow
import pytest

from cvtrack_magics.records import Artifact, Notice, Param, Tag
from cvtrack_magics.run.precedence import closest
from tests.conftest import Shell
from tests.store_views import runs_of

SCRIPT = "from cvtrack_magics import mlrun, mlseed, mlparams, mltags, log\nimport mlflow\n"
DETERMINISTIC = "import torch; torch.use_deterministic_algorithms(False)\n"

Case = tuple[tuple[str, ...], str, dict[str, str], dict[str, str]]
"""Cells, the run that is looked at, its params, its tags."""

CASES: dict[str, Case] = {
    "the line's seed beats the session's": (
        ("%mlseed 0", "%%mlrun r --seed 7\n1"),
        "r",
        {"global_seed": "7"},
        {},
    ),
    "a call's seed beats the session's": (
        ("%mlseed 0", SCRIPT + "with mlrun('r', seed=9): pass"),
        "r",
        {"global_seed": "9"},
        {},
    ),
    "a nested run's seed beats its span's": (
        ("%mlrun span --seed 1", "%%mlrun r --nested --seed 6\n1", "%mlend"),
        "r",
        {"global_seed": "6"},
        {},
    ),
    "a nested run without a seed has its span's, not the session's": (
        ("%mlseed 0", "%mlrun span --seed 5", "%%mlrun r --nested\n1", "%mlend"),
        "r",
        {"global_seed": "5"},
        {},
    ),
    "a seed set in the span is that of the runs below": (
        ("%mlrun span --seed 1", "%mlseed 4", "%%mlrun r --nested\n1", "%mlend"),
        "r",
        {"global_seed": "4"},
        {},
    ),
    "a second seed in a run stands beside the first": (
        ("%mlrun r --seed 1", "%mlseed 4", "%mlseed 5", "%mlend"),
        "r",
        {"global_seed": "1"},
        {"reseeded": "4 at step 0, 5 at step 0"},
    ),
    "a run's seed is not the session's afterwards": (
        ("%mlseed 3", "%%mlrun other --seed 7\n1", "%%mlrun r\n1"),
        "r",
        {"global_seed": "3"},
        {},
    ),
    "the seed used beats one in a config": (
        ("%%mlrun r --seed 7 --params dict(global_seed=1)\n1",),
        "r",
        {"global_seed": "7"},
        {},
    ),
    "deterministic is the run's": (
        (DETERMINISTIC + "%mlseed 0", "%%mlrun r --seed 1 --deterministic\n1", DETERMINISTIC),
        "r",
        {"deterministic": "True"},
        {},
    ),
    "deterministic is what torch does": (
        ("%mlseed 0 --deterministic", "%%mlrun r --seed 1\n1", DETERMINISTIC),
        "r",
        {"deterministic": "True"},
        {},
    ),
    "deterministic was switched off since": (
        ("%mlseed 0 --deterministic", DETERMINISTIC, "%%mlrun r\n1"),
        "r",
        {"deterministic": "False"},
        {},
    ),
    "the line's params beat those said before": (
        ("%mlparams dict(lr=0.1, wd=1)", "%%mlrun r --params dict(lr=0.5)\n1"),
        "r",
        {"lr": "0.5", "wd": "1"},
        {},
    ),
    "a call's params beat those said before": (
        ("%mlparams dict(lr=0.1)", SCRIPT + "with mlrun('r', params={'lr': 0.5}): pass"),
        "r",
        {"lr": "0.5"},
        {},
    ),
    "the later of two before a run": (
        ("%mlparams dict(lr=0.1)", "%mlparams dict(lr=0.2)", "%%mlrun r\n1"),
        "r",
        {"lr": "0.2"},
        {},
    ),
    "the later of two on the line": (
        ("%%mlrun r --params dict(lr=0.1) --params dict(lr=0.2)\n1",),
        "r",
        {"lr": "0.2"},
        {},
    ),
    "the line's tag beats every run's": (
        ("%mltags team=a", "%%mlrun r --tag team=b\n1"),
        "r",
        {},
        {"team": "b"},
    ),
    "a tag in the cell beats the line's": (
        ("%%mlrun r --tag team=b\n%mltags team=c",),
        "r",
        {},
        {"team": "c"},
    ),
    "a tag that was said beats one a model implies, on one line": (
        ("import torch; net = torch.nn.Linear(1, 1)", "%%mlrun r --tag backbone=x --params net\n1"),
        "r",
        {},
        {"backbone": "x"},
    ),
    "a tag said for every run beats one a model implies, whenever": (
        (
            "import torch; net = torch.nn.Linear(1, 1)",
            "%mlparams net",
            "%mltags backbone=x",
            "%%mlrun r\n1",
        ),
        "r",
        {},
        {"backbone": "x"},
    ),
    "a tag said beats the environment's": (
        ("%mltags env=staging", "%%mlrun r\n1"),
        "r",
        {},
        {"env": "staging"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_closest_word_is_recorded(
    case: Case, shell: Shell, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # a seed sets it, and it is put back
    cells, name, params, tags = case
    for cell in cells:
        shell.run(cell)
        assert shell.result.success, cell
    run = runs_of(store)[name]
    assert {key: run.data.params.get(key) for key in params} == params
    assert {key: run.data.tags.get(key) for key in tags} == tags


def test_a_param_that_was_replaced_is_told_and_a_seed_is_not(shell: Shell) -> None:
    shell.run("%mlseed 0\n%mlparams dict(lr=0.1)")
    said = shell.run("%%mlrun r --seed 7 --params dict(lr=0.5)\n1")
    assert "0.1, said before, was not recorded" in said
    assert "global_seed" not in said


def test_the_settings_are_wider_than_a_call(shell: Shell, store: str) -> None:
    shell.run("%config CvTrack.record_output = False")
    shell.run(SCRIPT + "with mlrun('quiet'): print('a')\nwith mlrun('loud', output=True): print(1)")
    client = mlflow.MlflowClient(store)
    logs = {n: client.list_artifacts(r.info.run_id, "logs") for n, r in runs_of(store).items()}
    assert not logs["quiet"]
    assert logs["loud"]


def test_a_best_value_that_the_code_logs_itself_stands(shell: Shell, store: str) -> None:
    shell.run(
        "%%mlrun r\nfrom cvtrack_magics import log\n"
        "for e in range(3): log({'val/acc': e / 10, 'val/f1': e / 10}, step=e)\n"
        "log(best_val_acc=0.77)"
    )
    found = runs_of(store)["r"].data.metrics
    assert found["best_val_acc"] == 0.77
    assert found["best_val_f1"] == 0.2


def test_the_last_of_each_key_and_path_is_kept_and_nothing_else_is_lost() -> None:
    wide = [Param("a", "1"), Tag("a", "t"), Artifact("f", "old"), Notice("n"), Notice("n")]
    near = [Param("a", "2"), Artifact("f", "new"), Artifact("g", "g")]
    found = closest([wide, near])
    assert [r for r in found if not isinstance(r, Notice)] == [
        Tag("a", "t"),
        Param("a", "2"),
        Artifact("f", "new"),
        Artifact("g", "g"),
    ]
    assert [r.text for r in found if isinstance(r, Notice)][:2] == ["n", "n"]


def test_what_came_by_mlflows_own_calls_beats_what_is_read_off_the_machine(
    shell: Shell, store: str
) -> None:
    shell.run(SCRIPT + "run = mlrun('r')")
    scope = shell.ip.user_ns["run"]._scope
    scope._way.facts([Tag("env", "production"), Param("python_version", "mine")])
    shell.run("run.end()")
    run = runs_of(store)["r"]
    assert run.data.tags["env"] == "production"
    assert run.data.params.get("python_version") == "mine"
