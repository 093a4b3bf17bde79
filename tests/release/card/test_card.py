"""The model card: what it says, what it leaves to a person, and what cannot break it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from markdown_it import MarkdownIt

from cvtrack_magics.capture.data.manifest import Entry, manifest_text
from cvtrack_magics.commands.candidate_loader import evaluations_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.card import CARD_PATH, Card, Words, card_of
from cvtrack_magics.release.card.readers import exports_of, model_file, verdicts_of
from cvtrack_magics.release.facts import Candidate, DataFact
from cvtrack_magics.store.registry import Version
from tests.release.card.candidates import (
    COMMIT,
    COMPARISON,
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


def front(card: Card) -> ModelCardData:
    """Return the front matter as the Hub's own library reads it."""
    return ModelCard(card.markdown).data


def section(card: Card, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card.markdown, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def test_the_facts_fill_themselves_in() -> None:
    card = card_of(good(), words=Words(**WORDS))
    about = card.markdown
    assert "# Model card: parts-classifier version 3" in about
    for fact in ("| Task | classification |", "| Made by | ada |", "2023-11-14 22:14 UTC"):
        assert fact in about
    assert f"| parts-train | training | – | `{TRAIN}` |" in section(card, "Data")
    assert f"`{TEST}`" in section(card, "Data")
    figures = section(card, "Performance")
    assert f"120 samples, SHA-256 `{TRUTH}`." in figures
    assert "| `top1_acc` | 0.925 | 95 %: 0.88 to 0.96 |" in figures
    assert figures.index("`top1_acc`") < figures.index("`macro_f1`")
    assert figures.index("| cat | 0.8 |") < figures.index("| dog | 0.95 |")
    assert "| bird |" not in figures
    assert "wall_time" not in figures
    assert "| `eager` | 1 | 3.25 | 4.5 | 6 | 300 |" in section(card, "Latency")
    assert "On NVIDIA A100." in section(card, "Latency")
    assert "| `optimizer` | AdamW |" in section(card, "Training")
    assert "python_version" not in section(card, "Training")
    again = section(card, "Reproducing")
    assert "| Seed | 42 |" in again
    assert f"| Commit | `{COMMIT}` |" in again
    assert "| Uncommitted changes | no |" in again
    steps = section(card, "Lineage")
    assert steps.index("9" * 32) < steps.index("1a2b3c4d") < steps.index("parts-classifier")
    assert "ResNet18" in steps
    assert "| onnx | 18 | 2.5e-06 |" in section(card, "Model and exports")
    assert "- Passed (" in section(card, "Gate")
    assert "`val/top1_acc` better by 0.021, lower bound 0.008" in section(card, "Gate")
    assert "| torchvision | 0.19.0 |" in section(card, "Environment")
    assert "../evaluation/val/confusion_matrix.png" in section(card, "Pictures")
    assert card.blanks == ()
    assert "Not yet written" not in about


def test_changed_code_says_where_the_changes_are() -> None:
    dirty = having(good(), "tags", {"git_dirty": "true"})
    assert "| yes, not kept |" in section(card_of(dirty), "Reproducing")
    kept = having(dirty, "files", {"code/uncommitted.diff": 9})
    assert "(../code/uncommitted.diff)" in section(card_of(kept), "Reproducing")


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("/home/somebody/work/train.py", "train.py"),
        ("C:\\work\\digits.ipynb", "digits.ipynb"),
        ("/opt/venv/lib/python3.11/site-packages/ipykernel_launcher.py", ""),
        ("", ""),
    ],
)
def test_the_source_is_a_file_and_no_folder_of_a_machine(recorded: str, shown: str) -> None:
    candidate = replace(good(), tags={**good().tags, "mlflow.source.name": recorded})
    assert candidate.source == shown
    card = card_of(candidate).markdown
    assert (f"| Source | {shown} |" in card) == bool(shown)
    assert "ipykernel" not in card
    assert "somebody" not in card


def test_the_size_of_data_is_that_of_its_manifest() -> None:
    rows = [Entry("d" * 64, 1024, "a.png"), Entry("e" * 64, 1024, "b.png")]
    known = having(good(), "texts", {"datasets/parts-train.manifest.tsv": manifest_text(rows)})
    assert "| parts-train | training | 2 parts, 2.0 KiB |" in section(card_of(known), "Data")


def test_an_empty_run_has_a_card_too() -> None:
    empty = Candidate("1" * 32, "", "", "FAILED", 0, 0)
    card = card_of(empty)
    assert len(card.blanks) == 5
    assert "Not recorded." in section(card, "Data")
    assert front(card).license == "unknown"


def test_blanks_are_named_and_can_be_filled() -> None:
    card = card_of(good(), words=Words(intended_use="Parts."))
    assert card.blanks == ("Out-of-scope use", "Limitations", "Fairness and ethics", "Licence")
    assert f"**Not yet written:** {', '.join(card.blanks)}." in card.markdown
    assert "*Not yet written.*" in section(card, "Limitations")


