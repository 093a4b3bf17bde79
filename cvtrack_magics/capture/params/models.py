"""Facts about a torch model or loss: class, size, frozen share, dropout, architecture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cvtrack_magics.capture.params.values import is_scalar
from cvtrack_magics.records import Tag

Leaf = tuple[str, object]

# Deep Residual Learning (He et al., 2016), table 1: blocks per stage.
_RESNETS: dict[tuple[str, tuple[int, ...]], str] = {
    ("BasicBlock", (2, 2, 2, 2)): "18",
    ("BasicBlock", (3, 4, 6, 3)): "34",
    ("Bottleneck", (3, 4, 6, 3)): "50",
    ("Bottleneck", (3, 4, 23, 3)): "101",
    ("Bottleneck", (3, 8, 36, 3)): "152",
}


def read_model(model: Any) -> Iterator[Leaf]:
    """Yield the model's class, parameter counts, frozen share and dropout rates.

    ``model.frozen_share`` is the part of all parameters (0 to 1) that no gradient
    reaches. The `Tag` ``backbone`` names the architecture.
    """
    model = unwrap(model)
    yield "model", type(model).__name__
    total = trainable = lazy = 0
    for parameter in model.parameters():
        try:
            count = parameter.numel()
        except ValueError:  # lazy layers have no shape before the first batch
            lazy += 1
            continue
        total += count
        trainable += count if parameter.requires_grad else 0
    yield "model.parameters", total
    yield "model.trainable", trainable
    yield "model.frozen_share", round(1 - trainable / total, 4) if total else 0.0
    if lazy:
        yield "model.uninitialized", lazy
    rates = {
        float(module.p)
        for module in model.modules()
        if "dropout" in type(module).__name__.lower() and is_scalar(getattr(module, "p", None))
    }
    if rates:
        yield "model.dropout", min(rates) if len(rates) == 1 else sorted(rates)
    yield "backbone", Tag("backbone", backbone(model))


def unwrap(model: Any) -> Any:
    """Return the user's own module inside ``compile``, DataParallel and DDP wrappers."""
    for _ in range(8):
        if "_orig_mod" in getattr(model, "_modules", {}):
            model = model._orig_mod
        elif type(model).__name__ in {
            "DataParallel",
            "DistributedDataParallel",
            "FullyShardedDataParallel",
        }:
            model = model.module
        else:
            break
    return model


def backbone(model: Any) -> str:
    """Return the architecture family: timm's name, a ResNet's depth, or the class.

    A detector or segmenter with a ``backbone`` or ``encoder`` is named after that.
    """
    for attribute in ("backbone", "encoder", "body"):
        inner = getattr(model, "_modules", {}).get(attribute)
        if inner is not None:
            named = backbone(inner)
            if named not in {"Sequential", "ModuleList", "IntermediateLayerGetter"}:
                return named
    for attribute in ("pretrained_cfg", "default_cfg"):
        settings = getattr(model, attribute, None)
        architecture = settings.get("architecture") if isinstance(settings, dict) else None
        if isinstance(architecture, str) and architecture:
            return architecture
    return _resnet(model) or type(model).__name__


def _resnet(model: Any) -> str:
    stages = [getattr(model, "_modules", {}).get(f"layer{n}") for n in range(1, 5)]
    if any(stage is None for stage in stages) or not all(hasattr(s, "__len__") for s in stages):
        return ""
    try:
        first = stages[0][0]  # type: ignore[index]
        sizes = tuple(len(stage) for stage in stages)  # type: ignore[arg-type]
    except (IndexError, KeyError, TypeError):
        return ""
    depth = _RESNETS.get((type(first).__name__, sizes))
    if depth is None:
        return ""
    groups = getattr(model, "groups", 1)
    width = getattr(model, "base_width", 64)
    if groups > 1:
        return f"ResNeXt{depth}-{groups}x{width}d"
    return f"WideResNet{depth}-{width // 64}" if width != 64 else f"ResNet{depth}"


def read_loss(loss: Any) -> Iterator[Leaf]:
    """Yield the loss's class and its scalar settings that are set."""
    yield "loss", type(loss).__name__
    for name, item in vars(loss).items():
        if name.startswith("_") or name == "training" or item is None:
            continue
        if is_scalar(item):
            yield f"loss.{name}", item
    for name, buffer in getattr(loss, "_buffers", {}).items():
        if buffer is not None and buffer.numel() <= 64:
            yield f"loss.{name}", buffer
