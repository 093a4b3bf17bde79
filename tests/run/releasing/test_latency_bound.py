"""What was timed is the version's own network and the last measurement, or it does not count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import torch

from cvtrack_magics import mlbench, mlcard, mlcheck, mlexport, mlgate, mlmodel, mlrun
from cvtrack_magics.release.graph import differ, graph_digest
from tests.run.releasing.conftest import RowSums, inputs

X = inputs()
FAST: dict[str, Any] = {"batches": (1,), "seconds": 0.01}
RULES = ["p50_latency_ms >= 0", "latency/eager/b1/p50_latency_ms >= 0"]
RULES += ["latency/onnx/b1/p50_latency_ms >= 0", "has(export evidence)"]


class Doubled(RowSums):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(images)


class Scaled(RowSums):
    scale: float

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale, self.seen = scale, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = len(images)
        return self.scale * super().forward(images)


def traced(net: Any) -> Any:
    return torch.jit.trace(net, X[:1])


def layers(*more: Any) -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), *more)


def hooked() -> Any:
    net = layers()
    net.register_forward_hook(lambda _module, _given, found: found * 2)
    return net


def with_stride() -> Any:
    net = layers()
    net[0].stride = (2, 2)
    return net


def called(net: Any) -> Any:
    net(X[:2])
    return net


ALIKE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "made twice": lambda: (RowSums(), RowSums()),
    "wrapped": lambda: (torch.nn.DataParallel(RowSums()), RowSums()),
    "called": lambda: (called(Scaled(2.0)), Scaled(2.0)),
    "trained": lambda: (layers().train(), layers().eval()),
    "scripts": lambda: (traced(RowSums()), traced(RowSums())),
    "of two kinds": lambda: (traced(RowSums()), RowSums()),
}
OTHERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a class": lambda: (Doubled(), RowSums()),
    "a setting": lambda: (Scaled(2.0), Scaled(3.0)),
    "a layer without weights": lambda: (layers(torch.nn.ReLU()), layers(torch.nn.GELU())),
    "an option of a layer": lambda: (with_stride(), layers()),
    "a hook": lambda: (hooked(), layers()),
    "scripts": lambda: (traced(Doubled()), traced(RowSums())),
    "functions": lambda: (lambda x: x + 1, lambda x: x + 2),
}


def test_two_networks_of_the_same_weights_are_told_apart(tmp_path: Path) -> None:
    assert all(graph_digest(one) for two in ALIKE.values() for one in two())
    assert [w for w, two in ALIKE.items() if differ(*map(graph_digest, two()))] == []
    assert [w for w, two in OTHERS.items() if not differ(*map(graph_digest, two()))] == []
    script = traced(RowSums())
    script.save(str(tmp_path / "kept.pt"))
    assert graph_digest(torch.jit.load(str(tmp_path / "kept.pt"))) == graph_digest(script)


def why(name: str, rules: list[str], **more: Any) -> list[str]:
    asked: dict[str, Any] = {"require": rules, "soft": True, "unproved": True, "dry_run": True}
    return [row.why for row in mlgate(name, **asked, **more).result.rows]


def test_a_version_is_judged_by_its_own_network_and_the_last_measurement(
    store: str, script: None, tmp_path: Path
) -> None:
    with mlrun("one", plot=False, code=False) as run:
        mlexport("onnx", Doubled(), X[:1])
        timed = mlbench(RowSums(), X[:1], runners=("eager", "onnx"), **FAST).result
        assert any("export is of another network" in note for note in timed.notes)
        mlbench(Doubled(), X[:1], runners=("eager", "onnx"), batches=(1,), seconds=0.2)
        for net in (RowSums(noise=1.0), RowSums(), Doubled()):
            mlmodel(net, X[:2], register="shapes", force=True)
    said = {number: why("shapes", RULES, version=number) for number in "123"}
    assert all("its weights are not" in each for each in said["1"])
    assert all("its layers, settings or code" in each for each in said["2"])
    assert said["3"] == ["", "", "", ""]
    (row,) = [row for row in mlcheck("shapes", version="2").rows if row[1] == "Latency"]
    assert row[0] == "✗"
    assert "was measured of another network" in mlcard("shapes", version="2").result.markdown
    mlbench("shapes/2", X[:1], runners=("eager",), run="one", trust=True, **FAST)
    assert why("shapes", RULES[:2], version="2") == ["", ""]
    assert "an earlier %mlbench" in why("shapes", ["p99_latency_ms <= 50"], version="2")[0]
    mlflow.MlflowClient().log_metric(run.run_id, "p50_latency_ms", 1e-6, step=10**6)
    assert "the last %mlbench" in why("shapes", ["p50_latency_ms <= 50"], version="2")[0]
    torch.onnx.export(RowSums(), (X[:1],), str(tmp_path / "x.onnx"), dynamo=False)
    for file, found in ((tmp_path / "x.onnx", "no proved export"), (_kept(run, tmp_path), "")):
        mlbench(str(file), X[:1], run="one", **FAST)
        for each in why("shapes", ["latency/onnx/b1/p50_latency_ms >= 0"], version="3"):
            assert found in each
            assert bool(found) == bool(each)


def _kept(run: Any, folder: Path) -> str:
    place = {"run_id": run.run_id, "artifact_path": "onnx/model.onnx"}
    return str(mlflow.artifacts.download_artifacts(**place, dst_path=str(folder)))
