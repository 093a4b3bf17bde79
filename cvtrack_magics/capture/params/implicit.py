"""Hyper-parameters that nobody typed: read off optimizers, loaders, models and scalers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.data.sampling import shuffles
from cvtrack_magics.capture.params import transforms
from cvtrack_magics.capture.params.models import read_loss, read_model
from cvtrack_magics.capture.params.values import is_scalar, object_text

Leaf = tuple[str, object]

_GROUP_STATE = {"params", "param_names", "initial_lr", "name"}
# Flags of the implementation, not of the method: named only when switched on.
_GROUP_FLAGS = {"foreach", "fused", "capturable", "differentiable", "maximize"}
_SCHEDULER_STATE = {
    *("optimizer", "base_lrs", "last_epoch", "verbose", "best", "num_bad_epochs"),
    *("cooldown_counter", "mode_worse", "T_cur", "T_i", "default_min_lr"),
}


def read(value: object) -> list[Leaf] | None:
    """Read the settings off a training object.

    Parameters
    ----------
    value : object
        A torch optimizer, learning-rate scheduler, ``DataLoader``, AMP ``GradScaler``
        or ``autocast``, loss, ``nn.Module``, or torchvision/Albumentations transform.

    Returns
    -------
    list of (key, value) or None
        In a stable order; a `Tag` may stand as a value. ``None`` for anything else,
        and always while torch is not imported (such an object cannot exist then).
    """
    if transforms.is_transform(value):
        return list(transforms.read(value))
    torch = loaded("torch")
    if torch is None or isinstance(value, (type, str, int, float, dict)):
        return None
    reader = _reader(torch, value)
    return None if reader is None else list(reader(value))


def kind_of_settings(value: object) -> str:
    """Say what kind of training object :func:`read` would read; empty where it is none.

    Objects of one kind have the same keys.
    """
    if transforms.is_transform(value):
        return "transform"
    torch = loaded("torch")
    if torch is None or isinstance(value, (type, str, int, float, dict)):
        return ""
    if type(value).__module__.startswith("torchmetrics."):
        return ""  # a module, but no network
    reader = _reader(torch, value)
    return "" if reader is None else str(reader.__name__).removeprefix("_").removeprefix("read_")


def _reader(torch: Any, value: object) -> Any:  # noqa: PLR0911
    if isinstance(value, torch.optim.Optimizer):
        return read_optimizer
    schedulers = torch.optim.lr_scheduler
    base = getattr(schedulers, "LRScheduler", getattr(schedulers, "_LRScheduler", ()))
    if isinstance(value, (base, schedulers.ReduceLROnPlateau)):
        return read_scheduler
    if isinstance(value, torch.utils.data.DataLoader):
        return read_loader
    if isinstance(value, torch.nn.Module):
        return read_loss if _is_loss(value) else read_model
    if type(value).__name__ == "GradScaler" and hasattr(value, "is_enabled"):
        return _read_scaler
    if isinstance(value, torch.autocast):
        return _read_autocast
    return None


def _is_loss(value: Any) -> bool:
    kind = type(value)
    if kind.__module__ == "torch.nn.modules.loss":
        return True
    return kind.__name__.lower().endswith(("loss", "criterion"))


def read_optimizer(optimizer: Any) -> Iterator[Leaf]:
    """Yield ``optimizer``, the first group's settings, and what differs in the others.

    ``lr`` is the rate that was set, not the one a warm-up has reached by now.
    """
    yield "optimizer", type(optimizer).__name__
    groups = [_group(group) for group in optimizer.param_groups]
    if not groups:
        return
    yield from groups[0].items()
    if len(groups) > 1:
        yield "optimizer.groups", len(groups)
    for index, group in enumerate(groups[1:], start=1):
        for key, item in group.items():
            if key not in groups[0] or groups[0][key] != item:
                yield f"optimizer.group{index}.{key}", item


def _group(group: dict[str, Any]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for key, item in group.items():
        if key in _GROUP_STATE or (key in _GROUP_FLAGS and not item):
            continue
        settings[key] = _number(group.get("initial_lr", item) if key == "lr" else item)
    return settings


def _number(value: Any) -> object:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 and not is_scalar(value):
        return value.item()
    return [_number(item) for item in value] if isinstance(value, (list, tuple)) else value


def read_scheduler(scheduler: Any, key: str = "lr_scheduler") -> Iterator[Leaf]:
    """Yield the scheduler's class and settings; members of a chain are numbered."""
    yield key, type(scheduler).__name__
    settings = vars(scheduler)
    for name, item in settings.items():
        if name.startswith("_") or name in _SCHEDULER_STATE:
            continue
        setting = _scheduler_setting(item)
        if setting is not None:
            yield f"{key}.{name}", setting
    if "_milestones" in settings:
        yield f"{key}.milestones", list(settings["_milestones"])
    for index, member in enumerate(settings.get("_schedulers", ())):
        yield from read_scheduler(member, f"{key}.{index}")


