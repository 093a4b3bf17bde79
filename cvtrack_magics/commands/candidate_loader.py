"""Gathers what the store knows of a candidate into the facts that ``release`` judges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cvtrack_magics.release.facts import Candidate, DataFact, EvaluationFacts, Point
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import Found, find
from cvtrack_magics.store.registry import Version
from cvtrack_magics.store.run_reader import StoredRun, read_run
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.text import json_object

SMALL = 4_000_000  # bytes of a text that is read
TABLES = 200_000_000  # bytes of a table of per-sample scores
_EXPORTS = ("onnx", "torchscript", "pt2")
_FOLDERS = ("environment", "configs", "datasets", "governance", "latency", *_EXPORTS)
_NAMES = ("MLmodel", "serving.json", "evidence.json")
_ENDINGS = (".json", ".yaml", ".yml", ".md", ".txt", ".toml", ".tsv")


def candidate_of(reference: str, *, version: str = "", run: str = "") -> Candidate:
    """Return the facts of a run or a version; see :func:`references.find`."""
    return gather(find(reference, version=version, run=run))


def gather(found: Found) -> Candidate:
    """Read a run, and put its version beside it."""
    session = get_session()
    uri = absolute(session.tracking.uri)
    stored = read_run(uri, found.run_id, _wanted)
    return candidate_from(stored, session.tracking.place, found.version)


def candidate_from(stored: StoredRun, place: str = "", version: Version | None = None) -> Candidate:
    """Return what was read of a run as the facts that are judged; see :class:`Candidate`."""
    return Candidate(
        run_id=stored.run_id,
        run_name=stored.name,
        experiment=stored.experiment,
        status=stored.status,
        started=stored.started,
        ended=stored.ended,
        user=stored.user,
        metrics={key: Point(*seen) for key, seen in stored.metrics.items()},
        params=stored.params,
        tags=stored.tags,
        datasets=tuple(
            DataFact(item.name, item.context, item.digest, item.source, item.samples)
            for item in stored.inputs
        ),
        files=stored.files,
        texts={path: text for path, text in stored.texts.items() if not _is_table(path)},
        evaluations=dict(evaluations_of(stored.texts)),
        version=version,
        store=place,
    )


def _is_table(path: str) -> bool:
    return path.startswith("evaluation/") and path.endswith("/samples.json")


def _wanted(path: str, size: int) -> bool:
    folder = path.split("/", 1)[0]
    if path.rsplit("/", 1)[-1] in _NAMES:
        return size <= SMALL
    if folder == "evaluation":
        return path.endswith(".json") and size <= TABLES
    return folder in _FOLDERS and path.endswith(_ENDINGS) and size <= SMALL


def evaluations_of(texts: Mapping[str, str]) -> Iterator[tuple[str, EvaluationFacts]]:
    """Yield what each evaluation found, by its prefix."""
    for path, text in texts.items():
        if not (path.startswith("evaluation/") and path.endswith("/metrics.json")):
            continue
        facts = json_object(text)
        folder = path.rsplit("/", 1)[0]
        table = json_object(texts.get(f"{folder}/samples.json"))
        prefix = str(facts.get("prefix") or folder.removeprefix("evaluation/"))
        yield (
            prefix,
            EvaluationFacts(
                prefix,
                facts,
                _columns(table),
                _numbers(facts.get("replicates")),
            ),
        )


def _columns(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values by column of a table as MLflow lays it out; none of what is no table."""
    names, rows = table.get("columns"), table.get("data")
    if not isinstance(names, list) or not isinstance(rows, list):
        return {}
    if not all(isinstance(row, list) and len(row) >= len(names) for row in rows):
        return {}
    return {str(name): [row[at] for row in rows] for at, name in enumerate(names)}


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(map(_number, values)) if isinstance(values, list) else ()


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:  # an integer beyond all floats
        return math.nan
