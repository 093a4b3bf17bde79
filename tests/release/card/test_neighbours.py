"""What the other parts of a release write is what a card and a checklist read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.release.card import card_of
from cvtrack_magics.release.card.readers import exports_of, model_file, verdicts_of
from cvtrack_magics.release.checklist import check_promotion
from cvtrack_magics.release.export.facts import Check, Export, ExportedFile, Tolerance
from cvtrack_magics.release.gate.verdict import Comparison, Row, Verdict
from cvtrack_magics.release.latency.facts import Bench
from cvtrack_magics.release.latency.facts import Row as LatencyRow
from cvtrack_magics.release.promotion.ledger import PASSED, PROMOTED, REFUSED, Entry, encode
from tests.release.card.candidates import (
    CHAMPION,
    ML_MODEL,
    TRUTH,
    VERDICT,
    good,
    having,
    with_version,
)


def test_evidence_of_an_export() -> None:
    made = Export(
        format="onnx",
        files=(ExportedFile(Path("model.onnx"), 10, "f" * 64),),
        exporter="dynamo",
        opset=18,
        inputs=(),
        outputs=(),
        dynamic=(),
        tolerance=Tolerance(1e-4, 1e-5),
        seed=0,
        versions={"torch": "2.4"},
        checks=(
            Check("example", "y", (1, 3), 2e-6, 1e-5, 1.0, True),
            Check("draw 1", "y", (1, 3), 3e-6, 1e-5, 1.0, True),
        ),
    )
    whole = having(good(), "texts", {"onnx/evidence.json": written(made.evidence())})
    (found,) = exports_of(whole)
    assert (found.format, found.opset, found.difference) == ("onnx", "18", 3e-6)
    assert found.allowed == "rtol 0.0001, atol 1e-05"
    assert found.passed


def test_records_of_the_gate() -> None:
    version = "3"
    earlier, later = VERDICT, VERDICT.replace("2026", "2027")
    records = [
        Entry(earlier, PASSED, version, summary="3 of 3"),
        Entry(earlier.replace("12", "13"), PROMOTED, version, turn=1, after="3"),
        Entry(later, REFUSED, version, summary="2 of 3"),
    ]
    tags = {record.key: encode(record) for record in records}
    found = verdicts_of(with_version(good(), tags=tags))
    assert [(each.passed, each.facts["summary"]) for each in found] == [
        (True, "3 of 3"),
        (False, "2 of 3"),
    ]


def test_a_measurement_of_latency() -> None:
    rows = (
        LatencyRow("eager", 1, 400, 3.0, 4.0, 5.0, throughput=300.0),
        LatencyRow("onnx", 8, 50, 9.0, None, None, throughput=800.0),
    )
    bench = Bench(rows, "eager@1", {"cpu": "Lab CPU", "runners": {}})
    known = having(good(), "texts", {"latency/latency.json": written(bench.file())})
    card = card_of(known).markdown
    assert "On Lab CPU." in card
    assert "| `onnx` | 8 | 9 | – | – | 800 |" in card


def test_a_model_with_its_processing_inside() -> None:
    described = {
        "pre": {"takes": "pil", "steps": [{"class": "v2.Resize", "args": {}}, {"step": "float"}]},
        "post": [{"step": "softmax"}, {"function": "rename"}],
    }
    texts = {
        "model/MLmodel": ML_MODEL.replace("mlflow.pyfunc.model", "serving"),
        "model/code/serving.json": json.dumps(described),
    }
    found = model_file(having(good(), "texts", texts))
    assert found is not None
    assert found.processing == "pre: v2.Resize, float; post: softmax, rename"


def test_a_full_verdict() -> None:
    beside = Comparison(
        *("val/top1_acc", "higher", CHAMPION, 0.93, 0.91, 0.02, 0.01),
        *(0.0, 0.95, 120, 0, "paired", TRUTH),
    )
    run = good().run_id
    full = Verdict(
        *("x", run, "parts-classifier", "3", 0, "ada", "", (Row("r", "w", "g", None, True),)),
        comparison=beside,
    ).to_json()
    entry = Entry(VERDICT, PASSED, "3", sha256=hashlib.sha256(full.encode()).hexdigest())
    tagged = with_version(good(), tags={entry.key: encode(entry)})
    whole = having(tagged, "texts", {f"governance/gate/{VERDICT}.json": full})
    items = {item.key: item for item in check_promotion(whole).items}
    assert items["gate"].passed
    assert items["champion"].found == f"with {CHAMPION}: val/top1_acc 0.02 better"
