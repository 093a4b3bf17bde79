"""What was measured of a version counts only as it was recorded, at every door that reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics import mlbench, mlcard, mlcheck, mlgate
from cvtrack_magics.errors import FilesAltered
from cvtrack_magics.records import Artifact
from cvtrack_magics.store.evidence import EVIDENCE_TAG, altered_evidence, evidence_tags
from tests.run.releasing.conftest import RowSums, Version, inputs

METRICS, SAMPLES = "evaluation/test/metrics.json", "evaluation/test/samples.json"
LATENCY = "latency/latency.json"
TEXTS = {METRICS: '{"a": 1}', SAMPLES: '{"b": [2]}', LATENCY: '{"p50": 3}', "code/cell.py": "x"}
RECORDS = [Artifact(path, text) for path, text in TEXTS.items()]
TAGS = {tag.key: tag.value for tag in evidence_tags(RECORDS)}


def said(texts: dict[str, str], unread: tuple[str, ...] = ()) -> str:
    sizes = dict.fromkeys([*texts, *unread], 1)
    return altered_evidence(texts, sizes, TAGS)


def test_there_is_a_digest_of_each_folder_and_of_nothing_else() -> None:
    assert sorted(TAGS) == [f"{EVIDENCE_TAG}evaluation/test", f"{EVIDENCE_TAG}latency"]
    assert said(TEXTS) == said({**TEXTS, "code/cell.py": "y", "evaluation/val/metrics.json": ""})
    assert said(TEXTS) == altered_evidence({METRICS: "{}"}, {METRICS: 2}, {}) == ""


@pytest.mark.parametrize("path", [METRICS, SAMPLES, LATENCY])
@pytest.mark.parametrize("how", ["flipped", "cut", "replaced", "gone", "too large"])
def test_every_file_of_it_is_held(path: str, how: str) -> None:
    text = TEXTS[path]
    other = {"flipped": text.replace(":", ";"), "cut": text[:-1], "replaced": "\ufffd"}.get(how)
    texts = {**TEXTS, path: other} if other else {k: v for k, v in TEXTS.items() if k != path}
    found = said(texts, (path,) if how == "too large" else ())
    folder = path.rpartition("/")[0]
    assert (found == "") if how == "too large" else f"measured in {folder}" in found


def _file(run_id: str, path: str) -> Path:
    root = mlflow.get_run(run_id).info.artifact_uri
    return Path(root.removeprefix("file://")) / path


def _other(digit: re.Match[str]) -> str:
    return str((int(digit[0]) + 1) % 10)


def _gate(**more: Any) -> Any:
    ask = {"require": ["test/top1_acc >= 0.5"], "dry_run": True, "soft": True}
    return mlgate("shapes", **{**ask, **more}).result


def test_altered_evidence_is_noticed_at_every_door(make: Version) -> None:
    run = make("first", 30)
    bench = {"batches": (1,), "seconds": 0.05, "runners": ("eager",)}
    mlbench(RowSums(), inputs()[:1], run=run, **bench)
    mlgate("shapes", require=["test/top1_acc >= 0.5"], promote=True)
    make("second", 2, seed=2)
    against = {"version": "2", "champion": "test/top1_acc"}
    assert _gate(version="1").passed
    assert _gate(**against).passed
    for path in (METRICS, SAMPLES, LATENCY):
        file = _file(run, path)
        text = file.read_text("utf-8")
        file.write_text(re.sub(r"\d(?=\D*$)", _other, text), "utf-8")
        assert "its SHA-256 differs" in _gate(version="1").rows[0].why
        rival = _gate(**against)
        assert not rival.passed
        assert "of the champion, version 1, what was measured in" in rival.rows[-1].why
        with pytest.raises(FilesAltered, match="SHA-256 differs"):
            mlcard("shapes", version="1")
        assert "run.files" in [item.key for item in mlcheck("shapes", version="1").result.failed]
        file.write_text(text, "utf-8")
    mlbench(RowSums(), inputs()[:1], run=run, **bench)  # measured anew, it has a new digest
    assert _gate(version="1").passed
