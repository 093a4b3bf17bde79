"""``mlmodel``, ``mlexport``, ``mlbench``, ``mlcard``, ``mlcheck``, ``mlload`` as functions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cvtrack_magics import mlbench, mlcard, mlcheck, mlexport, mlload, mlmodel, mlrun, mlsync
from cvtrack_magics.errors import CvtrackError, ExportRefused, UsageProblem
from tests.conftest import closed_uri
from tests.run.releasing.conftest import RowSums, Version, inputs, truth
from tests.store_views import artifact_names, models_of, runs_of


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5, training=True)


def test_an_export_is_kept_with_its_proof_and_opens_as_mlflows(make: Version, store: str) -> None:
    import mlflow

    run_id = make("first", 3)
    found = mlexport("onnx", RowSums(), inputs()[:1], run="first")
    assert found.result.agreement == 1.0
    run = runs_of(store)["first"]
    assert {"onnx/MLmodel", "onnx/model.onnx", "onnx/evidence.json"} <= artifact_names(store, run)
    assert run.data.metrics["export/onnx/max_abs_diff"] < 1e-4
    evidence = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/onnx/evidence.json"))
    assert all(check["ok"] for check in evidence["checks"])
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/onnx")
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 1, 4, 6)
    images = inputs()[:8].numpy()
    answer = model.predict(images)
    said = np.asarray(next(iter(answer.values())) if isinstance(answer, dict) else answer)
    assert said.argmax(1).tolist() == truth()[:8].tolist()
    assert mlload("shapes/1", onnx=True).predict(images).argmax(1).tolist() == truth()[:8].tolist()


def test_a_refused_export_leaves_nothing(make: Version, store: str) -> None:
    make("first", 3)
    before = artifact_names(store, runs_of(store)["first"])
    with pytest.raises(ExportRefused, match="random"):
        mlexport("onnx", Random(), inputs()[:1], run="first")
    after = runs_of(store)["first"]
    assert artifact_names(store, after) == before
    assert not [name for name in after.data.metrics if name.startswith("export/")]


def test_latency_is_recorded_under_the_guides_names(make: Version, store: str) -> None:
    make("first", 3)
    mlexport("onnx", RowSums(), inputs()[:1], run="first")
    found = mlbench(RowSums(), inputs()[:1], batches=(1, 4), seconds=0.2, run="first")
    assert {row.runner for row in found.result.rows} >= {"eager", "torchscript", "onnx"}
    run = runs_of(store)["first"]
    names = {"p50_latency_ms", "p95_latency_ms", "throughput_imgs_per_sec"}
    assert names <= set(run.data.metrics)
    assert run.data.metrics["latency/onnx/b4/p50_latency_ms"] > 0
    assert {"latency/latency.json", "latency/latency.png"} <= artifact_names(store, run)
    of_version = mlbench("shapes/1", inputs()[:1], batches=(1,), seconds=0.1, runners=("eager",))
    assert "Not recorded, since no run is open" in repr(of_version)
    with pytest.raises(UsageProblem, match="There is no file"):
        mlbench("nothing.onnx", inputs()[:1])


def test_a_card_asks_once_and_keeps_the_words(make: Version, store: str, tmp_path: Path) -> None:
    import mlflow

    run_id = make("first", 3)
    card = mlcard("shapes", edit="card.md", licence="mit")
    assert "Intended use" in card.result.blanks
    assert "asks for your words" in repr(card)
    words = tmp_path / "card.md"
    said = "Sorting shapes <b>by hand</b>; not for *children*."
    asked = words.read_text(encoding="utf-8")
    question = next(line for line in asked.splitlines() if "What is it for" in line)
    words.write_text(asked.replace(question, f"{question}\n{said}"), encoding="utf-8")
    written = words.read_bytes()
    card = mlcard("shapes", edit="card.md")
    assert words.read_bytes() == written
    assert said in card.markdown
    assert "Intended use" not in card.result.blanks
    text = mlflow.artifacts.load_text(f"runs:/{run_id}/governance/MODEL_CARD.md")
    assert text == card.markdown
    assert text.startswith("---\n")
    assert "license: mit" in text
    assert said in mlflow.MlflowClient().get_model_version("shapes", "1").description
    make("second", 3)
    assert said in mlcard("shapes").markdown
    assert said in mlcard("shapes/2").markdown


def test_the_checklist_of_a_version_and_of_a_run(make: Version) -> None:
    make("first", 3)
    of_run = mlcheck("first").result
    of_version = mlcheck("shapes").result
    assert {item.key for item in of_run.items} < {item.key for item in of_version.items}
    found = {item.title: item.passed for item in of_version.items}
    assert found["Signature"]
    assert found["Registered version"]
    assert found["Model card"] is False
    with pytest.raises(UsageProblem, match="no run is open"):
        mlcheck()


def test_a_model_needs_a_run_and_a_name_that_can_be_one(store: str, script: None) -> None:
    with pytest.raises(UsageProblem, match="needs a run, and none is open"):
        mlmodel(RowSums(), inputs()[:1])
    with mlrun("bad", plot=False, code=False):
        for name in ("../up", "<script>", "a/b", " "):
            with pytest.raises(UsageProblem, match="name"):
                mlmodel(RowSums(), inputs()[:1], register=name)
        with pytest.raises(UsageProblem, match="no folder"):
            mlmodel(RowSums(), inputs()[:1], name="../up")
    assert not [n for n in artifact_names(store, runs_of(store)["bad"]) if "MLmodel" in n]


def test_a_model_is_kept_while_the_server_is_away(
    script: None, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    from cvtrack_magics.run.current import get_session

    get_session().config.close_timeout = 0.2
    get_session().config.connect_timeout = 0.2
    away = closed_uri()
    mlflow.set_tracking_uri(away)
    with mlrun("away", plot=False, code=False):
        said = mlmodel(RowSums(), inputs()[:1], register="shapes")
    assert "Not registered as 'shapes'" in repr(said)
    [waiting] = mlsync(show=True).waiting
    files = Path(get_session().journal).rglob("MLmodel")
    assert waiting.name == "away"
    assert len(list(files)) == 1


def test_what_would_run_foreign_code_is_refused(make: Version, tmp_path: Path) -> None:
    import mlflow

    class Evil(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "hacked",))

        def predict(self, context: object, model_input: list[str]) -> list[str]:
            return model_input

    make("first", 3)
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(name="model", python_model=Evil(), registered_model_name="evil")
    (tmp_path / "hacked").unlink(missing_ok=True)  # MLflow loads what it has just written
    for reference in ("evil/1", run.info.run_id):
        with pytest.raises(CvtrackError, match="--trust"):
            mlload(reference)
    with pytest.raises(CvtrackError, match="--trust"):
        mlbench("evil/1", inputs()[:1])
    assert not (tmp_path / "hacked").exists()


def test_a_run_that_is_named_by_its_id_is_called_out(
    make: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = make("first", 3)
    capsys.readouterr()
    mlload(run_id)
    assert "NAME@champion follows the promotions" in capsys.readouterr().out
    own = RowSums(noise=1.0)
    mlload("shapes/1", into=own)
    assert own.offset.abs().sum() == 0
    with pytest.raises(UsageProblem, match="has no export"):
        mlload("shapes/1", onnx=True)


def test_a_fresh_process_that_knows_nothing_of_us_serves_it(make: Version, store: str) -> None:
    make("first", 3)
    code = (
        "import sys; sys.modules['cvtrack_magics'] = None\n"
        "import mlflow, numpy as np\n"
        "model = mlflow.pyfunc.load_model('models:/shapes/1')\n"
        "images = np.zeros((3, 1, 4, 6), 'float32'); images[[0, 1, 2], 0, [2, 0, 3]] = 1\n"
        "print(np.asarray(model.predict(images)).argmax(1).tolist())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.strip().endswith("[2, 0, 3]"), ran.stderr


def test_the_guides_own_line_gives_the_network(make: Version, store: str) -> None:
    import mlflow

    make("first", 3)
    client = mlflow.MlflowClient()
    with pytest.warns(FutureWarning, match="stages"):
        client.transition_model_version_stage("shapes", "1", "Production")
    for where in ("Production", "1"):
        network = mlflow.pytorch.load_model(f"models:/shapes/{where}")
        assert torch.allclose(network(inputs()[:5]), RowSums()(inputs()[:5]))


EXPORTED = ["model.onnx", "evidence.json", "MLmodel", "requirements.txt"]


@pytest.mark.parametrize("name", EXPORTED)
def test_an_altered_export_is_noticed(name: str, make: Version, store: str) -> None:
    import mlflow

    from cvtrack_magics import mlgate

    run_id = make("first", 3)
    mlexport("onnx", RowSums(), inputs()[:1], run="first")
    ask = ["has(export evidence)"]
    assert mlgate("shapes", require=ask).result.passed
    [model] = [m for m in models_of(store, mlflow.get_run(run_id)) if m.name == "onnx"]
    file = Path(model.artifact_location.removeprefix("file://")) / name
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(CvtrackError, match="onnx export of run 'first' is not the one"):
        mlload("shapes/1", onnx=True)
    with pytest.raises(CvtrackError, match="is not the one that was proved"):
        mlbench("shapes/1", inputs()[:1], batches=(1,), seconds=0.1, runners=("onnx",))
    found = mlgate("shapes", require=ask, soft=True).result
    assert [row.passed for row in found.rows] == [False, True]
    assert "is not the one that was proved" in found.rows[0].why
