"""PyTorch's runners and onnxruntime's, on real models, against independent measurements."""

from __future__ import annotations

import gc
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.latency import Absent, Bench, Runner, bench, runners_of, torchrunners
from cvtrack_magics.release.latency.runner import at_once

QUICK = {"batches": [1, 3], "seconds": 0.05}


class Net(nn.Module):
    """A small convolutional classifier."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(channels, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.norm(self.conv(images)).relu().mean((2, 3))))


class Two(nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": left + right, "product": left * right}


def exported(model: nn.Module, args: tuple[Any, ...], path: Path, names: list[str]) -> Path:
    """Write an ONNX file with a dynamic batch; the old exporter takes a tenth of a second."""
    axes = {name: {0: "batch"} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(), args, str(path), dynamo=False, input_names=names, dynamic_axes=axes
        )
    return path


def runner(made: dict[str, Runner | Absent], kind: str) -> Runner:
    found = made[kind]
    assert isinstance(found, Runner), found
    return found


def otherwise(found: Bench) -> list[str]:
    return [note for note in found.notes if "otherwise" in note]


def test_all_that_need_no_compiler_agree(tmp_path: Path) -> None:
    model, image = Net().train(), torch.rand(2, 3, 16, 16)
    path = exported(model, (image,), tmp_path / "net.onnx", ["images"])
    model.train()
    kinds = ["eager", "torchscript", "onnx"]
    found = bench(runners_of(model, image, kinds=kinds, onnx_path=path), **QUICK)
    assert [row.cell for row in found.rows] == [
        f"{kind}@{size}" for kind in kinds for size in (1, 3)
    ]
    assert all(row.n >= 6 for row in found.rows)
    assert otherwise(found) == []
    assert model.training
    facts = found.settings["runners"]
    assert {each["threads"] for each in facts.values()} == {torch.get_num_threads()}
    assert {each["precision"] for each in facts.values()} == {"float32"}
    assert facts["eager"]["runtime"] == f"torch {torch.__version__}"
    assert facts["onnx"]["runtime"].startswith("onnxruntime 1.")


def test_another_models_file_is_noticed(tmp_path: Path) -> None:
    image = torch.rand(1, 3, 16, 16)
    path = exported(Net(), (image,), tmp_path / "other.onnx", ["images"])
    found = bench(runners_of(Net(), image, kinds=["eager", "onnx"], onnx_path=path), **QUICK)
    assert len(otherwise(found)) == 1
    assert otherwise(found)[0].startswith("onnx says otherwise than eager at batch 1: output 1")


def test_compiled_once_for_each_batch_size() -> None:
    from torch._dynamo.utils import counters

    model, image = Net().train(), torch.rand(1, 3, 16, 16)
    before = counters["stats"]["unique_graphs"]
    found = bench(runners_of(model, image, kinds=["eager", "compile"]), **QUICK)
    compiled = [row for row in found.rows if row.runner == "compile"]
    assert [row.batch for row in compiled] == [1, 3]
    assert all(row.n >= 6 for row in compiled)
    assert counters["stats"]["unique_graphs"] - before == 2
    assert otherwise(found) == []
    assert model.training


def test_a_model_that_does_not_compile_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    image = torch.rand(1, 3, 16, 19)  # no shape that another test has compiled
    found = bench(runners_of(Net(7), image, kinds=["compile", "eager"]), **QUICK)
    assert {row.runner for row in found.rows} == {"eager"}
    (note,) = [note for note in found.notes if note.startswith("compile is left out: ")]
    assert "compiler" in note
    assert "\n" not in note


def test_a_model_that_cannot_be_traced_is_absent() -> None:
    class Chatty(nn.Module):
        def forward(self, image: torch.Tensor) -> str:
            return "a text"

    made = runners_of(Chatty(), torch.rand(1, 3), kinds=["eager", "torchscript"])
    assert isinstance(made["torchscript"], Absent)
    assert made["torchscript"].why.startswith("it cannot be traced: ")
    assert {row.runner for row in bench(made, **QUICK).rows} == {"eager"}


def test_several_inputs(tmp_path: Path) -> None:
    pair = (torch.rand(2, 4), torch.rand(2, 4))
    path = exported(Two(), pair, tmp_path / "two.onnx", ["left", "right"])
    kinds = ["eager", "torchscript", "onnx"]
    for example in (pair, {"right": pair[1], "left": pair[0]}):
        found = bench(runners_of(Two(), example, kinds=kinds, onnx_path=path), **QUICK)
        assert len(found.rows) == 6
        assert all(row.n for row in found.rows)
        assert otherwise(found) == []


def test_a_detectors_list_is_as_long_as_the_batch() -> None:
    seen: set[tuple[int, ...]] = set()

    class Detector(nn.Module):
        def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
            seen.add(tuple(image.shape[-1] for image in images))
            return [{"boxes": image[0, :4]} for image in images]

    images = [torch.rand(3, 6, 5), torch.rand(3, 6, 7)]
    found = bench(runners_of(Detector(), images, kinds=["eager"]), **QUICK)
    assert seen == {(5,), (5, 7, 5)}
    assert [row.n > 0 for row in found.rows] == [True, True]


def test_images_in_a_list_are_stacked_for_a_graph_of_one_input(tmp_path: Path) -> None:
    path = exported(Net(), (torch.rand(1, 3, 8, 8),), tmp_path / "net.onnx", ["images"])
    images = [torch.rand(3, 8, 8)] * 2
    call = runner(runners_of(None, images, onnx_path=path), "onnx").ready(4)
    assert call()[0].shape == (4, 5)


def test_an_onnx_file_alone_and_its_fixed_batch(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    model = Net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.rand(1, 3, 8, 8),), str(path), dynamo=False)
    made = runners_of(None, np.zeros((1, 3, 8, 8), np.float32), onnx_path=path)
    assert list(made) == ["onnx"]
    found = bench(made, batches=[1, 8], seconds=0.05)
    assert [row.n > 0 for row in found.rows] == [True, False]
    assert "onnxruntime cannot run the model" in found.rows[1].note
    assert found.headline == "onnx@1"


def test_without_a_file_onnx_is_absent() -> None:
    made = runners_of(Net(), torch.rand(1, 3, 8, 8), kinds=["eager", "onnx"])
    absent = made["onnx"]
    assert isinstance(absent, Absent)
    assert "%mlexport onnx" in absent.why


def test_a_file_that_is_none_is_absent(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\xff" * 50)
    for name in ("missing.onnx", "broken.onnx"):
        made = runners_of(None, torch.rand(1, 3), onnx_path=tmp_path / name)
        assert isinstance(made["onnx"], Absent)
        assert name in made["onnx"].why


def test_wrong_arguments() -> None:
    image = torch.rand(1, 3, 8, 8)
    with pytest.raises(UsageProblem, match="Did you mean 'torchscript'"):
        runners_of(Net(), image, kinds=["torchscrit"])
    with pytest.raises(UsageProblem, match="nothing to measure"):
        runners_of(None, image)
    with pytest.raises(UsageProblem, match="threads=0"):
        runners_of(Net(), image, threads=0)


class World:
    """What a measurement has to leave as it was."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.before = self.seen()

    def seen(self) -> tuple[Any, ...]:
        from torch._dynamo import config

        return (
            [module.training for module in self.model.modules()],
            {name: value.clone() for name, value in self.model.state_dict().items()},
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            gc.isenabled(),
            config.suppress_errors,
        )

    def check(self) -> None:
        now = self.seen()
        assert now[0] == self.before[0]
        assert all(torch.equal(now[1][name], value) for name, value in self.before[1].items())
        assert now[2:] == self.before[2:]
        loss = self.model(torch.rand(2, 3, 8, 8)).sum()
        loss.backward()
        assert self.model.conv.weight.grad is not None


