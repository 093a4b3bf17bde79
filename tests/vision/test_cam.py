"""Grad-CAM against a computation by hand, on every family, and on a network that learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.models import VisionTransformer

from cvtrack_magics.vision.gradcam import CamResult, cam


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def vit(classes: int = 5, patch: int = 8) -> Any:
    model = VisionTransformer(
        image_size=32,
        patch_size=patch,
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        mlp_dim=64,
        num_classes=classes,
    )
    nn.init.normal_(model.heads.head.weight)  # zero in a new one: no gradient at all
    return model


def build(name: str) -> Any:
    if name == "vit":
        return vit()
    no_scipy = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = getattr(models, name)(weights=None, num_classes=10, **no_scipy)
    if no_scipy:
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return model


FAMILIES = {
    "resnet18": (64, "layer4"),
    "resnet50": (32, "layer3"),
    "resnext50_32x4d": (64, "layer4"),
    "wide_resnet50_2": (64, "layer4"),
    "regnet_y_400mf": (64, "trunk_output"),
    "mobilenet_v2": (64, "features"),
    "mobilenet_v3_small": (64, "features"),
    "efficientnet_b0": (64, "features"),
    "convnext_tiny": (64, "features"),
    "densenet121": (64, "features"),
    "vgg11": (64, "features.19"),
    "vgg11_bn": (64, "features.27"),
    "alexnet": (64, "features.11"),
    "squeezenet1_1": (64, "classifier.2"),
    "shufflenet_v2_x0_5": (64, "conv5"),
    "swin_t": (64, "norm"),
    "swin_v2_t": (64, "norm"),
    "googlenet": (64, "inception5b"),
    "inception_v3": (96, "Mixed_6e"),
    "vit": (32, "encoder.layers.encoder_layer_1.ln_1"),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name: str) -> None:
    size, layer = FAMILIES[name]
    model = build(name).train()
    images = torch.rand(2, 3, size, size)
    result = cam(model, images)
    assert result.layer == layer
    assert model.training
    for heat, image in zip(result.heat, result.images, strict=True):
        assert heat.shape == (size, size)
        assert heat.dtype == np.float32
        assert np.isfinite(heat).all()
        assert heat.min() >= 0
        assert heat.max() in (0, 1)
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8
    with torch.no_grad():
        logits = model.eval()(images)
    assert result.targets == tuple(logits.argmax(dim=1).tolist())
    np.testing.assert_allclose(result.scores, logits.softmax(dim=1).amax(dim=1), rtol=1e-4)


def by_hand(
    model: Any, layer: Any, images: Any, targets: list[int], to_maps: Any, rest: Any = None
) -> Any:
    """Grad-CAM of Selvaraju et al. with autograd alone."""
    held: list[Any] = []
    handle = layer.register_forward_hook(lambda _m, _i, out: held.append(out))
    model.eval()
    logits = model(images)
    handle.remove()
    score = sum(logits[row, target] for row, target in enumerate(targets))
    (gradient,) = torch.autograd.grad(score, held[0])
    maps, gradient = to_maps(held[0]), to_maps(gradient)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = F.relu((weights * maps).sum(dim=1, keepdim=True))
    heat = F.interpolate(heat, images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return (heat / heat.amax(dim=(1, 2), keepdim=True)).detach().numpy()


def test_equals_the_formula_on_resnet() -> None:
    model, images = build("resnet18"), torch.rand(3, 3, 64, 96)
    for name in ("layer4", "layer3", "layer4.1.conv2"):
        layer = model.get_submodule(name)
        result = cam(model, images, layer=name, target=[1, 2, 3])
        # what comes behind may write into the output in place; the hand keeps its own
        handle = layer.register_forward_hook(lambda _m, _i, out: out.clone())
        wanted = by_hand(model, layer, images, [1, 2, 3], lambda x: x)
        handle.remove()
        np.testing.assert_allclose(result.heat, wanted, atol=1e-4)


def test_equals_the_formula_on_vit() -> None:
    model, images = vit(), torch.rand(2, 3, 32, 32)
    layer = model.encoder.layers[-1].ln_1

    def to_maps(tokens: Any) -> Any:
        return tokens[:, 1:].transpose(1, 2).reshape(2, 32, 4, 4)

    result = cam(model, images, target=3)
    np.testing.assert_allclose(
        result.heat, by_hand(model, layer, images, [3, 3], to_maps), atol=1e-4
    )


def test_equals_the_formula_on_swin() -> None:
    model, images = build("swin_t"), torch.rand(2, 3, 64, 128)

    def to_maps(output: Any) -> Any:
        return output.permute(0, 3, 1, 2)

    for name in ("norm", "features.7", "features.5.5.norm1"):
        result = cam(model, images, layer=name, target=4)
        wanted = by_hand(model, model.get_submodule(name), images, [4, 4], to_maps)
        np.testing.assert_allclose(result.heat, wanted, atol=1e-4)


class Tokens(nn.Module):
    """A transformer with two register tokens besides the class token, or with none."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.extra = nn.Parameter(torch.randn(1, extra, 16))
        block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 4)

    def forward(self, images: Any) -> Any:
        patches = self.patch(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.extra.expand(len(images), -1, -1), patches), dim=1)
        return self.head(self.encoder(x).mean(dim=1))