def _scheduler_setting(item: Any) -> object:
    if hasattr(item, "elements"):  # MultiStepLR keeps its milestones in a Counter
        return sorted(item.elements())
    if is_scalar(item):
        return item
    if isinstance(item, (list, tuple)) and item:
        if all(is_scalar(each) for each in item):
            return list(item)
        if all(callable(each) for each in item):
            return [object_text(each) for each in item]
    return None


def read_loader(loader: Any) -> Iterator[Leaf]:
    """Yield batch size, workers, sampling and the data set of a ``DataLoader``."""
    batcher = loader.batch_sampler
    batch_size = loader.batch_size
    if batch_size is None and batcher is not None:
        batch_size = getattr(batcher, "batch_size", None)
    sampler = getattr(batcher, "sampler", loader.sampler)
    name = type(sampler).__name__
    yield "batch_size", batch_size
    yield "num_workers", loader.num_workers
    yield "shuffle", shuffles(sampler)
    yield "sampler", name.lstrip("_")
    yield from _sampler_length(sampler, loader.dataset)
    if batcher is not None and type(batcher).__name__ != "BatchSampler":
        yield "batch_sampler", type(batcher).__name__
    yield "drop_last", bool(getattr(batcher, "drop_last", loader.drop_last))
    for option in ("pin_memory", "persistent_workers", "prefetch_factor"):
        if getattr(loader, option, None):
            yield option, getattr(loader, option)
    if loader.generator is not None:
        yield "loader_seed", loader.generator.initial_seed()
    if loader.worker_init_fn is not None:
        yield "worker_init_fn", object_text(loader.worker_init_fn)
    if loader.collate_fn is not None and "default_" not in object_text(loader.collate_fn):
        yield "collate_fn", object_text(loader.collate_fn)
    yield "dataset", type(loader.dataset).__name__
    try:
        yield "dataset.length", len(loader.dataset)
    except (TypeError, NotImplementedError):  # a stream has no length
        return


def _sampler_length(sampler: Any, dataset: Any) -> Iterator[Leaf]:
    """Yield how many samples an epoch has, where it is not all of the data set."""
    try:
        count = len(sampler)
        if count != len(dataset):
            yield "sampler.length", count
    except (TypeError, NotImplementedError, AttributeError):
        return


def _read_scaler(scaler: Any) -> Iterator[Leaf]:
    yield "amp", bool(scaler.is_enabled())
    if scaler.is_enabled():
        yield "amp.init_scale", getattr(scaler, "_init_scale", None)
        yield "amp.growth_interval", scaler.get_growth_interval()


def _read_autocast(context: Any) -> Iterator[Leaf]:
    yield "amp", bool(context._enabled)
    yield "amp.device", context.device
    yield "amp.dtype", str(context.fast_dtype).removeprefix("torch.")