def test_words_stay_when_facts_change() -> None:
    first = card_of(good(), words=Words(**WORDS, notes="## Thanks\n\n| a |"))
    newer = having(with_card(good(), first.markdown), "params", {"lr": "0.5"})
    second = card_of(newer)
    assert "| `lr` | 0.5 |" in second.markdown
    assert second.words == first.words
    third = card_of(newer, words=Words(limitations="Other."))
    assert third.words == replace(first.words, limitations="Other.")
    next_version = with_version(good(), version="4")
    assert card_of(next_version, previous=newer).words == first.words
    own = with_card(next_version, card_of(next_version, words=Words(fairness="Own.")).markdown)
    assert card_of(own, previous=newer).words == replace(first.words, fairness="Own.")


def test_a_card_with_broken_markers_is_not_written_over() -> None:
    broken = card_of(good(), words=Words(**WORDS)).markdown.replace("cvtrack:end lim", "x")
    with pytest.raises(UsageProblem, match="'Limitations' of the card has no end"):
        card_of(with_card(good(), broken))


def test_a_recorded_licence_is_no_blank_and_no_word() -> None:
    tagged = having(good(), "tags", {"license": "MIT"})
    card = card_of(tagged)
    assert "Licence" not in card.blanks
    assert "Recorded: MIT." in section(card, "Licence")
    assert front(card).license == "mit"
    changed = having(with_card(tagged, card.markdown), "tags", {"license": "isc"})
    assert front(card_of(changed)).license == "isc"
    assert front(card_of(changed, words=Words(licence="Apache 2.0"))).license == "apache-2.0"


def test_the_hub_reads_the_card() -> None:
    card = card_of(good(), words=Words(**WORDS))
    data = front(card)
    assert data.license == "apache-2.0"
    assert data.library_name == "pytorch"
    assert data.pipeline_tag == "image-classification"
    assert data.datasets == ["parts-train", "parts-test"]
    assert data.metrics == ["accuracy", "f1"]
    assert data.model_name == "parts-classifier"
    found = {result.metric_name: result for result in data.eval_results or []}
    assert found["top1_acc"].metric_value == 0.925
    assert found["top1_acc"].dataset_name == "parts-test"
    assert found["top1_acc"].dataset_revision == TRUTH
    assert set(found) == {"top1_acc", "macro_f1"}
    whole = ModelCard(card.markdown)
    assert ModelCard(str(whole)).data.to_dict() == data.to_dict()


@pytest.mark.parametrize(
    ("task", "pipeline"),
    [
        ("semantic", "image-segmentation"),
        ("instance", "image-segmentation"),
        ("detection", "object-detection"),
        ("depth", "depth-estimation"),
        ("anomaly", None),
    ],
)
def test_every_task_has_its_pipeline(task: str, pipeline: str | None) -> None:
    untold = without(good(), "tags", "task")
    card = card_of(replace(untold, evaluations={"val": evaluation(task=task)}))
    assert front(card).pipeline_tag == pipeline
    assert front(card).eval_results


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_break_nothing(name: str) -> None:
    plain = good()
    assert plain.version is not None
    facts = evaluation(
        prefix=name,
        classes=[name, "b", "c"],
        metrics={name: 0.5, "top1_acc": 0.9},
        per_class={name: [0.1, 0.2, 0.3]},
        notes=[name],
    )
    candidate = Candidate(
        run_id=name,
        run_name=name,
        experiment=name,
        status=name,
        started=0,
        ended=10**30,
        user=name,
        metrics={name: metric(1)},
        params={name: name, "optimizer": name, "weights": name, "seed": name},
        tags=dict.fromkeys((*plain.tags, "license", "team", "git_remote"), name),
        datasets=(DataFact(name, name, name, name),),
        files={f"evaluation/{name}/x.png": 1, f"configs/{name}": 1, "m/MLmodel": 1},
        texts={
            "environment/environment.json": json.dumps({"software": {name: name}}),
            "x/evidence.json": json.dumps({"format": name, "opset": name, "tolerance": name}),
            "latency/latency.json": json.dumps({"rows": [{"runner": name}, name, 3]}),
            "m/MLmodel": yaml.safe_dump({"signature": {"inputs": name}, "flavors": {name: 1}}),
        },
        evaluations={name: facts},
        version=Version(name, name, name, tags={name: name}, source=name),
    )
    card = card_of(candidate, words=Words(limitations="Night."))
    ordinary = card_of(good(), words=Words(limitations="Night."))
    assert front(card).license == "other"
    assert card.words == Words(limitations="Night.")
    assert with_card(candidate, card.markdown)
    assert card_of(with_card(candidate, card.markdown)).markdown == card.markdown
    assert headings(card) == headings(ordinary)
    rendered = MarkdownIt("commonmark").enable("table").render(ModelCard(card.markdown).text)
    assert "<script" not in rendered
    assert not re.search(r'(src|href)="(?!\.\./)', rendered)
    assert "hunter2" not in card.markdown
    for row in re.findall(r"<tr>(.*?)</tr>", rendered, re.DOTALL):
        assert len(re.findall("<t[dh]", row)) in (2, 3, 5, 6)