@pytest.mark.parametrize("extra", [0, 1, 3])
def test_tokens_of_a_grid_that_is_not_square(extra: int) -> None:
    model = Tokens(extra)
    result = cam(model, torch.rand(2, 3, 32, 48))
    assert result.layer == "encoder.layers.1.norm1"
    assert result.heat[0].shape == (32, 48)

    def to_maps(tokens: Any) -> Any:
        return tokens[:, extra:].transpose(1, 2).reshape(2, 16, 4, 6)

    images = torch.rand(2, 3, 32, 48)
    result = cam(model, images, target=1)
    wanted = by_hand(model, model.encoder.layers[1].norm1, images, [1, 1], to_maps)
    np.testing.assert_allclose(result.heat, wanted, atol=1e-4)


def shapes(count: int, seed: int) -> tuple[Any, Any, Any]:
    """Draw squares (class 0) and crosses (class 1) at random places, and where they lie."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 0.3, (count, 1, 32, 32)).astype(np.float32)
    labels = rng.integers(0, 2, count)
    places = np.zeros((count, 32, 32), bool)
    for row, label in enumerate(labels):
        y, x = rng.integers(0, 23, 2)
        if label == 0:
            images[row, 0, y : y + 9, x : x + 9] = 1
        else:
            images[row, 0, y + 3 : y + 6, x : x + 9] = 1
            images[row, 0, y : y + 9, x + 3 : x + 6] = 1
        places[row, y : y + 9, x : x + 9] = True
    return torch.tensor(images), torch.tensor(labels), places


def train_toy() -> Any:
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 2)),
    )
    images, labels, _ = shapes(512, 1)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(6):
        for start in range(0, 512, 64):
            batch = slice(start, start + 64)
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def test_a_network_that_learned_looks_at_the_shape() -> None:
    model = train_toy()
    images, labels, places = shapes(64, 2)
    result = cam(model, images, target=labels.tolist(), value_range=(0, 1))
    assert (np.array(result.scores) > 0.5).mean() > 0.95
    heat = np.stack(result.heat)
    wide = np.stack([F.max_pool2d(torch.tensor(p[None] * 1.0), 5, 1, 2)[0] for p in places]) > 0
    inside = (heat * wide).sum(axis=(1, 2)) / heat.sum(axis=(1, 2))
    # the shape and two pixels around are a sixth of the picture
    assert wide.mean() < 0.18
    assert np.median(inside) > 0.8
    # the same measure fails for maps of other pictures
    others = (np.roll(heat, 1, axis=0) * wide).sum(axis=(1, 2)) / heat.sum(axis=(1, 2))
    assert np.median(others) < 0.4
    assert isinstance(result, CamResult)
