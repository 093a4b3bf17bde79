"""Grad-CAM leaves the model as it was, and says in one line what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18, vgg11

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.gradcam import CamResult, cam, overlay, panel


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(channels: int = 3, classes: int = 4) -> Any:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
        *(nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)),
    )


def images(count: int = 2, channels: int = 3) -> Any:
    return torch.rand(count, channels, 12, 10, generator=torch.Generator().manual_seed(1))


def test_the_state_is_as_before() -> None:
    model = small().train()
    model[1].eval()
    for index, parameter in enumerate(model.parameters()):
        parameter.requires_grad = index % 2 == 0
        parameter.grad = torch.full_like(parameter, 7.0) if index % 2 == 0 else None
    inputs = images().requires_grad_()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    flags = [parameter.requires_grad for parameter in model.parameters()]
    random = torch.get_rng_state()
    for layer in (None, "0", model[2]):
        cam(model, inputs, layer=layer)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    for parameter in model.parameters():
        assert parameter.grad is None or bool((parameter.grad == 7).all())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert inputs.grad is None
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_state_is_as_before_after_an_error() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Any) -> Any:
            self.conv(x)
            raise ValueError("two\nlines")

    model = Broken().train()
    with pytest.raises(UsageProblem, match=r"ValueError: two$"):
        cam(model, images())
    assert model.training
    assert model.conv.training
    assert not model.conv._forward_hooks


@pytest.mark.parametrize("build", [resnet18, vgg11])
def test_frozen_and_without_gradients(build: Any) -> None:
    torch.manual_seed(0)
    model = build(weights=None, num_classes=5)
    batch = torch.rand(2, 3, 32, 32)
    wanted = cam(model, batch)
    model.requires_grad_(False)
    for context in (torch.enable_grad(), torch.no_grad(), torch.inference_mode()):
        with context:
            result = cam(model, batch.clone())
            np.testing.assert_array_equal(result.heat, wanted.heat)
    assert max(heat.max() for heat in wanted.heat) == 1


def test_one_image_an_array_a_list_and_channels_last() -> None:
    model, batch = small(), images()
    wanted = cam(model, batch).heat
    np.testing.assert_allclose(cam(model, batch[0]).heat[0], wanted[0], atol=1e-6)
    np.testing.assert_allclose(cam(model, batch.double().numpy()).heat, wanted, atol=1e-5)
    np.testing.assert_allclose(cam(model, list(batch)).heat, wanted, atol=1e-6)
    last = batch.permute(0, 2, 3, 1)
    np.testing.assert_allclose(cam(model, last, layout="HWC").heat, wanted, atol=1e-6)


def test_the_models_own_dtype() -> None:
    result = cam(small().double(), images())
    np.testing.assert_allclose(result.heat, cam(small(), images()).heat, atol=1e-4)
    assert cam(small().to(torch.bfloat16), images()).heat[0].dtype == np.float32


def test_more_samples_than_a_chunk() -> None:
    batch = images(70)
    result = cam(small(), batch)
    assert len(result) == 70
    np.testing.assert_allclose(result.heat[65], cam(small(), batch[65:66]).heat[0], atol=1e-5)


def test_wrapped_models() -> None:
    wanted = cam(small(), images()).heat
    result = cam(nn.DataParallel(small()), images())
    np.testing.assert_array_equal(result.heat, wanted)
    assert result.layer == "2"


def test_no_evidence_gives_zeros_and_a_note() -> None:
    model = small()
    nn.init.zeros_(model[-1].weight)
    result = cam(model, images())
    assert not np.any(result.heat)
    assert result.notes == ("2 of 2 maps are empty: nothing in '2' speaks for the class",)


def test_one_output_is_a_sigmoid() -> None:
    model = small(classes=1)
    result = cam(model, images())
    with torch.no_grad():
        wanted = torch.sigmoid(model.eval()(images()))[:, 0]
    np.testing.assert_allclose(result.scores, wanted, rtol=1e-5)


def test_probabilities_are_taken_as_such() -> None:
    model = nn.Sequential(small(), nn.Softmax(1))
    result = cam(model, images())
    np.testing.assert_allclose(result.scores, cam(small(), images()).scores, rtol=1e-5)
    assert "the model gives probabilities; Grad-CAM is sharper on logits" in result.notes


def test_many_channels_are_drawn_as_their_mean() -> None:
    result = cam(small(5), images(channels=5))
    assert result.images[0].shape == (12, 10)
    assert "the pictures are the mean of 5 channels, stretched" in result.notes


class Answers(nn.Module):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.conv, self.unused, self.answer = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), answer

    def forward(self, x: Any) -> Any:
        return self.answer(self.conv(x).mean(dim=(2, 3)))


def detached(x: Any) -> Any:
    return x.detach()


CASES: list[tuple[Any, dict[str, Any], str]] = [
    (Answers(lambda x: {"logits": x}), {}, "saw dict of logits.*the logits alone"),
    (Answers(lambda x: (x, x)), {}, "expected classification logits N×K, saw tuple"),
    (Answers(lambda x: x[..., None]), {}, "saw 2×4×1 for 2 images"),
    (Answers(lambda x: x / 0), {}, "infinite values for 2 of 2 images, first for image 0"),
    (Answers(detached), {}, "layer 'conv' has no gradient"),
    (Answers(lambda x: x), {"layer": "unused"}, "'unused' does not run"),
    (small(), {"target": 4}, "target=4: the model has 4 outputs. Give 0 to 3."),
    (small(), {"target": [0, -1]}, "target=-1"),
    (small(), {"target": [0, 1, 2]}, "target: expected 2 labels"),
    (small(), {"layer": "7"}, "Sequential has no layer '7'"),
    (small(), {"layer": nn.ReLU()}, "ReLU is no part of this Sequential"),
    (small(), {"layer": "6"}, "layer '6' gives 2×4, expected a feature map"),
    (small(), {"classes": ["a"]}, "1 names given, the model has 4 outputs"),
    (small(5), {}, "The model fails on inputs of 2×3×12×10: RuntimeError"),
    (nn.Sequential(nn.Flatten(), nn.Linear(360, 3)), {}, "No layer of the model gives a feature"),
    (lambda x: x, {}, "expected a torch.nn.Module, saw function"),
]


@pytest.mark.parametrize(("model", "options", "said"), CASES)
def test_errors_in_one_line(model: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        cam(model, images(), **options)
    assert "\n" not in str(caught.value)


def test_a_misspelt_layer_gets_the_nearest_name() -> None:
    model = resnet18(weights=None)
    with pytest.raises(UsageProblem, match=r"Did you mean 'layer4\.1\.conv2'"):
        cam(model, images(), layer="layer4.1.conv3")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "saw 2×3×8×8 of uint8"),
        (torch.zeros(8, 8), "expected N×C×H×W or C×H×W, saw 8×8"),
        ([torch.zeros(3, 8, 8), torch.zeros(3, 8, 9)], "images of one size"),
        (torch.full((1, 3, 8, 8), 77.0), "neither 0..1, 0..255 nor normalised in a known way"),
        (np.array(["a"]), "expected numbers"),
    ],
)
def test_inputs_that_are_none(inputs: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        cam(small(), inputs)


def test_one_position_is_noted() -> None:
    result = cam(small(), images(), layer="4")
    assert "layer '4' is 1×1: its heat does not tell places apart" in result.notes


def test_a_layer_that_runs_twice_is_noted() -> None:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    result = cam(model, images(), layer="0")
    assert any("runs 2 times" in note for note in result.notes)


def test_overlay() -> None:
    grey = np.full((4, 6), 100, np.uint8)
    heat = np.zeros((4, 6), np.float32)
    heat[1, 2] = 1
    mixed = overlay(grey, heat, 0.5)
    assert mixed.shape == (4, 6, 3)
    assert mixed.dtype == np.uint8
    assert mixed[1, 2].sum() > mixed[0, 0].sum()
    assert (overlay(grey, heat, 0) == 100).all()
    transparent = np.zeros((4, 6, 4), np.uint8)
    assert (overlay(transparent, heat, 0) == 255).all()
    with pytest.raises(UsageProblem, match="the heat map 3×3"):
        overlay(grey, np.zeros((3, 3), np.float32))
    with pytest.raises(UsageProblem, match="alpha=2"):
        overlay(grey, heat, 2)


HOSTILE = ["line\nbreak\x00\u202e" + "x" * 3000, "", "日本語", "🐈" * 50]


@pytest.mark.parametrize("count", [1, 4, 11, 40])
def test_the_panel_keeps_its_size(count: int) -> None:
    result = cam(small(), images(count))
    picture = panel(result, HOSTILE)
    plain = panel(result, ["a", "b", "c", "d"])
    assert picture.shape == plain.shape
    assert picture.dtype == np.uint8
    across = 2 if count <= 3 else 4 if count <= 10 else 6
    assert picture.shape[1] == across * 236 + 12
    assert picture.std() > 5


def test_an_empty_result_has_a_panel() -> None:
    assert panel(CamResult([], [], (), (), "layer4")).ndim == 3