def headings(card: Card) -> list[str]:
    tokens = MarkdownIt("commonmark").parse(ModelCard(card.markdown).text)
    found = [tokens[at + 1].content for at, t in enumerate(tokens) if t.type == "heading_open"]
    return [title for title in found if not title.startswith(("Model card:", "On "))]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 20_000, '{"software": 3, "rows": {}}'])
def test_files_that_are_not_what_they_should_be(text: str) -> None:
    texts = dict.fromkeys(good().texts, text)
    broken = replace(good(), texts=texts)
    read = dict(evaluations_of({"evaluation/val/metrics.json": text}))
    odd = replace(broken, evaluations=read)
    card = card_of(odd).markdown
    assert "Model card" in card
    assert "evaluation/val/metrics.json" in card or text.startswith('{"')
    assert exports_of(odd)[0].passed is False


def test_no_credentials_in_the_card() -> None:
    token = f"hf_{'a' * 30}"
    card = card_of(good(), words=Words(**{**WORDS, "notes": f"https://u:{token}@host {token}"}))
    for whole in (card.markdown, card.summary):
        assert "hunter2" not in whole
        assert token not in whole
    assert "https://host ***" in card.words.notes


def test_the_summary_holds_whole_sections() -> None:
    card = card_of(good(), words=Words(**WORDS))
    assert len(card.summary) <= 5000
    assert "cvtrack:begin" not in card.summary
    long = card_of(good(), words=Words(**{**WORDS, "limitations": "word " * 2000}))
    assert len(long.summary) <= 5000
    assert "## Limitations" not in long.summary
    assert "## Intended use" in long.summary
    assert long.summary.endswith(f"The whole card: `{CARD_PATH}` of the run.")
    parts = re.split(r"(?=^## )", card.summary, flags=re.MULTILINE)
    for part in parts[1:-1]:
        title = part.split("\n")[0].removeprefix("## ")
        comments = re.sub(r"<!--.*?-->\n?", "", section(card, title))
        assert part.split("\n", 1)[1].strip() == comments.strip()
    monster = with_version(replace(good(), run_name="`" * 9999), name="|" * 9999)
    assert len(card_of(monster).summary) <= 5000


def test_a_real_model_file(tmp_path: Path) -> None:
    import mlflow
    import numpy as np
    import torch

    network = torch.nn.Linear(4, 2)
    example = np.zeros((1, 4), np.float32)
    mlflow.pytorch.save_model(
        network, str(tmp_path / "m"), input_example=example, pip_requirements=["torch"]
    )
    files = {f"m/{path.name}": 1 for path in (tmp_path / "m").iterdir()}
    texts = {"m/MLmodel": (tmp_path / "m" / "MLmodel").read_text()}
    found = model_file(replace(good(), files=files, texts=texts))
    assert found is not None
    assert (found.path, found.example, found.processing) == ("m", True, "")
    assert "pytorch" in found.flavors
    assert json.loads(found.inputs)[0]["tensor-spec"]["shape"] == [-1, 4]
    assert json.loads(found.outputs)[0]["tensor-spec"]["shape"] == [-1, 2]


def test_the_model_of_the_version_comes_first() -> None:
    two = having(good(), "files", {"alpha/MLmodel": 1})
    assert model_file(two) == replace(model_file(good()), path="alpha", **_nothing())  # type: ignore[type-var]
    named = with_version(two, source="runs:/1a2b/model/")
    assert model_file(named) == model_file(good())


def _nothing() -> dict[str, object]:
    return {"inputs": "", "outputs": "", "example": False, "flavors": (), "processing": ""}


def test_a_verdict_counts_only_with_the_file_it_speaks_of() -> None:
    (found,) = verdicts_of(good())
    assert found.facts["comparison"] == COMPARISON
    path = f"governance/gate/{VERDICT}.json"
    changed = having(good(), "texts", {path: json.dumps({"comparison": 1})})
    assert "comparison" not in verdicts_of(changed)[0].facts
    later = "cvtrack.gate.20270101T120000.000000Z-0123abcd"
    tags = {later: verdict("refused"), "cvtrack.gate.x": "{", "other": verdict()}
    assert good().version is not None
    both = with_version(good(), tags={**good().version.tags, **tags})  # type: ignore[union-attr]
    assert [each.passed for each in verdicts_of(both)] == [True, False]
    assert hashlib.sha256(b"").hexdigest() not in card_of(both).markdown
