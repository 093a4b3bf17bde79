"""A candidate that has everything, and ways to take things away from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cvtrack_magics.artifacts.codec import read_object
from cvtrack_magics.artifacts.evaluation import Measured
from cvtrack_magics.release.card import CARD_PATH
from cvtrack_magics.release.facts import Candidate, DataFact, EvaluationFacts, Point
from cvtrack_magics.store.registry import Version

TRAIN, TEST, TRUTH = "a" * 64, "b" * 64, "c" * 64
COMMIT = "a3f8c12" + "0" * 33
VERDICT = "20260101T120000.000000Z-0123abcd"
NEVER = 1_700_000_000_000

ML_MODEL = """\
flavors:
  python_function:
    loader_module: mlflow.pyfunc.model
  pytorch:
    model_data: data
saved_input_example_info:
  artifact_path: input_example.json
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3, 8, 8]}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]'
"""

ENVIRONMENT = {
    "software": {"Python": "3.11.7", "torch": "2.4.0", "torchvision": "0.19.0", "CUDA": "12.1"},
    "hardware": {"CPU": "Some CPU", "Memory": "64.0 GiB", "GPU": "NVIDIA A100-SXM4-80GB"},
}

EVIDENCE = {
    "format": "onnx",
    "opset": 18,
    "tolerance": {"rtol": 1e-4, "atol": 1e-5},
    "checks": [
        {"case": "example", "output": "output", "max_abs": 2.5e-6, "ok": True},
        {"case": "batch of 5", "output": "output", "max_abs": 1e-6, "ok": True},
    ],
}

LATENCY = {
    "headline": "eager@1",
    "rows": [
        {
            "runner": "eager",
            "batch": 1,
            "n": 400,
            "p50_ms": 3.25,
            "p95_ms": 4.5,
            "p99_ms": 6.0,
            "throughput": 300.0,
        }
    ],
    "settings": {"cpu": "Bench CPU", "runners": {"eager": {"device_name": "NVIDIA A100"}}},
}

CHAMPION = "parts-classifier version 2 (run 1a2b3c4d)"
COMPARISON = {
    "metric": "val/top1_acc",
    "champion": CHAMPION,
    "difference": 0.021,
    "low": 0.008,
    "data_sha256": TRUTH,
}
FULL_VERDICT = json.dumps(
    {
        "format": 1,
        "passed": True,
        "model": "parts-classifier",
        "version": "3",
        "run_id": "1a2b3c4d" * 4,
        "comparison": COMPARISON,
    }
)

WORDS = {
    "intended_use": "Sorting *parts* on a belt.",
    "out_of_scope": "People.",
    "limitations": "Not tested at night.",
    "fairness": "No people in the pictures.",
    "licence": "Apache-2.0",
}


def evaluation(prefix: str = "val", truth: str = TRUTH, **changes: Any) -> EvaluationFacts:
    """Return an evaluation of a classification with three classes."""
    facts: dict[str, Any] = {
        "task": "classification",
        "headline": "top1_acc",
        "samples": 120,
        "data_sha256": truth,
        "metrics": {"macro_f1": 0.9, "top1_acc": 0.925, "AUROC": None, "per_class_f1/cat": 0.8},
        "interval": {"metric": "top1_acc", "low": 0.88, "high": 0.96, "level": 0.95},
        "classes": ["cat", "dog", "bird"],
        "per_class": {"f1": [0.8, 0.95, None], "support": [40, 40, 0]},
        "notes": ["bird does not occur."],
        **changes,
    }
    return EvaluationFacts(prefix, read_object(Measured, prefix, facts))


def metric(value: float, step: int = 9) -> Point:
    return Point(value, step, NEVER)


def good(**changes: Any) -> Candidate:
    """Return a candidate that passes everything but the card."""
    files = [
        "code/cell.py",
        "configs/train.yaml",
        "environment/requirements.txt",
        "environment/environment.json",
        "evaluation/val/confusion_matrix.png",
        "evaluation/val/pr_curve.png",
        "evaluation/val/metrics.json",
        "model/MLmodel",
        "model/input_example.json",
        "onnx/model.onnx",
        "onnx/evidence.json",
        "predictions/predictions/step_000009.npz",
        "visualisations/predictions_step_000009.webp",
        "visualisations/predictions.html",
    ]
    made = Candidate(
        run_id="1a2b3c4d" * 4,
        run_name="resnet",
        experiment="parts",
        status="FINISHED",
        started=NEVER,
        ended=NEVER + 60_000,
        user="ada",
        metrics={
            "val/loss": metric(0.3),
            "val/top1_acc": metric(0.925),
            "val/per_class_f1/cat": metric(0.8),
            "best_val_top1_acc": metric(0.93, 0),
            "best_epoch": metric(7, 0),
            "total_train_time_hrs": metric(0.02, 0),
            "p50_latency_ms": metric(3.25, 0),
            "p95_latency_ms": metric(4.5, 0),
            "p99_latency_ms": metric(6, 0),
            "throughput_imgs_per_sec": metric(300, 0),
            "resources/wall_time_s": metric(60, 0),
        },
        params={
            "optimizer": "AdamW",
            "lr": "0.0001",
            "weight_decay": "0.01",
            "batch_size": "32",
            "num_workers": "2",
            "epochs": "10",
            "transforms": "Resize(size=[8]) > ToTensor",
            "model": "ResNet",
            "model.parameters": "11700000",
            "weights": "ResNet18_Weights.IMAGENET1K_V1",
            "global_seed": "42",
            "python_version": "3.11.7",
            "pytorch_version": "2.4.0",
            "gpu_model": "NVIDIA A100-SXM4-80GB",
            "num_gpus": "1",
            "train_dataset_sha256": TRAIN,
        },
        tags={
            "task": "classification",
            "backbone": "ResNet18",
            "dataset": "parts",
            "env": "staging",
            "git_commit": COMMIT,
            "git_dirty": "false",
            "hardware": "NVIDIA A100-SXM4-80GB",
            "mlflow.parentRunId": "9" * 32,
        },
        datasets=(
            DataFact("parts-train", "training", TRAIN, "/data/parts/train"),
            DataFact("parts-test", "validation", TEST, "https://ada:hunter2@host/parts"),
        ),
        files=dict.fromkeys(files, 10),
        texts={
            "environment/environment.json": json.dumps(ENVIRONMENT),
            "model/MLmodel": ML_MODEL,
            "onnx/evidence.json": json.dumps(EVIDENCE),
            "latency/latency.json": json.dumps(LATENCY),
            f"governance/gate/{VERDICT}.json": FULL_VERDICT,
        },
        evaluations={"val": evaluation()},
        version=Version(
            name="parts-classifier",
            version="3",
            run_id="1a2b3c4d" * 4,
            aliases=("champion",),
            tags={f"cvtrack.gate.{VERDICT}": verdict()},
            source="models:/m-1234",
        ),
    )
    return replace(made, **changes)


def verdict(what: str = "passed", whole: str = FULL_VERDICT) -> str:
    """Return the tag of a verdict that speaks of a full one."""
    sha256 = hashlib.sha256(whole.encode()).hexdigest()
    return json.dumps({"what": what, "summary": "3 of 3 rules hold", "sha256": sha256})


def without(candidate: Candidate, kind: str, *names: str) -> Candidate:
    """Return a candidate without some entries of ``params``, ``tags``, ``files`` …"""
    held: Mapping[str, Any] = getattr(candidate, kind)
    assert set(names) <= set(held), set(names) - set(held)
    return replace(candidate, **{kind: {k: v for k, v in held.items() if k not in names}})


def having(candidate: Candidate, kind: str, entries: Mapping[str, Any]) -> Candidate:
    """Return a candidate with more or other entries of ``params``, ``tags``, ``files`` …"""
    return replace(candidate, **{kind: {**getattr(candidate, kind), **entries}})


def with_version(candidate: Candidate, **changes: Any) -> Candidate:
    """Return a candidate whose version is another."""
    assert candidate.version is not None
    return replace(candidate, version=replace(candidate.version, **changes))


def with_card(candidate: Candidate, text: str) -> Candidate:
    """Return a candidate that has a card."""
    return having(having(candidate, "texts", {CARD_PATH: text}), "files", {CARD_PATH: len(text)})
