"""Models in fewer bits: kept where the task's figure stands, refused where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mlflow
import numpy as np
import onnx
import pytest
import torch

from cvtrack_magics import mlexport, mlrun
from cvtrack_magics.artifacts.codec import read
from cvtrack_magics.artifacts.quantized import Quantized
from cvtrack_magics.errors import CvtrackError, QuantizationRefused, UsageProblem
from cvtrack_magics.release.gate.paired import of_shares
from tests.pictures import pictures

SIDE = 32
CLASSES = ("dark", "bright", "edges")


def made(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return parts of real pictures, in three kinds that can be told: dark, bright, with edges."""
    rng = np.random.default_rng(seed)
    sources = [np.asarray(one.convert("RGB"), np.float32) / 255 for one in pictures(12)]
    images, labels = [], []
    for at in range(count):
        source = sources[rng.integers(len(sources))]
        y, x = (int(rng.integers(0, size - SIDE + 1)) for size in source.shape[:2])
        part = source[y : y + SIDE, x : x + SIDE]
        label = at % 3
        if label == 2:
            part = 0.25 * part + 0.5 * (np.indices((SIDE, SIDE)).sum(0) % 2)[..., None]
        else:
            part = 0.3 * part + 0.65 * label
        images.append(part)
        labels.append(label)
    return torch.tensor(np.stack(images).astype(np.float32)).permute(0, 3, 1, 2), torch.tensor(
        labels
    )


def loader(seed: int, count: int, size: int = 50) -> list[tuple[torch.Tensor, torch.Tensor]]:
    images, labels = made(seed, count)
    return [(images[at : at + size], labels[at : at + size]) for at in range(0, count, size)]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.second = torch.nn.Conv2d(8, 8, 3, stride=2)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(x.mean((2, 3)))


