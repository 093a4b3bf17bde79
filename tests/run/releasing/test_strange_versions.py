"""Versions copied, made by hand, deleted or promoted before: one line, and nothing half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics import mlcard, mlgate
from cvtrack_magics.cli import main
from cvtrack_magics.errors import UsageProblem
from tests.run.releasing.conftest import Version

RULE = ["--require", "test/top1_acc >= 0.5"]


def gate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Return the exit code of ``cvtrack gate``, and what it says, which is no traceback."""
    capsys.readouterr()
    code = main(["gate", *words])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == (1 if code == 2 else 0)
    return code, said.out + said.err


@pytest.mark.usefixtures("script")
def test_what_is_no_plain_version_is_judged_right_or_refused(
    make: Version, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make("first", 30)
    client: Any = mlflow.MlflowClient()
    assert gate(capsys, "shapes", *RULE, "--promote")[0] == 0
    code, said = gate(capsys, "shapes", *RULE, "--promote")  # the same job, run once more
    assert (code, "Version 1 is the champion already" in said) == (0, True)

    client.copy_model_version("models:/shapes/1", "copied")
    client.copy_model_version("models:/shapes/1", "copied")
    assert "copied: 0 records. 'copied' has no champion." in gate(capsys, "copied", "--history")[1]
    champion = ("--champion", "test/top1_acc", "--promote")
    assert gate(capsys, "copied", *champion)[0] == 0  # its original's champion is not its own
    assert "Version 2 of 'copied' was promoted" in gate(capsys, "copied", "--history")[1]
    assert gate(capsys, "copied", "--rollback")[0] == 2

    _by_hand(run, client, tmp_path, capsys)
    client.delete_model_version("shapes", "1")
    code, said = gate(capsys, "shapes", *RULE)
    assert (code, "'shapes' has no version" in said) == (2, True)
    client.delete_registered_model("shapes")
    assert gate(capsys, "shapes", *RULE)[0] == 2


def _by_hand(run: str, client: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client.create_registered_model("hand")
    (folder / "files").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "MLmodel").write_text(f"flavors: {{}}\nrun_id: {'a' * 32}\n")
    for source, run_id, wanted, words in (
        (folder / "files", None, 2, "does not say which run it was made of"),
        (folder / "files", run, 1, "version 2 has no MLmodel where its files are said to be"),
        (folder / "nowhere", run, 1, "version 3 has no MLmodel where its files are said to be"),
        (folder / "other", run, 1, f"its files are of run aaaaaaaa, and the figures of {run[:8]}"),
    ):
        made = client.create_model_version("hand", source=str(source), run_id=run_id)
        code, said = gate(capsys, "hand", "--version", str(made.version), *RULE, "--promote")
        assert (code, words in said) == (wanted, True), said
        assert client.get_registered_model("hand").aliases == {}
    with pytest.raises(UsageProblem, match="does not say which run"):
        mlcard("hand", version="1")
    assert "hand version 2" in mlcard("hand", version="2").result.markdown
    own = client.create_model_version("hand", source=f"runs:/{run}/model", run_id=run)
    client.delete_run(run)
    code, said = gate(capsys, "hand", "--version", str(own.version), *RULE, "--promote")
    assert (code, "the run was deleted" in said) == (1, True), said
    client.restore_run(run)
    shown = mlgate("hand", version=str(own.version), require=[RULE[1]], promote=True)
    assert shown.result.passed
    assert client.get_registered_model("hand").aliases == {"champion": own.version}
