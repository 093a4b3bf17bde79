"""``%mlruns``: an experiment's runs side by side."""

from __future__ import annotations

import math
import re
import statistics

import mlflow
import pytest
from scipy import stats

from cvtrack_magics import StoreUnavailable, UsageProblem, mlruns
from tests.conftest import Shell
from tests.store_views import runs_of


def make(shell: Shell, name: str, *, lr: float, acc: float | None, extra: str = "") -> None:
    logged = f"log({{'val/acc': {acc}, 'val/loss': {1 - (acc or 0)}}})" if acc is not None else ""
    shell.run(f"%%mlrun {name} --params dict(lr={lr},depth=3)\n{logged}\n{extra}")


@pytest.fixture
def five(shell: Shell) -> Shell:
    shell.run("%mlexperiment digits")
    make(shell, "first", lr=0.1, acc=0.5)
    make(shell, "second", lr=0.1, acc=0.7)
    make(shell, "third", lr=0.01, acc=0.9)
    make(shell, "broken", lr=1.0, acc=None, extra="1 / 0")
    shell.run("%%mlrun outer\n%mlrun inner --nested\nlog({'val/acc': 0.2})\n%mlend")
    return shell


def test_runs_in_what_they_differ_and_which_is_best(five: Shell, store: str) -> None:
    table = mlruns()
    assert [line.name for line in table.lines] == [
        *("outer", "inner", "broken", "third", "second", "first")
    ]
    assert [line.depth for line in table.lines] == [0, 1, 0, 0, 0, 0]
    assert table.params[0] == "lr"
    assert set(table.metrics) == {"val/acc", "val/loss"}
    said = repr(table)
    assert "6 runs of experiment 'digits'" in said
    assert re.search(r"✗ broken", said)
    heads = said.splitlines()[1].split()
    assert heads == ["run", "started", "took", *table.metrics, *table.params]
    assert re.search(r"✓ third .*0\.9\*", said)  # more is better
    assert re.search(r"✓ third .*0\.1\*", said)  # of a loss less is
    html = table._repr_html_()
    assert html.count("<tr") == 7
    assert html.count("the best of its column") == 2
    assert [run.run_id for run in table.runs] == [
        run.info.run_id
        for run in mlflow.MlflowClient(store).search_runs(
            [runs_of(store)["first"].info.experiment_id], order_by=["start_time DESC"]
        )
    ]


def test_a_param_that_is_the_same_everywhere_has_no_column(shell: Shell) -> None:
    make(shell, "a", lr=0.1, acc=0.5)
    make(shell, "b", lr=0.2, acc=0.5)
    assert "depth" not in mlruns().params
    assert "depth" in mlruns(all=True).params


def test_a_filter_in_mlflows_language(five: Shell) -> None:
    said = five.run("%mlruns metrics.`val/acc` > 0.6 and params.lr = '0.1'")
    assert "1 run of experiment" in said
    assert "second" in said
    quoted = five.run("%mlruns \"params.lr = '0.01'\"")
    assert "third" in quoted
    assert "second" not in quoted
    none = five.run("%mlruns params.lr = '7'")
    assert "0 runs" in none
    assert "None fits the filter" in none


def test_means_over_the_runs_of_a_params_value(five: Shell) -> None:
    table = mlruns(by="lr")
    assert [(one.value, one.runs) for one in table.groups] == [("0.01", 1), ("0.1", 2)]
    mean, half, count = table.groups[1].metrics["val/acc"]
    values = [0.5, 0.7]
    low, high = stats.t.interval(
        0.95, 1, loc=statistics.mean(values), scale=statistics.stdev(values) / math.sqrt(2)
    )
    assert mean == pytest.approx(0.6)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert count == 2
    assert math.isnan(table.groups[0].metrics["val/acc"][1])
    said = five.run("%mlruns --by lr")
    assert re.search(r"0\.1 +2 .*0\.6 ± 1\.3", said)
    assert "broken" not in said


def test_numbers_are_in_order_before_words(shell: Shell) -> None:
    for name, depth in (("a", "10"), ("b", "9"), ("c", "'deep'")):
        shell.run(f"%%mlrun {name} --params dict(d={depth})\nlog({{'x': 1}})")
    assert [one.value for one in mlruns(by="d").groups] == ["9", "10", "deep"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("val/acc", ["third", "second", "first", "inner", "outer", "broken"]),
        ("val/loss", ["third", "second", "first", "inner", "outer", "broken"]),
        ("lr", ["third", "second", "first", "broken", "inner", "outer"]),
    ],
)
def test_rows_are_sorted_the_best_first(five: Shell, name: str, wanted: list[str]) -> None:
    said = five.run(f"%mlruns --sort {name}")
    assert re.findall(r"[✓✗] (\w+)", said) == wanted
    assert mlruns(sort=name).depth(3) == 0


def test_the_headline_and_what_is_sorted_by_have_a_column(shell: Shell) -> None:
    values = {f"val/per_class_f1/{k}": 0.1 * k for k in range(9)}
    values |= {"val/a": 1, "val/b": 2, "val/top1_acc": 0.5, "val/top1_acc/ci_low": 0.4}
    for name in ("one", "two"):
        shell.run(f"%%mlrun {name} --params dict(p1='{name}')\nlog({values!r})")
    assert mlruns().metrics[:3] == ["val/top1_acc", "val/a", "val/b"]
    assert mlruns(sort="val/per_class_f1/8").metrics[0] == "val/per_class_f1/8"
    assert mlruns(sort="p1").params[0] == "p1"


