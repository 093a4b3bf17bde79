"""Each kind of rule: when it holds, when it does not, and what is no rule."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cvtrack_magics.commands.candidate_loader import evaluations_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import DataFact, Point
from cvtrack_magics.release.gate import Found, Function, Row, judge, parse_rule
from cvtrack_magics.release.gate.parse import parse_rules
from tests.release.gate.make import START, candidate, evaluation, version

DIGEST = "3f9a0c1e" + "0" * 56
MLMODEL = """
artifact_path: model
flavors: {python_function: {loader_module: mlflow.pytorch}}
saved_input_example_info: {artifact_path: input_example.json, type: ndarray}
signature:
  inputs: '[{"type": "tensor"}]'
  outputs: null
"""
ENVIRONMENT = {
    "software": {"Python": "3.11.9 (CPython)"},
    "packages": {"torch": "2.1.0+cu121", "Scikit_Learn": "1.4.0rc1", "odd": "not a version"},
}


def whole() -> Any:
    return candidate(
        "whole",
        {
            "val/mAP50": 0.9,
            "p95_latency_ms": 40.0,
            "val/AP50/car": 0.7,
            "val/AP50/traffic light": 0.6,
            "nothing": float("nan"),
            "endless": float("inf"),
        },
        params={"seed": "42", "lr": "1e-3", "model": "resnet"},
        tags={"task": "detection", "env": "staging", "mlflow.source.git.commit": "a3f8c12"},
        datasets=(
            DataFact("coco", "training", DIGEST),
            DataFact("coco val", "validation", "ab" * 18),
            DataFact("one", "extra", "1" * 64),
            DataFact("two", "extra", "2" * 64),
        ),
        files={
            "governance/MODEL_CARD.md": 2000,
            "model/MLmodel": 500,
            "model/data/model.pth": 45_000_000,
            "models.txt": 7_000_000,
            "onnx/model.onnx": 44_000_000,
            "onnx/evidence.json": 100,
            "empty.txt": 0,
        },
        texts={
            "model/MLmodel": MLMODEL,
            "environment/environment.json": json.dumps(ENVIRONMENT),
            "onnx/evidence.json": json.dumps({"checks": [{"ok": True}, {"ok": True}]}),
        },
        evaluations={"test": evaluation("test", data_sha256=DIGEST)},
    )


def row(rule: str, given: Any = None, **more: Any) -> Row:
    functions = more.get("functions")
    verdict = judge(given or whole(), [parse_rule(rule, functions)], **more)
    return verdict.rows[-1]


HOLD = [
    "val/mAP50>=0.9",
    "val/mAP50 <= 9e-1",
    "val/mAP50>.5",
    "val/mAP50 == 0.9",
    "val/mAP50 != 1",
    "p95_latency_ms<=50",
    "val/AP50/traffic light >= 0.5",
    "min(val/AP50/*)>=0.6",
    "max(val/AP50/*)<=0.7",
    "mean(val/AP50/*)>0.64",
    "size_mb(model)<=46",
    "size_mb(model) > 45",
    "size_mb(onnx/model.onnx)==44",
    "has(governance/MODEL_CARD.md)",
    "has(governance)",
    "has(card)",
    "has(signature)",
    "has(input example)",
    "has(export evidence)",
    "tag(task)==detection",
    "tag(task)!=depth",
    "tag(env) in (staging, production)",
    "param(seed)==42",
    "param(seed)==42.0",
    "param(lr)<=0.001",
    "param(model) in (vit, 'resnet')",
    f"data(coco)=={DIGEST}",
    "data(train)==3F9A0C1E",
    "data(training) in (11111111, 3f9a0c1e0)",
    "data(validation)==abababababab",
    "data(one)==11111111",
    "eval(test)==3f9a0c1e",
    "env(torch)>=2.1",
    "env(torch)==2.1.0",
    "env(torch) in (1.13, 2.1.0)",
    "env(scikit-learn)>=1.4rc1",
    "env(python)>=3.10",
]
FAIL = {
    "val/mAP50>0.9": "0.9 is not > 0.9",
    "val/mAP50<0.9": "0.9 is not < 0.9",
    "val/map50>=0.1": "there is no such metric. Did you mean 'val/mAP50'?",
    "missing!=1": "there is no such metric.",
    "nothing!=1": "its value is nan",
    "endless>=1": "its value is inf",
    "min(val/AP50/*)>=0.65": "traffic light: 0.6 is not >= 0.65",
    "min(val/AP75/*)>=0": "there is no metric val/AP75/*",
    "size_mb(model)<=45": "45.0005 is not <= 45",
    "size_mb(mode)<=45": "there is no such artifact",
    "has(governance/CARD.md)": "there is no governance/CARD.md",
    "has(empty.txt)": "empty.txt is empty",
    "tag(task)==depth": "'detection' is not == depth",
    "tag(nobody)!=x": "there is no such tag",
    "tag(env) in (production, 'a, b')": "'staging' is not in (production, 'a, b')",
    "param(lr)>0.001": "0.001 is not > 0.001",
    "param(model)>=1": "it is no number",
    "param(none)!=1": "there is no such parameter",
    "data(train)==11111111": "'3f9a0c1e000…' is not == 11111111",
    "data(train)!=3f9a0c1e": "is not != 3f9a0c1e",
    f"data(val)=={'ab' * 32}": "only the first 36 digits are known",
    "data(extra)==11111111": "several data sets are meant: one, two; write the name of one",
    "data(none)==11111111": "the run has no such data set",
    "eval(val)==3f9a0c1e": "there is no such evaluation",
    "env(scikit-learn)<1.4": "1.4.0rc1 is not < 1.4",  # as PEP 440 orders them
    "env(torch)>=2.2": "2.1.0+cu121 is not >= 2.2",
    "env(odd)>=1": "it is no version",
    "env(jax)>=0.1": "there is no such package",
}


@pytest.mark.parametrize("rule", HOLD)
def test_what_holds(rule: str) -> None:
    found = row(rule)
    assert found.passed, found.why
    assert found.why == ""
    assert found.got


@pytest.mark.parametrize(("rule", "why"), FAIL.items())
def test_what_does_not(rule: str, why: str) -> None:
    found = row(rule)
    assert not found.passed
    assert why in found.why


@pytest.mark.parametrize("rule", [*HOLD, *FAIL])
def test_a_rule_reads_back_as_it_is_shown(rule: str) -> None:
    made = parse_rule(rule)
    assert parse_rule(made.text) == made


def test_the_margin_is_the_room_that_is_left() -> None:
    assert row("val/mAP50>=0.85").margin == pytest.approx(0.05)
    assert row("p95_latency_ms<=50").margin == pytest.approx(10)
    assert row("p95_latency_ms<=30").margin == pytest.approx(-10)
    assert row("val/mAP50==0.9").margin is None
    assert row("has(card)").margin is None


REFUSED = {
    "": "A rule is empty",
    "val/mAP50": "says no direction",
    "val/mAP50 0.85": "says no direction",
    "val/mAP50=0.85": "Write ==",
    "val/mAP50=>0.85": "Write >=",
    "val/mAP50≥0.85": "Write >=",
    "val/mAP50>=": "nothing is wanted",
    ">=0.85": "does not begin with a metric",
    "val/mAP50>=85%": "'85%' is no number",
    "val/mAP50>=nan": "'nan' is no number",
    "val/mAP50>=1e999": "'1e999' is no number",
    "0.5<=val/mAP50<=0.9": "'val/mAP50<=0.9' is no number",
    "val/mAP50 in (1, 2)": "'in', which says nothing here",
    "has(card)==1": "has() is all",
    "has()": "nothing in its parentheses",
    "has(card": "not closed",
    "hsa(card)": "Did you mean 'has'?",
    "tag(task)": "says no direction",
    "tag(task)>=1": "'>=', which says nothing here",
    "tag(task) in (a, b": "no operator that is known",
    "tag(task) in (a (b), c)": "its list cannot be read",
    "tag(task) in (a,)": "nothing is wanted",
    "data(train)==xyz": "not 8 to 64 hexadecimal digits",
    "data(train)==3f9a0c1": "not 8 to 64 hexadecimal digits",
    "env(torch)>=new": "'new' is no version",
    "param(lr)>small": "'small' is no number",
    "min(val/AP50)>0": "it takes the metrics of all classes",
    "min(*/AP50/*)>0": "it takes the metrics of all classes",
    "val/AP50/*>0": "does not begin with a metric",
    "\x1b[2J>=1": r"\x1b[2J",
    "x" * 2000: "too long",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_is_no_rule(text: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_rule(text)
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stale_metric_fails() -> None:
    given = whole()
    old = replace(given, metrics={"val/mAP50": Point(0.9, 0, START - 5000)})
    assert row("val/mAP50>=0.1", old).why == "it is stale: recorded 5 s before the run started"
    at_start = replace(given, metrics={"val/mAP50": Point(0.9, 0, START)})
    assert row("val/mAP50>=0.1", at_start).passed
    late = replace(given, metrics={"val/mAP50": Point(0.9, 0, START + 10**9)})
    assert row("val/mAP50>=0.1", late).passed  # %mleval --run writes into a run that has ended


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED", "", "SCHEDULED"])
def test_a_run_that_is_not_finished_never_passes(status: str) -> None:
    given = replace(whole(), status=status)
    assert "not FINISHED" in row("val/mAP50>=0.1", given).why
    verdict = judge(given, [parse_rule("has(card)")])
    assert not verdict.passed
    assert [made.passed for made in verdict.rows] == [False, True]
    assert verdict.rows[0].rule == "run"


def test_a_version_of_another_run_never_passes() -> None:
    given = whole()
    assert row("val/mAP50>0", replace(given, version=version("3", given.run_id))).passed
    other = replace(given, version=version("3", "f" * 32))
    assert row("val/mAP50>0", other).why == "version 3 was made of another run"
    assert not judge(other, [parse_rule("has(card)")]).passed


def measured(value: Any, logged: float = 0.9, **facts: Any) -> Any:
    found = evaluation(metrics={"mAP50": value}, **facts)
    return candidate("m", {"val/mAP50": logged}, evaluations={"val": found})


def test_a_metric_that_the_evaluation_contradicts_fails() -> None:
    rule = "val/mAP50>=0.5"
    assert row(rule, measured(0.9)).passed
    assert row(rule, measured(0.9 + 1e-13)).passed
    why = "the metric says 0.93, the evaluation 0.81"
    assert row(rule, measured(0.81, 0.93)).why == why
    for odd in (None, float("nan")):
        assert "the evaluation has no value" in row(rule, measured(odd)).why, odd
    none = candidate("n", {}, evaluations={"val": evaluation(metrics={"mAP50": None})})
    assert row(rule, none).why == "the evaluation found no value for it"


@pytest.mark.parametrize("odd", ['"0.9"', "true", "[0.9]", "1" + "0" * 400, "{}"])
def test_a_file_that_says_no_number_for_a_metric_is_named(odd: str) -> None:
    text = f'{{"prefix": "val", "metrics": {{"mAP50": {odd}}}}}'
    read = dict(evaluations_of({"evaluation/val/metrics.json": text}))
    given = candidate("m", {"val/mAP50": 0.9}, evaluations=read)
    assert row("val/mAP50>=0.5", given).why.startswith("evaluation/val/metrics.json")


def test_the_ends_of_the_interval_are_metrics_too() -> None:
    found = evaluation(
        metrics={"mAP50": 0.9}, interval={"metric": "mAP50", "low": 0.85, "high": 0.95}
    )
    logged = {"val/mAP50": 0.9, "val/mAP50/ci_low": 0.85, "val/mAP50/ci_high": 0.99}
    given = candidate("i", logged, evaluations={"val": found})
    assert row("val/mAP50/ci_low>=0.8", given).passed
    assert "the evaluation 0.95" in row("val/mAP50/ci_high>=0.8", given).why


def test_without_an_interval_the_reason_is_said() -> None:
    said = "No interval: too few samples with bus (2); 3 are the least."
    found = evaluation(metrics={"mAP50": 0.9}, notes=["Another.", said])
    given = candidate("i", {"val/mAP50": 0.9}, evaluations={"val": found})
    why = row("val/mAP50/ci_low>=0.8", given).why
    assert why == "no interval: too few samples with bus (2); 3 are the least"
    silent = evaluation(metrics={"mAP50": 0.9})
    given = candidate("i", {"val/mAP50": 0.9}, evaluations={"val": silent})
    assert row("val/mAP50/ci_low>=0.8", given).why == "it has no interval"
    assert "no such metric" in row("val/mAP75/ci_low>=0.8", given).why


def test_a_class_without_a_value_fails_the_worst_of_the_classes() -> None:
    found = evaluation(metrics={"AP50/car": 0.9, "AP50/bus": None})
    given = candidate("c", {"val/AP50/car": 0.9}, evaluations={"val": found})
    why = row("min(val/AP50/*)>=0.6", given).why
    assert why == "val/AP50/bus: undecided: the data it was measured on has nothing of this class"
    assert "undecided" in row("val/AP50/bus>=0.6", given).why
    assert row("val/AP50/car>=0.6", given).passed
    given = candidate("c", {"val/AP50/car": 0.9, "val/AP50/bus": float("nan")})
    assert "val/AP50/bus: its value is nan" in row("min(val/AP50/*)>=0.6", given).why


def test_a_metric_that_was_measured_differently_fails() -> None:
    rule, ours = "val/mAP50>=0.5", measured(0.9)
    assert row(rule, ours, champion=measured(0.8, 0.8)).passed
    for facts, said in (
        ({"settings": {"iou": 0.75}}, "iou 0.5, the champion's is 0.75"),
        ({"settings": {"threshold": 0.3}}, "threshold chosen by itself, the champion's is 0.3"),
        ({"task": "instance"}, "task detection, the champion's is instance"),
        ({"settings": {"scheme": 2}}, "scheme 1, the champion's is 2"),
    ):
        found = row(rule, ours, champion=measured(0.8, 0.8, **facts))
        assert said in found.why
        assert not found.passed
    # the champion was measured on something else, or by nobody
    assert row(rule, ours, champion=candidate("x", {"val/mAP50": 0.1})).passed
    demand = {"val": {"iou": 0.5, "task": "detection"}}
    assert row(rule, ours, demands=demand).passed
    assert "the gate demands 0.75" in row(rule, ours, demands={"val": {"iou": 0.75}}).why
    bare = candidate("b", {"val/mAP50": 0.9})
    assert row(rule, bare, demands=demand).why == "no evaluation of val measured it"
    assert row(rule, bare).passed
    old = measured(0.9, settings={})
    old.evaluations["val"].measured.settings.clear()
    assert "not known with which iou" in row(rule, old, demands=demand).why


def test_tags_of_the_version_count_where_the_run_has_none() -> None:
    given = candidate("v", tags={"env": "staging"})
    made = version("1", given.run_id, tags={"env": "production", "reviewed": "yes"})
    given = replace(given, version=made)
    assert row("tag(env)==staging", given).passed
    assert row("tag(reviewed)==yes", given).passed


@pytest.mark.parametrize(
    "text",
    [
        "signature: null",
        "signature: {inputs: null}",
        "signature: {inputs: ''}",
        "signature: text",
        "- signature",
        "",
        "{" * 5000,
        "signature: &a {inputs: *a}\x00",
        "x: !!python/object/apply:os.system [exit]",
    ],
)
def test_a_model_without_a_signature(text: str) -> None:
    given = replace(whole(), texts={"model/MLmodel": text})
    assert row("has(signature)", given).why == "model/MLmodel has no signature"
    assert row("has(input example)", given).why == "model/MLmodel has no input example"
    both = replace(whole(), texts={"a/MLmodel": MLMODEL, "b/MLmodel": text})
    assert row("has(signature)", both).why == "b/MLmodel has no signature"
    assert row("has(input example)", both).why == "b/MLmodel has no input example"
    exported = replace(whole(), texts={"model/MLmodel": MLMODEL, "onnx/MLmodel": text})
    assert row("has(input example)", exported).passed
    assert row("has(signature)", exported).why == "onnx/MLmodel has no signature"
    alone = replace(whole(), texts={"onnx/MLmodel": text})
    assert not row("has(input example)", alone).passed


def test_what_nobody_logged() -> None:
    bare = candidate("bare")
    for rule, why in (
        ("has(signature)", "no model was logged"),
        ("has(card)", "there is no governance/MODEL_CARD.md"),
        ("has(export evidence)", "%mlexport makes one"),
        ("env(torch)>=2", "there is no environment/environment.json"),
    ):
        assert why in row(rule, bare).why


def test_evidence_that_says_no() -> None:
    path = "onnx/evidence.json"
    for text, why in (
        ('{"checks": [{"ok": true}, {"ok": false}]}', "1 of 2 checks did not pass"),
        ('{"checks": [{"ok": "yes"}, 3]}', "checks[0].ok: expected bool, got str"),
        ('{"checks": []}', "no checks that can be read"),
        ("{}", "no checks that can be read"),
        ("[1]", "is no JSON object"),
        ("[" * 100_000, "is no JSON"),
    ):
        given = replace(whole(), texts={path: text})
        assert why in row("has(export evidence)", given).why


def test_a_word_of_ones_own() -> None:
    def check(given: Any, rule: Any) -> Found:
        return Found(rule.subject, rule.subject == "run", "" if rule.subject == "run" else "no")

    mine = {"check": Function(check)}
    assert row("check(run)", functions=mine).passed
    assert row("check(promotion)", functions=mine).why == "no"
    with pytest.raises(UsageProblem, match=r"asks check\(\)"):
        parse_rule("check(run)")


def test_a_verdict_of_many_rules() -> None:
    rules = parse_rules(["val/mAP50>=0.85", "has(card)", "p95_latency_ms<=30"])
    verdict = judge(whole(), rules, when=5, who="ci")
    assert [made.passed for made in verdict.rows] == [True, True, False]
    assert not verdict.passed
    assert judge(whole(), rules[:2]).passed
    assert verdict.rules == ("val/mAP50 >= 0.85", "has(card)", "p95_latency_ms <= 30")
    assert (verdict.when, verdict.who, verdict.commit) == (5, "ci", "a3f8c12")
    with pytest.raises(UsageProblem, match="nothing to judge by"):
        judge(whole(), [])
