"""What is exported is what the model computes, and everything else is as it was."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import (
    FasterRCNN,
    FastRCNNPredictor,
    TwoMLPHead,
)

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.errors import ExportRefused, UsageProblem
from cvtrack_magics.release.export import export
from cvtrack_magics.release.export.onnxfile import open_onnx
from tests.release.export.models import awake


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"]
)
def test_architectures(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    batch = torch.rand(4, 3, 64, 64)
    model = awake(getattr(torchvision.models, name)(weights=None), lambda model: model(batch))
    made = export(model, batch[:1], tmp_path)
    assert made.agreement == 1.0
    assert made.inputs[0].shape == ("batch", 3, 64, 64)
    assert {check.case for check in made.checks} >= {"example", "draw 3", "negated", "batch of 5"}
    graph = open_onnx(made.path)
    with torch.no_grad():
        np.testing.assert_allclose(
            graph.run([batch.numpy()])[0], model(batch).numpy(), rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("format", ["onnx", "torchscript", "pt2"])
def test_evidence_metrics_and_files(format: Any, tmp_path: Path) -> None:
    made = export(small(), torch.rand(1, 3, 8, 8), tmp_path / "new", format=format)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [made.path.name]
    assert made.size == made.path.stat().st_size
    told = json.loads(written(made.evidence()))
    assert told["files"][0]["path"] == made.path.name
    assert told["files"][0]["sha256"] == made.sha256
    assert str(tmp_path) not in json.dumps(told)
    assert told["tolerance"]["rtol"] == 1e-3
    assert told["versions"]["torch"]
    metrics = made.metrics()
    assert metrics[f"export/{format}/agreement"] == 1.0
    assert metrics[f"export/{format}/max_abs_diff"] < 1e-4
    assert metrics[f"export/{format}/size_mb"] == made.size / 1e6


@pytest.mark.parametrize("format", ["onnx", "torchscript", "pt2"])
def test_dynamic_sizes(format: Any, tmp_path: Path) -> None:
    made = export(
        small(), np.random.default_rng(0).random((1, 3, 8, 8), np.float32), tmp_path,
        format=format, dynamic=("batch", "height", "width"),
    )  # fmt: skip
    assert made.inputs[0].shape == ("batch", 3, "height", "width")
    assert made.outputs[0].shape == ("batch", 5)
    assert any("pixels" in check.case for check in made.checks)


def test_several_inputs_and_dict_outputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(10, 4), nn.Linear(4, 3)

        def forward(self, image: Any, tokens: Any, mask: Any = None) -> Any:
            words = self.table(tokens) * mask.unsqueeze(-1)
            mixed = words.mean(1) + image.mean((1, 2, 3)).unsqueeze(1)
            return {"logits": self.head(mixed), "aux": {"any": mask.any(1), "top": tokens.amax(1)}}

    example = {
        "image": torch.randn(2, 3, 8, 8),
        "tokens": torch.randint(0, 10, (2, 6)),
        "mask": torch.rand(2, 6) > 0.3,
    }
    made = export(Two(), example, tmp_path)
    assert [port.name for port in made.inputs] == ["image", "tokens", "mask"]
    assert [port.dtype for port in made.inputs] == ["float32", "int64", "bool"]
    assert [port.name for port in made.outputs] == ["logits", "aux_any", "aux_top"]
    assert {check.output: check.agreement for check in made.checks} == {
        "logits": 1.0, "aux_any": 1.0, "aux_top": 1.0,
    }  # fmt: skip
    assert export(Two(), tuple(example.values()), tmp_path, format="pt2").agreement == 1.0
    # the values of a dict must be of one type in TorchScript
    with pytest.raises(ExportRefused, match="onnx or pt2"):
        export(Two(), tuple(example.values()), tmp_path, format="torchscript")


def test_a_dict_of_tensors_in_torchscript(tmp_path: Path) -> None:
    class Heads(nn.Module):
        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"out": x * scale, "aux": x - scale}

    example = {"x": torch.randn(2, 3), "scale": torch.rand(2, 1)}
    made = export(Heads(), example, tmp_path, format="torchscript")
    assert [port.name for port in made.outputs] == ["out", "aux"]


def detector() -> tuple[nn.Module, list[torch.Tensor]]:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.BatchNorm2d(8), nn.ReLU())
    body.out_channels = 8
    model = FasterRCNN(
        body,
        min_size=64,
        max_size=64,
        rpn_anchor_generator=AnchorGenerator(((8, 16),), ((1.0,),)),
        box_roi_pool=torchvision.ops.MultiScaleRoIAlign(["0"], 3, 2),
        box_head=TwoMLPHead(8 * 9, 16),
        box_predictor=FastRCNNPredictor(16, 4),
        rpn_post_nms_top_n_test=30,
        box_detections_per_img=20,
    )
    images = [torch.rand(3, 64, 64) for _ in range(3)]
    return awake(model, lambda model: model(images)), images[:1]


def test_a_detector(tmp_path: Path) -> None:
    model, images = detector()
    made = export(model, images, tmp_path)
    assert [port.name for port in made.outputs] == ["boxes", "labels", "scores"]
    assert made.exporter == "torch.onnx (tracer)"
    assert "dynamo" in made.attempts[0]
    example = made.checks[0]
    assert example.agreement == 1.0
    assert int(example.note.split()[0]) >= 5  # pairs
    assert made.dynamic == ()


def test_a_detector_that_sees_nothing_is_not_verified(tmp_path: Path) -> None:
    model, images = detector()
    model.roi_heads.score_thresh = 1.1
    with pytest.raises(ExportRefused, match="nothing to compare"):
        export(model, images, tmp_path / "made", format="torchscript")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("format", ["onnx", "torchscript", "pt2"])
def test_half_precision(format: Any, tmp_path: Path) -> None:
    made = export(small().half(), torch.rand(2, 3, 8, 8).half(), tmp_path, format=format)
    assert made.inputs[0].dtype == "float16"
    assert made.tolerance.rtol == 2e-2


def test_bfloat16(tmp_path: Path) -> None:
    model, example = small().bfloat16(), torch.rand(2, 3, 8, 8).bfloat16()
    with pytest.raises(ExportRefused) as refused:
        export(model, example, tmp_path / "made")
    assert refused.value.report.stage == "structure"
    assert "float32" in refused.value.hint
    assert export(model, example, tmp_path, format="pt2").inputs[0].dtype == "bfloat16"


def test_quantised(tmp_path: Path) -> None:
    torch.manual_seed(0)
    floats = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(floats, {nn.Linear})
    example = torch.randn(4, 4)
    with pytest.raises(ExportRefused) as refused:
        export(model, example, tmp_path / "made")
    assert "quantise the ONNX file" in refused.value.hint
    assert not (tmp_path / "made").exists()
    assert export(model, example, tmp_path, format="torchscript").agreement == 1.0


@pytest.mark.parametrize("opset", [None, 13])
def test_external_data(opset: int | None, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    made = export(model, torch.randn(1, 64), tmp_path, opset=opset, inline_limit=1000)
    assert [file.path.name for file in made.files] == ["model.onnx", "model.onnx.data"]
    assert sorted(p.name for p in tmp_path.glob("model*")) == ["model.onnx", "model.onnx.data"]
    assert made.files[1].size > 4 * 64 * 64
    assert made.opset == (opset or made.opset)
    (tmp_path / "moved").mkdir()
    for file in made.files:
        file.path.rename(tmp_path / "moved" / file.path.name)
    values = np.ones((3, 64), np.float32)
    found = open_onnx(tmp_path / "moved" / "model.onnx").run([values])[0]
    np.testing.assert_allclose(found, model(torch.ones(3, 64)).detach(), rtol=1e-4, atol=1e-5)


def test_the_opset_is_the_one_asked_for(tmp_path: Path) -> None:
    made = export(small(), torch.rand(1, 3, 8, 8), tmp_path, opset=15)
    graph = onnx.load(made.path)
    assert made.opset == 15 == graph.opset_import[0].version


def test_everything_is_put_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = small().train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    example = torch.rand(1, 3, 8, 8, requires_grad=True)
    kept = example.detach().clone()
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    streams, show = (sys.stdout, sys.stderr), warnings.showwarning
    loggers = {
        name: (logging.getLogger(name).handlers, logging.getLogger(name).propagate)
        for name in ("torch", "torch.onnx", "onnxscript")
    }
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        export(model, example, tmp_path, opset=13)  # dynamo, then the tracer
    assert not shown
    assert capfd.readouterr() == ("", "")
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())
    assert torch.is_grad_enabled()
    assert torch.equal(kept, example)
    assert (sys.stdout, sys.stderr) == streams
    assert warnings.showwarning is show
    for name, (handlers, propagate) in loggers.items():
        assert logging.getLogger(name).handlers is handlers
        assert logging.getLogger(name).propagate is propagate
    assert model[0].weight.requires_grad is False
    assert not any(module._forward_hooks for module in model.modules())


def test_what_an_exporter_says_is_in_the_report_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loud(nn.Module):
        def forward(self, x: Any) -> Any:
            print("https://me:secret@host/x")
            return torch.linalg.eigvals(x)

    with pytest.raises(ExportRefused) as refused:
        export(Loud(), torch.randn(3, 3), tmp_path, dynamic=())
    assert capsys.readouterr() == ("", "")
    assert refused.value.report.chatter
    assert "secret" not in "\n".join(refused.value.report.lines())
    assert not list(tmp_path.glob("model*"))


def test_an_earlier_file_stays_when_the_next_is_refused(tmp_path: Path) -> None:
    made = export(small(), torch.rand(1, 3, 8, 8), tmp_path, format="torchscript")
    before = made.path.read_bytes()

    class Noise(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + torch.randn_like(x)

    with pytest.raises(ExportRefused):
        export(Noise(), torch.rand(1, 3), tmp_path, format="torchscript")
    assert made.path.read_bytes() == before
    assert not list(tmp_path.glob(".export*"))


def test_instance_norm_and_attention_are_functions(tmp_path: Path) -> None:
    """Instance norm is a batch norm in training mode; attention may draw numbers: neither does."""

    class Norms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.mix = (
                nn.InstanceNorm2d(3),
                nn.MultiheadAttention(4, 2, batch_first=True),
            )

        def forward(self, x: Any) -> Any:
            rows = self.norm(x).flatten(2)[..., :4]
            return self.mix(rows, rows, rows, need_weights=False)[0]

    assert export(Norms(), torch.randn(2, 3, 8, 8), tmp_path, format="pt2").checks


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"dynamic": ("bach",)}, "Did you mean 'batch'"),
        ({"format": "onxx"}, "Did you mean 'onnx'"),
        ({"format": "pt2", "opset": 17}, "opset"),
        ({"example": 3}, "no tensor"),
        ({"model": len}, "torch.nn.Module"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], why: str, tmp_path: Path) -> None:
    given = {"model": small(), "example": torch.rand(1, 3, 8, 8), "folder": tmp_path, **arguments}
    with pytest.raises(UsageProblem, match=why):
        export(**given)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match="Nothing can be written"):
        export(small(), torch.rand(1, 3, 8, 8), tmp_path / "file")


def test_wrapped_models_are_exported_as_what_they_wrap(tmp_path: Path) -> None:
    model = nn.DataParallel(small())
    assert export(model, torch.rand(1, 3, 8, 8), tmp_path, format="pt2").agreement == 1.0


def test_loading_the_package_loads_no_framework() -> None:
    code = "import sys, cvtrack_magics.release.export; print({'torch', 'onnx'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_before_pytorch_2_6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.export.Dim, "DYNAMIC")
    model, inputs = small(), torch.rand(2, 3, 8, 8)
    with pytest.raises(ExportRefused, match=r"torch.export needs PyTorch 2\.6 or later, and this"):
        export(model, inputs, tmp_path / "pt2", format="pt2")
    made = export(model, inputs, tmp_path / "onnx")
    assert made.exporter == "torch.onnx (tracer)"
    assert all(check.agreement == 1.0 for check in made.checks)
