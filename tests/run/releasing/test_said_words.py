"""What people write into cards, verdicts and reasons is kept without secrets, too."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import mlflow

from cvtrack_magics import mlcard, mlgate
from cvtrack_magics.run import current
from tests.run.releasing.conftest import Version

VALUE = "hunter2Zq9Tx77Kp"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def everything(run_id: str) -> str:
    """Return all that the store has of a run and of the model, as text."""
    client = mlflow.MlflowClient()
    root = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    files = [path.read_text("latin-1") for path in root.rglob("*") if path.is_file()]
    versions = [
        str(dict(one))
        for found in client.search_model_versions("name='shapes'")
        for one in [client.get_model_version("shapes", found.version)]
    ]
    model = str(dict(client.get_registered_model("shapes")))
    return "\n".join([*files, *versions, model, str(client.get_run(run_id).to_dictionary())])


def test_cards_verdicts_and_reasons_have_no_secrets(make: Version, tmp_path: Path) -> None:
    first = make("first", 30)
    current.get_session().masker.learn(VALUE, "secret")
    edited = tmp_path / "card.md"
    mlcard("shapes", edit=str(edited))
    text = edited.read_text()
    question = next(line for line in text.splitlines() if "What is it for" in line)
    said = f"Ask for {VALUE}, or use {TOKEN}."
    edited.write_text(text.replace(question, f"{question}\n{said}"))
    mlcard("shapes", edit=str(edited), licence=f"ask {VALUE}")
    rules = ["test/top1_acc >= 0.85"]
    mlgate("shapes", require=rules, promote=True, who=f"me {TOKEN}")
    second = make("second", 2)
    mlgate("shapes", require=rules, promote=True, who=f"me {VALUE}")
    mlgate("shapes", rollback=True, reason=f"{VALUE} was in it, and {TOKEN}", who=VALUE)
    for run_id in (first, second):
        kept = everything(run_id)
        assert VALUE not in kept
        assert TOKEN not in kept
    assert "was in it" in everything(first)


def test_a_verdicts_file_is_what_its_record_has_the_digest_of(make: Version) -> None:
    run_id = make("first", 30)
    mlgate("shapes", require=["test/top1_acc >= 0.85"], promote=True, who=f"me {TOKEN}")
    client = mlflow.MlflowClient()
    root = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    (file,) = (root / "governance" / "gate").glob("*.json")
    tags = client.get_model_version("shapes", "1").tags.values()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert any(digest in value for value in tags)
    assert json.loads(file.read_text())["passed"] is True