class Breaks(Net):
    """Draws a random number, as noisy models do, and fails after so many calls."""

    def __init__(self, error: BaseException, after: int) -> None:
        super().__init__()
        self.error, self.left = error, after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return super().forward(images) + torch.rand(1)


@pytest.mark.parametrize("after", [1, 20, 10_000])
@pytest.mark.parametrize("error", [ValueError("broke"), KeyboardInterrupt()])
def test_everything_is_put_back(error: BaseException, after: int) -> None:
    model = Breaks(error, after).train()
    model.norm.eval()  # as in fine-tuning
    other = 1 if torch.get_num_threads() > 1 else 2
    made = runners_of(model, torch.rand(2, 3, 8, 8), kinds=["eager"], threads=other)
    world = World(model)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            bench(made, batches=[1], seconds=60)
    else:
        found = bench({**made, "quick": Runner(lambda _: lambda: None)}, batches=[1], seconds=0.2)
        assert (found.row("eager@1") is None) == (after < 10_000)
    world.check()


def test_compiling_puts_its_settings_back() -> None:
    from torch._dynamo import config

    made = runners_of(Net(), torch.rand(1, 3, 8, 8), kinds=["compile"], threads=1)
    before = config.recompile_limit, torch.get_num_threads()

    def interrupted() -> None:
        with runner(made, "compile").hold():
            assert config.recompile_limit > before[0]
            assert config.fail_on_recompile_limit_hit
            assert torch.get_num_threads() == 1
            assert torch.is_inference_mode_enabled()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (config.recompile_limit, torch.get_num_threads()) == before
    assert not config.fail_on_recompile_limit_hit