def trained(steps: int = 80) -> Net:
    torch.manual_seed(0)
    net, (images, labels) = Net(), made(1, 300)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for step in range(steps):
        rows = torch.randint(len(images), (64,), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.cross_entropy(net(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@pytest.fixture(scope="module")
def net() -> Net:
    return trained()


class Fragile(torch.nn.Module):
    """Answers by the last bits of a value beside a huge one, which 8 bits do not hold."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.spread = torch.nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.spread.weight.copy_(torch.eye(3)[:, :, None, None])
            self.spread.bias.zero_()
        self.last = torch.nn.Linear(4, 3)
        with torch.no_grad():
            self.last.weight.zero_()
            self.last.weight[:, :3] = torch.eye(3)
            self.last.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = self.net(self.spread(x))
        huge = 1e5 + 0 * said[:, :1]
        return self.last(torch.cat([said, huge], 1)) * 1.0


def options(**more: Any) -> dict[str, Any]:
    return {
        "calibrate": loader(2, 64, 16),
        "heldout": loader(3, 900),
        "task": "classification",
        "classes": CLASSES,
        **more,
    }


def test_a_model_that_stands_is_kept_with_its_proof(net: Net, store: str) -> None:
    with mlrun("int8", code=False) as run:
        shown = mlexport("int8", net, **options(by=("class",)))
    found = shown.result
    assert isinstance(found, Quantized)
    assert found.samples == 900
    assert found.full is not None
    assert found.full > 0.95
    assert found.lost_at_most is not None
    assert found.lost_at_most < 0.01
    assert found.size < found.full_size or found.size < 20_000
    metrics = mlflow.get_run(run.run_id).data.metrics
    assert metrics["export/int8/top1_acc"] == found.quantized
    assert metrics["export/int8/lost_at_most"] == pytest.approx(found.lost_at_most)
    text = mlflow.artifacts.load_text(f"runs:/{run.run_id}/int8/quantized.json")
    assert read(Quantized, "", text) == found
    assert {part.value for part in found.parts} == set(CLASSES)
    path = mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/int8/model.onnx")
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "QuantizeLinear" in kinds
    assert mlflow.get_run(run.run_id).data.tags["cvtrack.export_sha256.int8"]
    served = mlflow.pyfunc.load_model(f"runs:/{run.run_id}/int8")
    images, labels = made(3, 900)
    answers = served.predict(images[:50].numpy())
    scores = np.asarray(next(iter(answers.values())) if isinstance(answers, dict) else answers)
    assert (scores.argmax(1) == labels[:50].numpy()).mean() > 0.9


def test_what_it_loses_is_that_of_the_file(net: Net, store: str) -> None:
    """The figures beside onnxruntime, run by hand on the file that was recorded."""
    import onnxruntime

    with mlrun("by hand", code=False) as run:
        found = mlexport("int8", net, **options()).result
    path = mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/int8/model.onnx")
    images, labels = made(3, 900)
    session = onnxruntime.InferenceSession(path)
    (scores,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    right = scores.argmax(1) == labels.numpy()
    with torch.no_grad():
        full = (net(images).argmax(1) == labels).numpy()
    assert found.quantized == pytest.approx(right.mean(), abs=1e-12)
    assert found.full == pytest.approx(full.mean(), abs=1e-12)
    bound = of_shares(float((right > full).sum()), float((right < full).sum()), 900, 0.99)
    assert found.lost_at_most == pytest.approx(-bound.low)


def test_a_model_that_8_bits_ruin_is_refused(net: Net, store: str) -> None:
    with mlrun("ruined", code=False) as run, pytest.raises(QuantizationRefused) as caught:
        mlexport("int8", Ruined(net), **options())
    assert "loses more than 0.01" in str(caught.value)
    files = [one.path for one in mlflow.MlflowClient().list_artifacts(run.run_id)]
    assert "int8" not in files


class Ruined(torch.nn.Module):
    """Decides by differences far below a 256th of what it adds up, in every layer."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.mix = torch.nn.ModuleList([torch.nn.Linear(4, 4) for _ in range(12)])
        with torch.no_grad():
            for one in self.mix:
                one.weight.copy_(torch.eye(4))
                one.bias.zero_()
        self.out = torch.nn.Linear(4, 3)
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.weight[:, :3] = torch.eye(3)
            self.out.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = self.net(x)
        value = torch.cat([said, 1e5 + 0 * said[:, :1]], 1)
        for one in self.mix:
            value = one(value)
        return self.out(value)


def test_a_layer_that_hurts_stays_in_full_precision(net: Net, store: str) -> None:
    with mlrun("one layer", code=False):
        found = mlexport("int8", Fragile(net), **options()).result
    assert 1 <= len(found.kept_full) <= 8
    assert found.lost_at_most < 0.01
    assert any("In full precision" in note for note in found.notes)


def test_too_few_samples_to_know_are_said(net: Net, store: str) -> None:
    with pytest.raises(QuantizationRefused, match="60 held-out samples cannot show") as caught:
        mlexport("int8", net, **options(heldout=loader(3, 60)))
    assert "--allow" in str(caught.value.hint)


def test_half_precision_needs_no_calibration(net: Net, store: str) -> None:
    with mlrun("half", code=False):
        found = mlexport("fp16", net, **options(calibrate=None)).result
    assert found.format == "fp16"
    assert found.quantized == pytest.approx(found.full, abs=0.005)
    assert found.size < found.full_size


class Segmenter(torch.nn.Module):
    """Tells bright pixels, and returns a dict as torchvision's segmenters do."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.conv.weight[0] = -scale
            self.conv.weight[1] = scale
            self.conv.bias.copy_(torch.tensor([1.5 * scale, -1.5 * scale]))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": self.conv(x)}


def maps(seed: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    images, _ = made(seed, count)
    return [
        (images[at : at + 20], (images[at : at + 20].mean(1) > 0.5).long())
        for at in range(0, count, 20)
    ]


class OutOnly(torch.nn.Module):
    def __init__(self, inner: Segmenter) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)["out"]


def test_a_segmentation_is_judged_by_its_miou(store: str) -> None:
    data = maps(5, 120)
    wanted = {
        "calibrate": made(2, 32)[0],
        "heldout": data,
        "task": "semantic",
        "classes": ("no", "yes"),
    }
    with mlrun("semantic", code=False):
        found = mlexport("int8", OutOnly(Segmenter()), **wanted, allow=0.05).result
    assert found.metric == "mIoU"
    assert found.full > 0.99
    assert found.lost_at_most < 0.05


class RuinedSegmenter(Segmenter):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        huge = 1e5 + 0 * x[:, :1]
        return self.last(torch.cat([self.conv(x), huge], 1))

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.last.weight.zero_()
            self.last.weight[0, 0], self.last.weight[1, 1] = 1, 1
            self.last.bias.zero_()


def test_a_segmentation_whose_head_does_not_bear_it_keeps_that_head(store: str) -> None:
    data = maps(5, 120)
    wanted = {"calibrate": made(2, 32)[0], "heldout": data, "task": "semantic"}
    with mlrun("head", code=False):
        found = mlexport("int8", RuinedSegmenter(), **wanted, allow=0.05).result
    assert len(found.kept_full) == 1


def test_a_segmentation_that_loses_is_refused(store: str) -> None:
    data = maps(5, 120)
    wanted = {"calibrate": made(2, 32)[0], "heldout": data, "task": "semantic"}
    with pytest.raises(QuantizationRefused, match="mIoU"):
        mlexport("int8", OutOnly(Blurred()), **wanted, allow=0.05)


class Blurred(Segmenter):
    """One layer, which cannot be left out: its input has a far larger range than what decides."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": self.conv(torch.cat([x[:, :1] * 1e5, x[:, 1:]], 1))}

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.conv.weight[:, 0] = 0


def other_each_time() -> Any:
    class Random:
        passes = 0

        def __iter__(self) -> Iterator[Any]:
            Random.passes += 1
            return iter(loader(100 + Random.passes, 60))

    return Random()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing judges": ({"heldout": None}, "Nothing shows how good the int8 model is"),
    "no task": ({"task": None}, "Nothing shows how good"),
    "nothing calibrates": ({"calibrate": None}, "8 bits need the ranges"),
    "the judged calibrate": ({"calibrate": loader(3, 30)}, "are among those that judge"),
    "no samples": ({"calibrate": []}, "no samples to calibrate with"),
    "no pictures": ({"calibrate": ["a", "b"]}, "is a str, not an array of numbers"),
    "other pictures each time": ({"heldout": other_each_time()}, "other pictures at each pass"),
    "too few": ({"heldout": loader(3, 9)}, "9 held-out samples are too few"),
    "all is allowed": ({"allow": 1.5}, "is not between 0 and 1"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_judged_is_said_in_a_line(name: str, net: Net, store: str) -> None:
    changed, said = BAD[name]
    with pytest.raises(CvtrackError, match=said):
        mlexport("int8", net, **options(**changed))


def test_what_is_for_fewer_bits_is_not_taken_for_an_export(net: Net, store: str) -> None:
    with pytest.raises(UsageProblem, match="needs a real input"):
        mlexport("onnx", net)
    with pytest.raises(UsageProblem, match="nothing is calibrated or judged"):
        mlexport("onnx", net, made(1, 2)[0], calibrate=loader(2, 16))


def test_a_line_does_it(net: Net, store: str, shell: Any) -> None:
    shell.ip.user_ns |= {"net": net, "train": loader(2, 64, 16), "val": loader(3, 600)}
    shell.ip.user_ns["names"] = CLASSES
    line = "%mlexport int8 net --calibrate train --heldout val --task classification"
    said = shell.run(f"{line} --classes names --allow 0.02")
    assert "int8: loses" in said
    assert "(600 samples, 0.02 allowed)" in said
