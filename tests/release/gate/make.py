"""Candidates to judge: made by hand, or of real evaluations as ``%mleval`` records them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cvtrack_magics.artifacts.codec import read_object, written
from cvtrack_magics.artifacts.evaluation import Measured
from cvtrack_magics.commands.candidate_loader import evaluations_of
from cvtrack_magics.commands.mleval import data_digest, metrics_of, records_of
from cvtrack_magics.names import safe_key
from cvtrack_magics.release.facts import Candidate, EvaluationFacts, Point
from cvtrack_magics.store.registry import Version
from cvtrack_magics.tasks.predictions import Predictions
from tests.vision.measure.make import measured

START = 1_700_000_000_000
SETTINGS = {"threshold": None, "iou": 0.5, "scheme": 1}


def candidate(name: str = "one", metrics: Mapping[str, float] | None = None, **more: Any) -> Any:
    """Return a finished run with metrics, each recorded a second after the start."""
    points = {key: Point(value, 0, START + 1000) for key, value in (metrics or {}).items()}
    whole = {"metrics": points, "started": START, "ended": START + 60_000, **more}
    return Candidate(f"{name:0<32}", name, "digits", whole.pop("status", "FINISHED"), **whole)


def version(number: str, run_id: str, **more: Any) -> Version:
    return Version("cv-detector", number, run_id, **more)


def evaluation(prefix: str = "val", **facts: Any) -> EvaluationFacts:
    """Return an evaluation as the facts say, all else as usual."""
    more = {key: facts.pop(key) for key in ("table", "replicates") if key in facts}
    usual = {
        "prefix": prefix,
        "task": "detection",
        "headline": "mAP50",
        "samples": 100,
        "data_sha256": "3f9a0c1e" * 8,
        "metrics": {},
        "classes": ["car"],
        "settings": {**SETTINGS, **facts.pop("settings", {})},
    }
    return EvaluationFacts(prefix, read_object(Measured, prefix, {**usual, **facts}), **more)


def classifier(name: str, right: Any, ids: Any = None, **facts: Any) -> Any:
    """Return a run whose evaluation has a table of which samples are right."""
    right = [bool(item) for item in right]
    names = [f"s{at}" for at in range(len(right))] if ids is None else list(ids)
    found = evaluation(
        task="classification",
        headline="top1_acc",
        metrics={"top1_acc": sum(right) / len(right)},
        samples=len(right),
        table={"id": names, "correct": right},
        **facts,
    )
    return candidate(name, {"val/top1_acc": sum(right) / len(right)}, evaluations={"val": found})


def evaluated(name: str, predictions: Predictions, prefix: str = "val", **options: Any) -> Any:
    """Return a run with what ``%mleval`` records of predictions, read back from its files."""
    found = measured(predictions, resamples=options.pop("resamples", 200), **options)
    kept = records_of(found, predictions, {}, prefix, data_digest(predictions))
    files = {file.path: file.content for file in kept}
    [(_, made)] = evaluations_of(files)
    return candidate(name, metrics_of(found, prefix), evaluations={prefix: made})


def with_facts(given: Any, prefix: str = "val", **facts: Any) -> Any:
    """Return a candidate whose evaluation says something else."""
    own = given.evaluations[prefix]
    table = facts.pop("table", own.table)
    values = facts.pop("replicates", own.replicates)
    settings = {**own.measured.settings, **facts.pop("settings", {})}
    changed = {**json.loads(written(own.measured)), "settings": settings, **facts}
    found = EvaluationFacts(prefix, read_object(Measured, prefix, changed), table, values)
    return replace(given, evaluations={**given.evaluations, prefix: found})


def key(prefix: str, name: str) -> str:
    return safe_key(f"{prefix}/{name}")
