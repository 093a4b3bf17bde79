"""The gate as a function and in a shell: verdicts, promotion, rollback, history, references."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from cvtrack_magics import Predictions, mleval, mlgate, mlload, mlrun
from cvtrack_magics.cli import main
from cvtrack_magics.errors import CvtrackError, GateRefused, UsageProblem
from cvtrack_magics.run.model_reference import find
from tests import warm
from tests.documents import check
from tests.run.releasing.conftest import Version, inputs, predicted, truth

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs" / "gate"
BETTER = {"champion": "test/top1_acc", "margin": 0.005}


def registry(uri: str) -> Any:
    from cvtrack_magics.store.registry import Registry

    return Registry(uri)


def test_from_the_first_champion_to_a_rollback(make: Version, store: str) -> None:
    make("first", 30)
    first = mlgate("shapes", require=["test/top1_acc >= 0.85"], promote=True, **BETTER)
    assert first.result.passed
    assert "Version 1 is the champion." in repr(first)
    make("lucky", 26, seed=2)
    with pytest.raises(GateRefused, match="lower bound of the gain is not above"):
        mlgate("shapes", promote=True, **BETTER)
    assert registry(store).aliases("shapes") == {"champion": "1"}
    better = make("better", 2)
    found = mlgate("shapes", run="better", promote=True, **BETTER)
    assert found.result.run_id == better
    assert found.result.comparison.samples == 300
    assert registry(store).aliases("shapes") == {"champion": "3", "previous": "1"}
    with pytest.raises(GateRefused, match="it is the champion"):
        mlgate("shapes", promote=True, **BETTER)
    back = mlgate("shapes", rollback=True, reason="a fault in the field")
    assert "Version 1 is the champion; it replaces version 3." in repr(back)
    assert registry(store).aliases("shapes")["champion"] == "1"
    again = mlgate("shapes", version="3", promote=True, **BETTER)
    assert again.result.passed
    past = mlgate("shapes", history=True)
    assert [(entry.what, entry.version) for entry in past.result] == [
        *[("passed", "1"), ("promoted", "1"), ("refused", "2"), ("passed", "3"), ("promoted", "3")],
        *[("refused", "3"), ("rolled back", "3"), ("passed", "3"), ("promoted", "3")],
    ]
    assert "Version 3 of 'shapes' was promoted by" in repr(past)
    assert "a fault in the field" in repr(past)


def test_the_best_of_several_on_the_same_data_is_said_and_recorded(
    make: Version, store: str
) -> None:
    import mlflow

    make("earlier", 60)
    make("first", 30)
    mlgate("shapes", run="first", require=["test/top1_acc >= 0.85"], promote=True)
    alone = make("alone", 2)
    found = mlgate("shapes", run="alone", dry_run=True, **BETTER).result
    assert found.comparison.candidates == 1  # those of before the champion had their chance
    other = make("other", 20, seed=3)
    mlflow.MlflowClient().delete_run(other)  # it was looked at all the same
    made = Predictions.classification(
        inputs().numpy()[:50], truth()[:50], probabilities=predicted(3)[:50], ids=range(50)
    )
    with mlrun("elsewhere", plot=False, code=False):
        mleval(made, prefix="test", figures=False)
    found = mlgate("shapes", run="alone", promote=True, **BETTER).result
    assert found.run_id == alone
    assert found.comparison.candidates == 2
    assert found.rows[-1].wanted == "gain > 0.005 (95 % lower bound, best of 2)"
    assert "as the best of 2" in found.as_text()
    kept = mlflow.MlflowClient().list_artifacts(alone, "governance/gate")[-1].path
    verdict = json.loads(mlflow.artifacts.load_text(f"runs:/{alone}/{kept}"))
    assert verdict["comparison"]["candidates"] == 2


def test_the_verdict_is_kept_with_the_run(make: Version, store: str) -> None:
    import mlflow

    run_id = make("first", 30)
    found = mlgate("shapes", require=["test/top1_acc >= 0.95", "nope <= 1"], soft=True)
    assert not found.result.passed
    client = mlflow.MlflowClient()
    [file] = client.list_artifacts(run_id, "governance/gate")
    kept = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{file.path}"))
    assert kept["passed"] is False
    assert [row["passed"] for row in kept["rows"]] == [False, False]
    assert "there is no such metric" in kept["rows"][1]["why"]
    [tag] = [key for key in registry(store).version("shapes", "1").tags if "cvtrack.gate" in key]
    assert file.path.rsplit("/", 1)[-1].removesuffix(".json") in tag


@pytest.mark.parametrize("how", ["no verdict", "refused", "file is gone", "file was changed"])
def test_a_rollback_goes_only_to_what_passed(make: Version, store: str, how: str) -> None:
    import mlflow

    run_id = make("first", 30)
    make("better", 2)
    if how in ("no verdict", "refused"):
        if how == "refused":
            mlgate("shapes", version="1", require=["test/top1_acc >= 1.1"], soft=True)
        registry(store).set_alias("shapes", "champion", "1")  # by hand
    else:
        mlgate("shapes", version="1", require=["test/top1_acc >= 0.5"], promote=True)
    mlgate("shapes", version="2", require=["test/top1_acc >= 0.5"], promote=True)
    client = mlflow.MlflowClient()
    if "file" in how:
        [file] = client.list_artifacts(run_id, "governance/gate")
        folder = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
        if how == "file is gone":
            (folder / file.path).unlink()
        else:
            (folder / file.path).write_text((folder / file.path).read_text() + " ")
    said = {
        "no verdict": "no verdict of the gate on it has passed",
        "refused": "no verdict of the gate on it has passed",
        "file is gone": "cannot be read",
        "file was changed": "is not the one that passed",
    }[how]
    with pytest.raises(UsageProblem, match=f"back to version 1: .*{said}") as caught:
        mlgate("shapes", rollback=True, reason="a fault")
    assert "%mlgate shapes --version 1" in str(caught.value)
    assert registry(store).aliases("shapes")["champion"] == "2"
    # judged anew it can be gone back to
    mlgate("shapes", version="1", require=["test/top1_acc >= 0.5"])
    back = mlgate("shapes", rollback=True, reason="a fault")
    assert "Version 1 is the champion" in repr(back)


def test_both_measured_now_on_data_that_is_given(make: Version) -> None:
    make("first", 30)
    mlgate("shapes", require=["test/top1_acc >= 0.85"], promote=True)
    make("claims to be better", 0)
    data = (inputs().numpy(), truth())
    found = mlgate("shapes", soft=True, data=data, **BETTER)
    # the two have the same network: measured now, neither is better
    assert not found.result.passed
    assert found.result.comparison.difference == 0
    with pytest.raises(UsageProblem, match="a pair"):
        mlgate("shapes", data=inputs(), **BETTER)
    with pytest.raises(UsageProblem, match="--data is for the champion"):
        mlgate("shapes", data=data, require=["test/top1_acc >= 0"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nothing to judge by"),
        ({"require": ["test/top1_acc"]}, "test/top1_acc"),
        ({"margin": 0.1}, "--margin is about the champion"),
        ({"require": ["check(everything)"]}, "it takes run or promotion"),
        ({"version": "9", "require": ["a >= 1"]}, "version 9"),
        ({"run": "nobody", "require": ["a >= 1"]}, "nobody"),
        ({"file": "gate.yaml"}, "gate.yaml"),
    ],
)
def test_what_cannot_be_asked(make: Version, options: dict[str, Any], said: str) -> None:
    make("first", 30)
    with pytest.raises(CvtrackError, match=said):
        mlgate("shapes", **options)


def test_a_checklist_is_a_rule(make: Version) -> None:
    make("first", 30)
    found = mlgate("shapes", require=["check(run)", "check(promotion)"], soft=True).result
    assert [row.passed for row in found.rows] == [False, False]
    assert "Seeds" in found.rows[0].why
    assert "Model card" in found.rows[1].why
    assert "Gate" not in found.rows[1].why


def test_what_a_reference_means(make: Version, store: str) -> None:
    one, two = make("first", 30), make("second", 30)
    mlgate("shapes", version="1", require=["test/top1_acc >= 0"], promote=True, stage=True)
    assert (find("shapes").run_id, find("shapes").by) == (two, "newest")
    for reference in ("shapes/1", "shapes@champion", "shapes/Production", "models:/shapes/1"):
        assert find(reference).run_id == one
    assert find("shapes", run="first").version.version == "1"
    assert (find("second").run_id, find("second").version) == (two, None)
    assert find(two).by == find(f"runs:/{two}/model").by == "run"
    for reference, said in (
        ("shapes@best", "it has champion"),
        ("shapes/Archived", "No version"),
        ("shapes/7", "version 7"),
        ("../shapes", "shapes"),
        ("<b>@champion", "b"),
        ("", "needs a name"),
    ):
        with pytest.raises(CvtrackError, match=said):
            find(reference)
    make("elsewhere", 3, register="others")
    with pytest.raises(CvtrackError, match="is no version of"):
        find("shapes", run="elsewhere")


def test_the_loaded_champion_answers(make: Version) -> None:
    make("first", 30)
    mlgate("shapes", require=["test/top1_acc >= 0"], promote=True)
    answer = mlload("shapes@champion").predict(inputs()[:8].numpy())
    assert answer.argmax(1).tolist() == truth()[:8].tolist()


def test_the_registry_may_be_elsewhere(make: Version, store: str, tmp_path: Path) -> None:
    import mlflow

    elsewhere = f"sqlite:///{tmp_path / 'registry.db'}"
    mlflow.set_registry_uri(elsewhere)
    make("first", 30)
    found = mlgate("shapes", require=["test/top1_acc >= 0"], promote=True)
    assert found.result.passed
    assert find("shapes@champion").run_id == found.result.run_id
    answer = mlload("shapes@champion").predict(inputs()[:8].numpy())
    assert answer.argmax(1).tolist() == truth()[:8].tolist()
    models = mlflow.MlflowClient(registry_uri=elsewhere).search_registered_models()
    assert [model.name for model in models] == ["shapes"]
    assert mlflow.MlflowClient(registry_uri=store).search_registered_models() == []
    there = {"MLFLOW_TRACKING_URI": store, "MLFLOW_REGISTRY_URI": elsewhere}
    said = cvtrack("shapes", "--require", "test/top1_acc >= 0", **there)
    assert said.returncode == 0, said.stdout + said.stderr


# -- in a shell


def cvtrack(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "cvtrack_magics", "gate", *arguments]
    return warm.run(words, env={**os.environ, **environment})


def test_exit_codes_and_reports(
    make: Version, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make("first", 30)
    refused = cvtrack(
        *("shapes", "--require", "test/top1_acc >= 0.99", "--require", "has(card)"),
        *("--json", "--junit", "gate.xml", "--summary", "summary.md"),
    )
    assert refused.returncode == 1, refused.stderr
    assert [row["passed"] for row in json.loads(refused.stdout)["rows"]] == [False, False]
    check(json.loads(refused.stdout), "cvtrack gate")
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert len(suite.findall(".//failure")) == 2
    assert "| ✗ |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    capsys.readouterr()
    passing = ["gate", "shapes", "--require", "test/top1_acc >= 0.8", "--promote", "--who", "a bot"]
    assert main(passing) == 0
    assert "✓ shapes version 1" in capsys.readouterr().out
    assert main(["gate", "shapes", "--history"]) == 0
    assert "by a bot" in capsys.readouterr().out
    assert main(["gate", "shapes", "--history", "--json"]) == 0
    assert [one["who"] for one in json.loads(capsys.readouterr().out)["history"]][-1] == "a bot"
    gate = tmp_path / "gate.yaml"
    gate.write_text("model: shapes\nrequire:\n  - test/top1_acc 0.9\n", encoding="utf-8")
    for arguments, said in (
        (["--file", "gate.yaml"], "gate.yaml line 3"),
        (["nobody", "--require", "a >= 1"], "nobody"),
        (["--require", "a >= 1"], "needs a registered model"),
        (["shapes", "--rollback"], "nothing to roll"),
    ):
        assert main(["gate", *arguments]) == 2
        found = capsys.readouterr()
        assert said in found.err
        assert "Traceback" not in found.err


@pytest.mark.parametrize("rule", [("test/top1_acc >= 0.1", 0), ("test/top1_acc >= 0.999", 1)])
def test_the_exit_code_is_the_verdicts_whatever_becomes_of_the_last_word(
    rule: tuple[str, int], make: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("first", 30)
    wanted = rule[1]
    ask = ["gate", "shapes", "--require", rule[0]]
    for coding, more in (("cp1252", ["--promote"]), ("gbk", []), ("ascii", [])):
        file = tmp_path / coding
        with file.open("w", encoding=coding) as console, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", console)
            assert main([*ask, *more]) == wanted, coding
        said = file.read_text(encoding=coding)
        assert ("✓" in said or "[ok]" in said) is (wanted == 0)
    for handle in (closed_pipe(), os.open("/dev/full", os.O_WRONLY)):
        # what could not be written is gone at the end, and nothing is left to fail
        with open(handle, "w", encoding="utf-8") as place, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", place)
            assert main(ask) == wanted
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert main(ask) == wanted
    (tmp_path / "folder").mkdir()
    for report in ("/dev/full", "no/such/folder/report", str(tmp_path / "folder")):
        for option in ("--junit", "--summary"):
            assert main([*ask, option, report]) == wanted, (option, report)
    assert not list(tmp_path.glob("**/*.part"))
    aliases = registry(os.environ["MLFLOW_TRACKING_URI"]).aliases("shapes")
    assert bool(aliases) is (wanted == 0)


def closed_pipe() -> int:
    """Return the end to write to of a pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    return writes


