"""Every item of both checklists, passing and failing, and the line that mends it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from cvtrack_magics.release.card import Words, card_of
from cvtrack_magics.release.checklist import Checklist, Item, check_promotion, check_run
from cvtrack_magics.release.facts import Candidate, DataFact, EvaluationFacts
from cvtrack_magics.store.registry import Version
from tests.release.card.candidates import (
    CHAMPION,
    COMMIT,
    COMPARISON,
    FULL_VERDICT,
    TEST,
    TRAIN,
    TRUTH,
    VERDICT,
    WORDS,
    evaluation,
    good,
    having,
    metric,
    verdict,
    with_card,
    with_version,
    without,
)
from tests.release.card.test_escape import HOSTILE

MAGICS = {
    *("%mltags", "%mlparams", "%mlseed", "%mldata", "%mlconfig", "%mlenv", "%mleval", "%mlgrid"),
    *("%mlmodel", "%mlexport", "%mlbench", "%mlcard", "%mlgate", "%%mlrun", "%mlexperiment"),
}


def complete() -> Candidate:
    return with_card(good(), card_of(good(), words=Words(**WORDS)).markdown)


def promoted(candidate: Candidate) -> Checklist:
    return check_promotion(candidate, others=[])


def the(checklist: Checklist, key: str) -> Item:
    (found,) = [each for each in checklist.items if each.key == key]
    return found


def no_tag(*keys: str) -> Callable[[Candidate], Candidate]:
    return lambda c: without(c, "tags", *keys)


def no_param(*keys: str) -> Callable[[Candidate], Candidate]:
    return lambda c: without(c, "params", *keys)


def no_file(*keys: str) -> Callable[[Candidate], Candidate]:
    return lambda c: without(c, "files", *keys)


def no_metric(*keys: str) -> Callable[[Candidate], Candidate]:
    return lambda c: without(c, "metrics", *keys)


def tag(**tags: str) -> Callable[[Candidate], Candidate]:
    return lambda c: having(c, "tags", tags)


def task(name: str) -> Callable[[Candidate], Candidate]:
    return lambda c: replace(
        having(c, "tags", {"task": name}), evaluations={"val": evaluation(task=name)}
    )


def text(path: str, content: str) -> Callable[[Candidate], Candidate]:
    return lambda c: having(c, "texts", {path: content})


def data(*datasets: DataFact) -> Callable[[Candidate], Candidate]:
    return lambda c: without(replace(c, datasets=datasets), "params", "train_dataset_sha256")


def measured(**found: EvaluationFacts) -> Callable[[Candidate], Candidate]:
    return lambda c: replace(c, evaluations=found)


def version(**changes: object) -> Callable[[Candidate], Candidate]:
    return lambda c: with_version(c, **changes)


def ml_model(old: str, new: str) -> Callable[[Candidate], Candidate]:
    return lambda c: having(
        c, "texts", {"model/MLmodel": c.texts["model/MLmodel"].replace(old, new)}
    )


def checks(*rows: dict[str, object]) -> Callable[[Candidate], Candidate]:
    return text("onnx/evidence.json", json.dumps({"format": "onnx", "checks": rows}))


LEARNT = DataFact("set", "training", TRAIN)
TAG = f"cvtrack.gate.{VERDICT}"
LATER = "cvtrack.gate.20270101T120000.000000Z-0123abcd"
CHECK = {"case": "example", "output": "out", "max_abs": 0.5}

FAILING = [
    ("finished", lambda c: replace(c, status="FAILED"), "FAILED", "%%mlrun resnet"),
    ("experiment", lambda c: replace(c, experiment="Default"), "Default", "%mlexperiment"),
    ("tags", no_tag("backbone", "env"), "4 of 6; missing: backbone, env", "env=staging"),
    ("tags", tag(git_commit="unknown"), "missing: git_commit", "%mltags git_commit=a3f8c12"),
    ("tags", tag(task="cooking"), "'cooking' is none of", "%mltags task=classification"),
    ("params", no_param("lr", "epochs"), "learning rate, epochs", "%mlparams optimizer dict("),
    ("params", no_param("optimizer"), "missing: optimizer", "%mlparams optimizer"),
    ("params", no_param("batch_size"), "missing: batch size", "%mlparams train_loader"),
    ("params.implicit", no_param("weight_decay"), "weight decay", "%mlparams optimizer"),
    ("params.implicit", no_param("transforms"), "image size", "%mlparams transform"),
    ("params.implicit", no_param("num_workers"), "data loading", "%mlparams train_loader"),
    (
        "params.implicit",
        no_param("model", "model.parameters", "weights"),
        "architecture",
        "%mlparams model",
    ),
    ("seed", no_param("global_seed"), "no seed", "%mlseed 42"),
    ("config", no_file("configs/train.yaml"), "no file under configs/", "%mlconfig"),
    ("data.training", data(), "no SHA-256", "%mldata train_data"),
    ("data.training", data(DataFact("set", "training", "abc")), "no SHA-256", "%mldata"),
    (
        "data.evaluation",
        lambda c: replace(data(LEARNT)(c), evaluations={}),
        "no SHA-256",
        "%mldata val_data --context validation",
    ),
    ("code", no_file("code/cell.py"), "no file under code/", "%%mlrun"),
    ("git", no_tag("git_commit"), "no commit", "%%mlrun"),
    ("git", tag(git_commit="none yet"), "no commit", "%%mlrun"),
    ("git", no_tag("git_dirty"), "not whether", "%%mlrun"),
    ("git", tag(git_dirty="true"), "changes that are not recorded", "%%mlrun"),
    ("environment", no_file("environment/requirements.txt"), "requirements.txt", "%%mlrun"),
    ("versions", no_param("pytorch_version", "gpu_model"), "pytorch_version, gpu", "%%mlrun"),
    ("metrics.epochs", lambda c: replace(c, metrics={"a": metric(1, 0)}), "first step", "step="),
    ("metrics.summary", no_metric("best_val_top1_acc"), "best_val_…", "%%mlrun"),
    ("metrics.summary", no_metric("best_epoch"), "missing: best_epoch", "%%mlrun"),
    ("metrics.summary", no_metric("total_train_time_hrs"), "total_train_time_hrs", "%%mlrun"),
    ("metrics.task", no_metric("val/per_class_f1/cat"), "missing: per_class_f1", "%mleval"),
    ("metrics.task", no_metric("val/top1_acc"), "missing: top1_acc", "%mleval"),
    ("metrics.task", task("detection"), "object-detection: missing: mAP50", "%mleval"),
    ("metrics.task", lambda c: without(replace(c, evaluations={}), "tags", "task"), "not", "task="),
    (
        "pictures.predictions",
        no_file(
            "predictions/predictions/step_000009.npz",
            "visualisations/predictions_step_000009.webp",
            "visualisations/predictions.html",
        ),
        "none",
        "%mlgrid predictions",
    ),
    ("pictures.confusion", no_file("evaluation/val/confusion_matrix.png"), "none", "%mleval"),
    ("pictures.curves", no_file("evaluation/val/pr_curve.png"), "none", "%mleval"),
    ("version", lambda c: replace(c, version=None), "no version", "%mlmodel model --example"),
    ("signature", ml_model("outputs:", "other:"), "missing: outputs", "%mlmodel"),
    ("signature", no_file("model/MLmodel"), "missing: a model", "%mlmodel"),
    ("example", no_file("model/input_example.json"), "none", "%mlmodel model --example x"),
    ("example", ml_model("saved_input", "other"), "none", "%mlmodel"),
    ("processing", ml_model("mlflow.pyfunc.model", "mlflow.pytorch"), "Resize", "%mlmodel"),
    ("card", lambda c: without(c, "texts", "governance/MODEL_CARD.md"), "none", "%mlcard parts"),
    ("card", lambda c: with_card(c, card_of(good()).markdown), "Intended use, Out-of", "--edit"),
    (
        "card",
        lambda c: with_card(c, c.texts["governance/MODEL_CARD.md"].replace("cvtrack:end", "x")),
        "has no end",
        "%mlcard",
    ),
    ("export", checks({**CHECK, "ok": False}), "difference 0.5, example, out failed", "onnx"),
    ("export", checks(), "onnx: difference –", "%mlexport onnx model --example x"),
    ("export", text("onnx/evidence.json", "{"), "onnx: difference –", "%mlexport"),
    ("export", lambda c: without(c, "texts", "onnx/evidence.json"), "no evidence", "%mlexport"),
    ("latency", no_metric("p99_latency_ms"), "missing: p99_latency_ms", "%mlbench model"),
    ("held_out", measured(), "no evaluation", "%mleval predictions --prefix test"),
    ("held_out", data(LEARNT, DataFact("t", "test", TRAIN)), "t is the training data", "%mldata"),
    (
        "held_out",
        measured(val=evaluation(), train=evaluation("train")),
        "val is the training data",
        "%mldata test_data --context test",
    ),
    ("held_out", data(LEARNT), "no SHA-256 of the test", "%mldata test_data"),
    ("held_out", data(DataFact("t", "test", TEST)), "of the training", "%mldata train_data"),
    ("gate", version(tags={}), "no verdict on this version", "%mlgate parts-classifier"),
    ("gate", version(tags={TAG: verdict(), LATER: verdict("refused")}), "refused: 3 of", "%mlgate"),
    ("gate", version(version="7"), "on another version", "%mlgate"),
    ("champion", text(f"governance/gate/{VERDICT}.json", "{}"), "no gate compared", "%mlgate"),
    ("alias", version(aliases=()), "no alias", "%mlgate parts-classifier"),
    ("alias", version(aliases=(), stage="Archived"), "no alias", "%mlgate"),
]


@pytest.mark.parametrize(("key", "change", "found", "fix"), FAILING)
def test_what_is_missing_is_said_with_its_cure(
    key: str, change: Callable[[Candidate], Candidate], found: str, fix: str
) -> None:
    other = Version("parts-classifier", "2", "x", stage="Production")
    others = [other] if key == "champion" else []
    assert the(promoted(complete()), key).passed is True
    failed = the(check_promotion(change(complete()), others=others), key)
    assert failed.passed is False
    assert found in failed.found
    assert fix in failed.fix
    assert MAGICS.intersection(re.findall(r"%%?ml\w+", failed.fix))


def test_every_item_is_seen_to_fail() -> None:
    keys = [each.key for each in promoted(complete()).items]
    assert len(set(keys)) == len(keys) == 31
    assert set(keys) == {row[0] for row in FAILING} | {"production"}


def test_a_complete_candidate_passes() -> None:
    run, promotion = check_run(complete()), promoted(complete())
    assert run.passed
    assert promotion.passed, promotion.as_text()
    assert promotion.items[: len(run.items)] == run.items
    assert {each.passed for each in promotion.items} == {True}
    assert {each.fix for each in promotion.items} == {""}


def test_a_run_that_says_nothing_fails_everywhere_it_can() -> None:
    nothing = Candidate("1" * 32, "", "", "RUNNING", 0, 0)
    found = check_promotion(nothing, others=None)
    assert {each.key for each in found.items if each.passed is None} == {
        "processing",
        "champion",
        "production",
    }
    assert not any(each.passed for each in found.items)
    for each in found.failed:
        named = re.findall(r"%%?ml\w+", each.fix)
        assert named
        assert set(named) <= MAGICS, each
        assert "\n" not in each.fix


PASSING = [
    ("params", lambda c: having(no_param("lr")(c), "params", {"train.learning_rate": "1"}), "lear"),
    (
        "params.implicit",
        lambda c: having(no_param("transforms")(c), "params", {"img_size": "8"}),
        "",
    ),
    (
        "git",
        lambda c: having(tag(git_dirty="true")(c), "files", {"code/uncommitted.diff": 1}),
        "with changes in code/uncommitted.diff",
    ),
    ("data.training", data(LEARNT), TRAIN[:12]),
    ("data.evaluation", data(LEARNT), f"val {TRUTH[:12]}"),
    (
        "metrics.task",
        lambda c: having(
            task("detection")(c),
            "metrics",
            {f"val_{n}": metric(1) for n in ("mAP50", "mAP50-95", "precision", "recall")},
        ),
        "FPS",
    ),
    (
        "metrics.task",
        lambda c: having(
            task("anomaly")(c),
            "metrics",
            {f"test/{n}": metric(1) for n in ("AUROC", "AUPRC", "F1_at_best_threshold")},
        ),
        "F1@best_threshold",
    ),
    (
        "versions",
        lambda c: no_param("pytorch_version")(
            text("environment/environment.json", '{"software": {"Python": "3.11"}}')(c)
        ),
        "3.11.7",
    ),
    ("held_out", measured(test=evaluation("test")), "parts-test"),
    ("alias", version(aliases=(), stage="Staging"), "Staging"),
    ("champion", lambda c: c, f"with {CHAMPION}: val/top1_acc 0.021 better"),
]


@pytest.mark.parametrize(("key", "change", "found"), PASSING)
def test_other_ways_to_pass(key: str, change: Callable[[Candidate], Candidate], found: str) -> None:
    passed = the(promoted(change(complete())), key)
    assert passed.passed is True, passed
    assert found in passed.found


def test_five_of_many_classes_are_asked_for() -> None:
    many = replace(complete(), evaluations={"val": evaluation(classes=list("abcdef"))})
    assert "missing: top5_acc" in the(check_run(many), "metrics.task").found


NOT_APPLYING = [
    ("pictures.confusion", task("depth"), "depth-estimation has none"),
    ("pictures.curves", task("semantic"), "semantic-segmentation has none"),
    (
        "pictures.curves",
        measured(val=evaluation(notes=["No curves: there are more than 20 classes."])),
        "more than 20 classes",
    ),
    ("processing", no_param("transforms"), "no transforms"),
    ("champion", version(tags={}), "no champion yet"),
]


@pytest.mark.parametrize(("key", "change", "found"), NOT_APPLYING)
def test_what_does_not_apply_says_why(
    key: str, change: Callable[[Candidate], Candidate], found: str
) -> None:
    def bare(candidate: Candidate) -> Candidate:
        changed = change(candidate)
        files = {
            p: s for p, s in changed.files.items() if "confusion" not in p and "curve" not in p
        }
        plain = replace(changed, files=files)
        return ml_model("mlflow.pyfunc.model", "mlflow.pytorch")(plain)

    item = the(promoted(bare(complete())), key)
    assert item.passed is None
    assert found in item.found
    assert item.fix == ""


def judged(candidate: Candidate, **changes: object) -> Candidate:
    """Return a candidate whose full verdict says something else."""
    whole = json.dumps({**json.loads(FULL_VERDICT), **changes})
    tagged = with_version(candidate, tags={TAG: verdict(whole=whole)})
    return text(f"governance/gate/{VERDICT}.json", whole)(tagged)


def test_the_champion_is_that_of_now_and_measured_on_the_same_data() -> None:
    champion = with_version(good(), version="2")
    assert the(check_promotion(complete(), champion=champion), "champion").passed
    newer = with_version(good(), version="5")
    past = the(check_promotion(complete(), champion=newer), "champion")
    assert past.passed is False
    assert "which is the champion no more" in past.found
    for truth in ("e" * 64, ""):
        other = replace(champion, evaluations={"val": evaluation(truth=truth)})
        apart = the(check_promotion(complete(), champion=other), "champion")
        assert apart.passed is False
        assert "no evaluation of the data" in apart.found
    told = judged(complete(), comparison={**COMPARISON, "data_sha256": ""})
    assert the(promoted(told), "champion").passed is False
    never = the(check_promotion(judged(complete(), comparison=None), champion=champion), "champion")
    assert never.found == "no gate compared the two"


@pytest.mark.parametrize("other", [{"run_id": "2" * 32}, {"version": "9"}, {"model": "x"}])
def test_a_verdict_on_something_else_does_not_count(other: dict[str, str]) -> None:
    found = the(promoted(judged(complete(), **other)), "gate")
    assert found.passed is False
    assert "another version" in found.found
    assert the(promoted(judged(complete())), "gate").passed


def test_one_version_in_production() -> None:
    own = Version("parts-classifier", "3", "x", stage="Production")
    old = replace(own, version="2")
    alone = check_promotion(complete(), others=[own, replace(old, stage="Archived")])
    assert the(alone, "production").passed
    two = the(check_promotion(complete(), others=[own, old]), "production")
    assert two.passed is False
    assert two.found == "version 2 is there too"
    assert two.fix == "%mlgate parts-classifier --file gate.yaml"
    assert the(check_promotion(complete()), "production").passed is None


def test_text_is_aligned_and_json_is_whole() -> None:
    checklist = check_promotion(no_tag("env")(complete()))
    lines = checklist.as_text().split("\n")
    assert lines[0] == "✗ Promotion of parts-classifier version 3 (run 1a2b3c4d): 29 of 30"
    assert len(lines) == 1 + len(checklist.items)
    starts = {
        line.index(each.found, 10) for line, each in zip(lines[1:], checklist.items, strict=True)
    }
    assert len(starts) == 1
    marks = {True: "✓", False: "✗", None: "–"}
    for line, each in zip(lines[1:], checklist.items, strict=True):
        assert line.startswith(f"  {marks[each.passed]} {each.title}")
    assert lines[3].endswith("5 of 6; missing: env → %mltags env=staging")
    told = json.loads(checklist.to_json())
    assert told["passed"] is False
    assert [row["key"] for row in told["items"]] == [each.key for each in checklist.items]
    assert check_run(complete()).as_text().startswith("✓ Run parts-classifier version 3")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_on_their_line(name: str) -> None:
    candidate = Candidate(
        run_id=name,
        run_name=name,
        experiment=name,
        status=name,
        started=0,
        ended=0,
        metrics={name: metric(1), f"best_val_{name}": metric(1)},
        params={"seed": name, "transforms": name, f"{name}_dataset_sha256": TEST},
        tags={"task": name, "git_commit": COMMIT, "git_dirty": name},
        datasets=(DataFact(name, name, TEST),),
        files={f"configs/{name}": 1, f"code/{name}": 1, "m/MLmodel": 1},
        evaluations={name: evaluation(name)},
        version=Version(name, name, name, aliases=(name,), tags={TAG: verdict()}),
    )
    others = [Version(name, "x", "x", stage="Production")]
    checklist = check_promotion(candidate, others=others)
    shown = checklist.as_text()
    assert shown.count("\n") == len(checklist.items)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", shown)
