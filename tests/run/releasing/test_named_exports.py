"""An export is of one network: its proof says which, and an ONNX file of which version it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import onnx
import pytest
import torch

from cvtrack_magics import mlcheck, mlexport, mlgate, mlload, mlmodel, mlrun
from cvtrack_magics.errors import ExportRefused, UsageProblem
from cvtrack_magics.release.weights import weights_digest
from tests.run.releasing.conftest import RowSums, inputs

X = inputs()
NET, OTHER = RowSums(noise=0.1), RowSums(noise=3.0, seed=7)


def props(run_id: str, folder: Path) -> dict[str, str]:
    path = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="onnx", dst_path=str(folder)
    )
    (file,) = Path(path).rglob("*.onnx")
    return {one.key: one.value for one in onnx.load(str(file)).metadata_props}


def written(net: Any, path: Path, **options: Any) -> str:
    torch.onnx.export(
        net, (X[:2],), str(path), dynamo=False, input_names=["pictures"],
        output_names=["found"], **options,
    )  # fmt: skip
    return str(path)


def test_the_file_says_of_which_version_it_is_and_whose_proof_counts(
    store: str, script: None, tmp_path: Path
) -> None:
    with mlrun("one", plot=False, code=False) as run:
        mlexport("onnx", NET, X[:1])
        assert "version" not in props(run.run_id, tmp_path / "a")
        mlmodel(NET, X[:2], register="shapes", force=True)
        mlmodel(OTHER, X[:2], register="shapes", force=True)
        mlexport("onnx", NET, X[:1])
    said = props(run.run_id, tmp_path / "b")
    assert {key: said[key] for key in ("name", "version", "run", "run_id", "digest", "opset")} == {
        "name": "shapes",
        "version": "1",
        "run": "one",
        "run_id": run.run_id,
        "digest": weights_digest(NET),
        "opset": said["opset"],
    }
    assert said["producer"].startswith("cvtrack_magics ")
    tags = mlflow.MlflowClient().get_model_version("shapes", "1").tags
    assert tags["cvtrack.weights_sha256"] == said["digest"]
    rule = {"require": ["has(export evidence)"], "unproved": True, "soft": True}
    assert mlgate("shapes", version="1", **rule).result.passed
    refused = mlgate("shapes", version="2", **rule).result
    assert "is of another network" in refused.rows[0].why
    (row,) = [one for one in mlcheck("shapes", version="2").rows if one[1] == "Verified export"]
    assert (row[0], "of another network" in row[2]) == ("✗", True)
    mlexport("onnx", OTHER, X[:1], run="one")
    assert props(run.run_id, tmp_path / "c")["version"] == "2"


def test_a_file_that_is_there_already_is_proved_and_kept(
    store: str, script: None, tmp_path: Path
) -> None:
    good = written(NET, tmp_path / "good.onnx", dynamic_axes={"pictures": {0: "n"}})
    fixed = written(NET, tmp_path / "fixed.onnx")
    bad = written(OTHER, tmp_path / "bad.onnx", dynamic_axes={"pictures": {0: "n"}})
    (tmp_path / "none.onnx").write_bytes(b"no model")
    about: dict[str, Any] = {"register": "shapes", "force": True}
    with mlrun("one", plot=False, code=False) as run:
        for file, error in ((bad, ExportRefused), (str(tmp_path / "none.onnx"), ExportRefused)):
            with pytest.raises(error) as refused:
                mlmodel(NET, X[:2], onnx=file, **about)
            assert len(refused.value._render_traceback_()) == 1
        with pytest.raises(UsageProblem, match="there is no file"):
            mlmodel(NET, X[:2], onnx="nowhere.onnx", **about)
        assert not mlflow.MlflowClient().search_model_versions("name='shapes'")
        for number, file in enumerate((good, fixed), 1):
            assert "kept as onnx/" in repr(mlmodel(NET, X[:2], onnx=file, **about))
            said = props(run.run_id, tmp_path / f"kept {number}")
            assert (said["name"], said["version"]) == ("shapes", str(number))
    answer = mlload("shapes/2", onnx=True).predict({"pictures": X[:2].numpy()})
    found = answer["found"] if isinstance(answer, dict) else answer
    with torch.no_grad():
        assert torch.allclose(torch.as_tensor(found), NET(X[:2]), atol=1e-5)


def test_the_digest_is_of_the_network_whatever_is_around_it() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    digest = weights_digest(net)
    assert weights_digest(torch.nn.DataParallel(net)) == digest
    assert weights_digest(torch.compile(net, backend="eager")) == digest
    assert weights_digest(net.double()) != digest
    assert weights_digest(torch.nn.ReLU()) == ""


def test_weights_that_are_no_plain_numbers_have_no_digest() -> None:
    class Held(torch.nn.Module):
        def __init__(self, value: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("held", value)

    plain = torch.eye(3)
    for value in (plain.to_sparse(), plain.to("meta")):
        assert weights_digest(Held(value)) == ""
    for value in (plain.bool(), plain.bfloat16(), plain.to(torch.complex64), torch.tensor(3)):
        assert len(weights_digest(Held(value))) == 64
