"""The gate file: what it says, and on which line it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.gate import ChampionRule, judge, parse_gate, read_gate
from tests.release.gate.make import candidate, evaluation

WHOLE = """\
# what may go to production
model: cv-detector
require:
  - val/mAP50 >= 0.85
  - p95_latency_ms <= 50
  - has(card)
  - tag(env) in (staging, production)
champion: {metric: val/mAP50, margin: 0.005, confidence: 0.9}
evaluation:
  val: {task: detection, threshold: 0.5, iou: 0.5, data: 3f9a0c1e}
"""


def test_what_it_says() -> None:
    gate = parse_gate(WHOLE)
    assert gate.model == "cv-detector"
    assert [rule.text for rule in gate.rules] == [
        "val/mAP50 >= 0.85",
        "p95_latency_ms <= 50",
        "has(card)",
        "tag(env) in (staging, production)",
        "eval(val) == 3f9a0c1e",
    ]
    assert gate.champion == ChampionRule("val/mAP50", 0.005, 0.9)
    assert gate.demands == {"val": {"task": "detection", "threshold": 0.5, "iou": 0.5}}
    only = parse_gate("champion:\n  metric: val/AbsRel\n  better: lower\n")
    assert (only.rules, only.champion) == ((), ChampionRule("val/AbsRel", better="lower"))


def test_its_demands_are_met_or_not() -> None:
    gate = parse_gate(WHOLE.replace("  - p95_latency_ms <= 50\n  - has(card)\n", ""))
    found = evaluation(metrics={"mAP50": 0.9}, settings={"threshold": 0.5})
    given = candidate("g", {"val/mAP50": 0.9}, tags={"env": "staging"}, evaluations={"val": found})
    verdict = judge(given, gate.rules, demands=gate.demands)
    assert verdict.passed, verdict.as_text()
    strict = parse_gate(WHOLE.replace("threshold: 0.5", "threshold: 0.6"))
    verdict = judge(given, strict.rules[:1], demands=strict.demands)
    assert "threshold 0.5, the gate demands 0.6" in verdict.rows[0].why


WRONG = {
    "": "gate.yaml is empty",
    "# nothing\n": "gate.yaml is empty",
    "model: x\n": "line 1: it demands nothing",
    "- a\n": "line 1: here stand model, require",
    "model: x\n\nrequires:\n  - a>1\n": "line 3: 'requires' is not known. Did you mean 'require'?",
    "require:\n  - a>1\nmodel: x\nrequire:\n  - b>1\n": "line 4: 'require' stands in line 1",
    "require: a>1\n": "line 1: require: takes a list",
    "require:\n  - a>1\n  - val/mAP50\n": "line 3: The rule 'val/mAP50' says no direction",
    "require:\n  - a: b\n": "line 2: here stands one word or line of text",
    "require:\n  -\n": "line 2: here stands one word or line of text",
    "require:\n  - a>1\nchampion:\n  margin: 0.1\n": "line 4: the champion needs a metric",
    "champion:\n  metric: a\n  margin: much\n": "line 3: 'much' is no number",
    "champion:\n  metric: a\n  margin: .nan\n": "line 3: '.nan' is no number",
    "champion:\n  metric: a\n  confidence: 95\n": "line 2: confidence=95.0 is not from",
    "champion:\n  metric: a\n  marign: 1\n": "line 3: 'marign' is not known. Did you",
    "champion: val/mAP50\n": "line 1: here stand metric, margin",
    "champion: {metric: a, better: up}\n": "line 1: better='up' is neither",
    "require: [a>1]\nevaluation:\n  val:\n    iou: x\n": "line 4: 'x' is no number",
    "require: [a>1]\nevaluation:\n  val:\n    data: x\n": "line 4: 'x' is not 8 to 64",
    "require: [a>1]\nevaluation: {val: {level: 1}}\n": "line 2: 'level' is not known",
    "model: !!python/object/apply:os.system [exit]\n": "line 1: the tag tag:yaml.org,2002:python",
    "model: !x y\n": "line 1: the tag !x is refused",
    "require:\n  - &a a>1\n  - *a\n": "line 2: anchors (&) and aliases (*) are refused",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n": "line 1: anchors",
    "<<: {require: [a>1]}\n": "line 1: '<<' is not known",
    "require:\n  - a>1\n\tmodel: x\n": "line 3: ",
    "model: 'x\n": "line 2: ",
    "require: [a>1]\n---\nmodel: x\n": "line 2: ",
    "? [a, b]\n: c\n": "line 1: here stands one word",
    "model: " + "[" * 5000: "line 1: it is too deep",
    "model: \x00\n": "is no YAML",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_what_is_wrong_and_where(text: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_gate(text)
    message = str(caught.value)
    assert message.startswith("gate.yaml")
    assert said in message
    assert "\n" not in message


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "my gate.yaml"
    path.write_text("\ufeff" + WHOLE, encoding="utf-8")
    assert read_gate(path) == parse_gate(WHOLE)
    path.write_text(WHOLE.replace("margin:", "magin:"), encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"my gate\.yaml line 8: 'magin'"):
        read_gate(path)
    for content, said in ((b"\xff\xfe\x00", "cannot be read"), (b"#" * 200_000, "larger than")):
        path.write_bytes(content)
        with pytest.raises(UsageProblem, match=said):
            read_gate(path)
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_gate(tmp_path / "none.yaml")
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_gate(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "gate.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UsageProblem, match=f"cannot be read: it is a {kind}, no regular file"):
        read_gate(path)