def test_groups_are_sorted_by_their_means(five: Shell) -> None:
    assert [one.value for one in mlruns(by="lr", sort="val/acc").groups] == ["0.01", "0.1"]
    make(five, "fourth", lr=0.001, acc=0.65)
    found = [one.value for one in mlruns(by="lr", sort="val/acc").groups]
    assert found == ["0.01", "0.001", "0.1"]


def test_a_number_that_a_search_drew_is_shown_short_and_kept_whole(shell: Shell) -> None:
    for name, lr in (("a", 0.00031622776601683794), ("b", 0.1)):
        make(shell, name, lr=lr, acc=0.5)
    shell.run("%%mlrun c --params dict(lr='2026-11-30T00:00',depth=3)\nlog({'val/acc': 0.1})")
    table = mlruns()
    said, html = repr(table), table._repr_html_()
    assert re.search(r"0\.0003162$", said, re.MULTILINE)
    assert "2026-11-30T00:00" in said
    assert 'title="0.00031622776601683794">0.0003162<' in html


def test_what_a_tick_stands_for_can_be_typed(shell: Shell, store: str) -> None:
    for name in ("a-1", "twice", "twice", "two words"):
        shell.run(f"%%mlrun {name}\nlog({{'x': 1}})")
    lines = mlruns().lines
    html = mlruns()._repr_html_()
    found = re.findall(r'data-run="([^"]*)"', html)
    assert found == ["a-1" if one.name == "a-1" else one.run_id for one in lines]


def test_bad_input_is_one_line(five: Shell, store: str) -> None:
    with pytest.raises(UsageProblem, match=r"is no filter of runs: .*For example"):
        mlruns("nonsense ==")
    with pytest.raises(UsageProblem, match=r"No finished run has a param 'lrr'.*lr"):
        mlruns(by="lrr")
    with pytest.raises(UsageProblem, match=r"No run shown has a metric or param 'val/ac'.*val/acc"):
        mlruns(sort="val/ac")
    with pytest.raises(UsageProblem, match=r"No run shown has a metric or param 'depth'"):
        mlruns(by="lr", sort="depth")
    said = five.run("%mlruns --nope")
    assert "has no option '--nope'" in said
    assert said.count("\n") < 4
    said = five.run("%mlruns nonsense ==")
    assert "Traceback" not in said


def test_an_empty_experiment_says_what_to_do(shell: Shell) -> None:
    shell.run("%mlexperiment nothing-yet")
    assert "%%mlrun NAME on top of a cell makes one" in shell.run("%mlruns")


def test_a_store_that_does_not_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable):
        mlruns()


def test_hostile_names_are_only_text(shell: Shell) -> None:
    client = mlflow.MlflowClient()
    for name in ("<script>alert(1)</script>", "a\nb\x1b[31m", "n" * 300):
        run = client.create_run("0", run_name=name)
        client.log_param(run.info.run_id, "p", "<img src=x onerror=alert(2)>")
        client.log_metric(run.info.run_id, "acc", math.nan)
        client.set_terminated(run.info.run_id)
    table = mlruns(all=True)
    html, said = table._repr_html_(), repr(table)
    assert html.count("<script") == 1  # our own
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "\x1b" not in said
    assert len(said.split("\n")) == 5
    assert max(map(len, said.split("\n"))) < 200


def test_runs_that_name_each_other_as_parents_are_all_shown(shell: Shell) -> None:
    client = mlflow.MlflowClient()
    one = client.create_run("0", run_name="one")
    two = client.create_run("0", run_name="two", tags={"mlflow.parentRunId": one.info.run_id})
    client.set_tag(one.info.run_id, "mlflow.parentRunId", two.info.run_id)
    assert {line.name for line in mlruns().lines} == {"one", "two"}


def left(shell: Shell) -> set[str]:
    return {line.name for line in mlruns().lines}


def test_runs_are_deleted_once_somebody_agreed(
    five: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    before = left(five)
    answers = iter(["", "no", "y", "yes"])
    monkeypatch.setattr("builtins.input", lambda said: asked.append(said) or next(answers))
    for _ in range(3):
        assert "Nothing was deleted." in five.run("%mlruns --delete first,second")
        assert left(five) == before
    assert asked[0] == "Delete 2 runs: first, second? Type yes: "
    said = five.run("%mlruns --delete first,second")
    assert "Deleted: first (" in said
    assert left(five) == before - {"first", "second"}
    mlruns(delete=["third"], yes=True)
    assert len(asked) == 4
    assert left(five) == before - {"first", "second", "third"}


def test_what_is_needed_or_cannot_be_asked_about_is_not_deleted(five: Shell, store: str) -> None:
    client = mlflow.MlflowClient()
    run = runs_of(store)["third"]
    client.create_registered_model("m")
    client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id)
    before = left(five)
    experiment = run.info.experiment_id
    client.create_run(experiment, run_name="going")
    for names, why in (
        (["first", "third"], "m version 1 was made of"),
        (["first", "going"], "goes on"),
        (["first", "nobody"], "nobody"),
    ):
        with pytest.raises((UsageProblem, StoreUnavailable), match=why):
            mlruns(delete=names, yes=True)
    with pytest.raises(UsageProblem, match="--yes"):  # there is nobody at the other end
        mlruns(delete=["first"])
    assert left(five) == before | {"going"}