def test_each_device_is_waited_for_in_its_own_way() -> None:
    assert torchrunners._waiter(torch.device("cpu")) is at_once
    assert torchrunners._waiter(torch.device("mps")) is torch.mps.synchronize
    cuda = torchrunners._waiter(torch.device("cuda:1"))
    assert isinstance(cuda, partial)
    assert cuda.func is torch.cuda.synchronize
    assert cuda.args == (torch.device("cuda:1"),)


def within(measure: Callable[[], float], independent: Callable[[], float]) -> tuple[float, float]:
    """Measure both in turn until they are within a factor of two: the machine is shared."""
    for _ in range(6):
        ours, theirs = measure(), independent()
        if 0.5 < ours / theirs < 2:
            break
    return ours, theirs


def test_eager_as_torchs_own_timer_says() -> None:
    from torch.utils.benchmark import Timer

    model, image = Net(32).eval(), torch.rand(4, 3, 64, 64)

    def ours() -> float:
        made = runners_of(model, image, kinds=["eager"], threads=1)
        return bench(made, batches=[4], seconds=0.4).metrics()["p50_latency_ms"]

    def theirs() -> float:
        with torch.inference_mode():
            timer = Timer("model(image)", globals={"model": model, "image": image}, num_threads=1)
            return 1000 * statistics.median(timer.timeit(1).median for _ in range(100))

    one, two = within(ours, theirs)
    assert 0.5 < one / two < 2


def test_onnx_as_a_plain_loop_says(tmp_path: Path) -> None:
    import onnxruntime

    image = torch.rand(4, 3, 64, 64)
    path = exported(Net(32), (image,), tmp_path / "net.onnx", ["images"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    feed = {"images": image.numpy()}

    def ours() -> float:
        made = runners_of(None, image, onnx_path=path, threads=1)
        return bench(made, batches=[4], seconds=0.4).metrics()["p50_latency_ms"]

    def theirs() -> float:
        times = []
        for _ in range(100):
            started = time.perf_counter()
            session.run(None, feed)
            times.append(1000 * (time.perf_counter() - started))
        return statistics.median(times)

    one, two = within(ours, theirs)
    assert 0.5 < one / two < 2