def test_a_dead_store_is_no_refusal(tmp_path: Path) -> None:
    from tests.conftest import closed_uri

    failed = cvtrack("shapes", "--require", "a >= 1", MLFLOW_TRACKING_URI=closed_uri())
    assert failed.returncode == 2
    assert "cvtrack gate:" in failed.stderr


def test_the_commands_of_the_sample_workflow(make: Version, tmp_path: Path) -> None:
    """Each ``run`` of the workflow in the docs, but the installation, by the same shell."""
    workflow = yaml.safe_load((DOCS / "workflow.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    commands = [step for step in steps if step.startswith("cvtrack ")]
    assert len(commands) == len(steps) - 1 == 2
    gate = yaml.safe_load((DOCS / "gate.yaml").read_text(encoding="utf-8"))
    gate["require"] = [rule for rule in gate["require"] if "latency" not in rule]
    make("first", 6, register=gate["model"])
    from cvtrack_magics import mlcard

    mlcard(gate["model"])
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(gate), encoding="utf-8")
    folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "VERSION": "",
        "GITHUB_ACTOR": "somebody",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    said = ""
    for command in commands:
        ran = subprocess.run(
            ["bash", "-e", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said += ran.stdout
    assert "Version 1 is the champion." in said
    assert "by somebody" in said
    assert (tmp_path / "gate.xml").exists()
    assert "passed" in (tmp_path / "summary.md").read_text(encoding="utf-8")
