"""``%mlcompare``: why runs differ, in a notebook, as a page and in a shell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import mlflow
import pytest

from cvtrack_magics import StoreUnavailable, UsageProblem, mlcompare
from cvtrack_magics.cli import main
from tests.conftest import Shell, closed_uri
from tests.store_views import runs_of

SETUP = """import numpy as np
from cvtrack_magics import Predictions
truth = np.arange(300) % 4
lr = 0.1
def said(wrong):
    said = truth.copy()
    said[:wrong] = (said[:wrong] + 1) % 4
    shares = np.eye(4)[said] * 0.9 + 0.025
    return Predictions.classification(np.zeros((300, 8, 8)), truth, probabilities=shares)"""
RUN = """%%mlrun {name} --seed 1 {more}
for step in range(30):
    log({{"loss": 1 / (step + 1) {plus}}})
{last}"""
EVALUATE = "_ = mleval(said({}), figures=False, resamples=50)"


def make(shell: Shell, name: str, *, more: str = "", plus: str = "", last: str = "") -> None:
    shell.run(RUN.format(name=name, more=more, plus=plus, last=last))
    assert shell.result.success


@pytest.fixture
def ready(shell: Shell) -> Shell:
    shell.run("%mlexperiment digits")
    shell.run(f"from cvtrack_magics import mleval\n{SETUP}")
    return shell


def test_params_code_and_the_step_at_which_they_part(ready: Shell) -> None:
    make(ready, "a", more="--params dict(depth=2)")
    make(ready, "b", more="--params dict(depth=3)", plus="+ (step > 20)")
    said = ready.run("%mlcompare a b")
    assert "These two differ in params and code." in said
    assert "first differing metric loss at step 21" in said
    assert re.search(r"depth +2 +3", said)
    assert '+    log({"loss": 1 / (step + 1) + (step > 20)})' in said
    assert "seeds" not in said
    found = mlcompare("a", "b").found
    assert [cause.kind for cause in found.causes] == ["params", "code"]
    assert found.verdicts == ()


def test_the_same_cell_again_is_equal_and_one_that_is_not_is_named(ready: Shell) -> None:
    make(ready, "a")
    make(ready, "b")
    said = ready.run("%mlcompare a b")
    assert "These two are equal in all that was recorded, and all 1 metrics are equal" in said
    ready.run("hidden = {'offset': 0}")
    for name in ("c", "d"):
        make(ready, name, plus="+ (step > 11) * len(__import__('os').environ.get('ODD', ''))")
        ready.run("import os; os.environ['ODD'] = 'x'")
    said = ready.run("%mlcompare c d")
    assert "These two should be equal and are not: first differing metric loss at step 12" in said


def test_the_verdict_of_runs_that_were_evaluated(ready: Shell) -> None:
    make(ready, "a", last=EVALUATE.format(60))
    make(ready, "b", last=EVALUATE.format(20))
    found = mlcompare("a", "b")
    (verdict,) = found.found.verdicts
    assert (verdict.metric, verdict.outcome) == ("val/top1_acc", "better")
    assert verdict.gain == pytest.approx(40 / 300)
    assert "▲ val/top1_acc: b is better than a (gain +0.1333" in repr(found)
    (back,) = mlcompare("b", "a").found.verdicts
    assert back.outcome == "worse"


def test_one_page_that_loads_nothing(ready: Shell, tmp_path: Path) -> None:
    make(ready, "a")
    make(ready, "b", plus="* 2")
    ready.run(f"%mlcompare a b --html {tmp_path / 'why.html'}")
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "These two differ in code." in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "default-src 'none'" in page


def test_in_a_shell(ready: Shell, capsys: pytest.CaptureFixture[str], store: str) -> None:
    make(ready, "a")
    make(ready, "b", plus="* 2")
    capsys.readouterr()
    assert main(["compare", "a", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == 1
    assert [run["name"] for run in found["runs"]] == ["a", "b"]
    assert found["first_difference"][0]["step"] == 0
    assert main(["compare", "a", "b"]) == 0
    assert "These two differ in code." in capsys.readouterr().out
    assert main(["compare", "a", "nothing"]) == 2
    assert "cvtrack compare: " in capsys.readouterr().err


def test_several_runs_beside_the_first(ready: Shell) -> None:
    for name, lr in (("a", 1), ("b", 2), ("c", 3)):
        make(ready, name, more=f"--params dict(lr={lr})")
    found = mlcompare("a", "b", "c")
    (cause,) = found.found.causes
    assert cause.rows[0].values == ("1", "2", "3")
    assert "difference" not in repr(found)


BAD = {
    "%mlcompare": "takes two runs or more",
    "%mlcompare a": "takes two runs or more",
    "%mlcompare a a": "are the same run",
    "%mlcompare a nothing-of-that-name": "nothing-of-that-name",
    "%mlcompare a b --nope": "has no option '--nope'",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line(ready: Shell, line: str) -> None:
    make(ready, "a")
    said = ready.run(line)
    assert BAD[line] in said
    assert "Traceback" not in said
    assert len(said.strip().split("\n")) <= 2


def test_a_store_that_does_not_answer(ready: Shell) -> None:
    mlflow.set_tracking_uri(closed_uri())
    with pytest.raises(StoreUnavailable):
        mlcompare("a", "b")


def test_too_many_runs_are_refused() -> None:
    with pytest.raises(UsageProblem, match="too many to compare"):
        mlcompare(*map(str, range(30)))


EVIL = "<img src=x onerror=alert(1)>\x1b[31m\u202e</script>"


def test_what_others_wrote_is_only_text(shell: Shell, tmp_path: Path) -> None:
    client, ids = mlflow.MlflowClient(), []
    for at in range(2):
        run = client.create_run("0", run_name=f"{EVIL}{at}").info.run_id
        ids.append(run)
        client.log_param(run, "p", f"{EVIL}{at}")
        client.set_tag(run, "who", f"{EVIL}{at}")
        for step in range(3):
            client.log_metric(run, "a b", step * at, step=step)
        client.log_text(run, f"{EVIL}\n{at}", "code/cell.py")
        client.log_text(run, f"a: {EVIL}{at}", "configs/x.yaml")
        client.log_text(run, "{not json", "environment/environment.json")
        client.log_text(run, "[1]", "evaluation/val/metrics.json")
        client.set_terminated(run)
    found = mlcompare(*ids, html=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8").split('<script type="module"')[0]
    for html in (found._repr_html_(), page):
        assert "<img src=x" not in html
        assert html.count("</script>") == html.count("<script")
        assert "\u202e" not in html
    assert "\x1b" not in repr(found)
    assert "\u202e" not in repr(found)
    assert runs_of(str(mlflow.get_tracking_uri()))
