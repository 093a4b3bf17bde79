"""Runs a model over a data loader and keeps what it said, with the time it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Task
from cvtrack_magics.tasks.class_names import names_in
from cvtrack_magics.tasks.classification.parse import AFTER_SOFTMAX
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.order import Order
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.eval_mode import evaluating
from cvtrack_magics.vision.given import MOST, Asked, Given
from cvtrack_magics.vision.images import to_images
from cvtrack_magics.vision.last_activation import called


def collect(
    model: Any,
    loader: Iterable[Any],
    task: Task,
    *,
    classes: Any = None,
    device: Any = None,
    value_range: Any = None,
    layout: Any = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Predictions:
    """Run a model over (images, truth) batches and return its predictions.

    The model is put into ``eval()`` and back; no gradients are made. Time is taken around the
    model alone, with the device synchronised; the first batch warms up and is not counted
    where there are more.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Takes a batch of images. Its output is taken as logits (classification, multilabel,
        semantic), as probabilities where a softmax or a sigmoid made it (classification,
        multilabel), a list of dicts (detection, instance, keypoints), scores or a dict with
        ``scores`` and ``heat`` (anomaly), or maps (depth).
    loader : iterable
        Yields (images, truth). Samples of a ``DataLoader`` are named by their index in the
        data set, through Subset and sampler; those of a list by their place, and where the
        order is not known (a generator) by the digest of their picture. What a
        ``DistributedSampler`` repeats to fill up its last round is left out, so that the ranks
        joined are the data set once; what ``drop_last`` leaves out is said.
    task : str
        One of the nine tasks.
    classes : sequence of str, optional
        Names by index; otherwise those of the loader's data set, through Subset too.
    device : torch.device or str, optional
        Where to run; otherwise where the model's parameters are.
    value_range, layout
        See :meth:`Predictions.classification`; recognised from the first batch.
    limit : int, optional
        Stop after so many samples.
    progress : callable, optional
        Called with the number of samples done and the number of all (0: unknown).
    **options
        More of what the task's way of making ``Predictions`` takes; ``ids``, ``names`` and
        ``about`` of all samples, in order, or ``about`` by their ids.

    Returns
    -------
    Predictions
        With ``seconds``, so that throughput (FPS) is known.
    """
    import torch

    make = getattr(Predictions, str(task), None)
    if task not in Task.__args__ or make is None:  # type: ignore[attr-defined]
        raise UsageProblem(f"task={task!r} is none of {', '.join(Task.__args__)}.")  # type: ignore[attr-defined]
    order, columns = Order(loader), options.pop("about", None)
    classes = names_in(order.dataset) if classes is None else classes
    place = device if device is not None else _device_of(model)
    total = _total(order.dataset)
    softmax: bool | None = None if kind_of(task).may_end_in_softmax else False
    parts: list[Predictions] = []
    times: list[tuple[int, float]] = []
    done, whole, unknown = 0, True, ""
    inputs = _Inputs()
    with evaluating(model), torch.no_grad(), order.watching():
        for batch in loader:
            if not isinstance(batch, (tuple, list)) or len(batch) < 2:
                raise _no_pair(batch)
            images, truth = batch[0], batch[1]
            moved = _to(images, place)
            _wait(place)
            started = time.perf_counter()
            # the time of the first batch, which is watched, counts only where it is alone
            output, softmax = called(model, moved) if softmax is None else (model(moved), softmax)
            _wait(place)
            spent = time.perf_counter() - started
            if value_range is None:
                value_range, unknown = _range(images, layout, order.dataset)
            rows = slice(done, done + len(images))
            given = {"ids": order.ids(rows.start, rows.stop), **options}
            given |= {"layout": layout, "value_range": value_range}
            given |= {key: options[key][rows] for key in ("ids", "names") if key in options}
            if classes is not None and kind_of(task).takes_class_names:
                given["classes"] = classes
            part = make(images, truth, **kind_of(task).said(output, softmax=softmax), **given)
            softmax = softmax or AFTER_SOFTMAX in part.notes  # one reading for all batches
            inputs.add(part.given)
            parts.append(replace(part, given=None))
            times.append((len(part), spent))
            done += len(part)
            if progress:
                progress(done, total)
            if limit is not None and done >= limit:
                whole = False
                break
    if not parts:
        raise UsageProblem("collect: the loader gave no batch.")
    notes = [*(note for part in parts for note in part.notes), unknown]
    told = tuple(dict.fromkeys(filter(None, notes)))
    dropped = _of_dropped(order.left_out(done)) if whole else ()
    found = _timed(Predictions.join(parts), times).with_about(columns)
    found = replace(found, given=inputs.of(model), notes=(*told, *dropped))
    return _real(found, order, limit)


def _real(found: Predictions, order: Order, limit: int | None) -> Predictions:
    """Return the samples that are no padding, with a note where some were drawn again."""
    rows = order.real(len(found))[:limit]
    notes = (*found.notes, *_of_repeated(order.repeated(rows), len(rows)))
    return replace(found[np.array(rows, np.int64)], notes=notes)


def _no_pair(batch: Any) -> UsageProblem:
    if isinstance(batch, Mapping):
        keys = ", ".join(map(str, list(batch)[:8]))
        return UsageProblem(
            f"collect: expected batches of (images, truth), saw dicts of {keys}.",
            "Name the two with a collate_fn of the loader.",
        )
    return UsageProblem(
        f"collect: expected batches of (images, truth), saw a {type(batch).__name__}."
    )


class _Inputs:
    """A few inputs from the whole of a loader, whose length nobody knows."""

    def __init__(self) -> None:
        self._kept: list[Given] = []
        self._stride, self._seen = 1, 0

    def add(self, given: Given | None) -> None:
        """Take one sample of every so many batches, of the first batch more."""
        if given is not None and self._seen % self._stride == 0:
            few = given.thin(MOST if not self._seen else 1)
            self._kept += [few] if few else []
        if len(self._kept) > 2 * MOST:
            self._kept, self._stride = self._kept[::2], 2 * self._stride
        self._seen += 1

    def of(self, model: Any) -> Given | None:
        """Return them with the model that they were given to."""
        if not self._kept:
            return None
        inputs = {key: value for few in self._kept for key, value in few.inputs.items()}
        return Given(inputs, self._kept[0].layout, Asked.of(model)).thin()


def _timed(found: Predictions, times: list[tuple[int, float]]) -> Predictions:
    """Return predictions with the time they took, without the first batch's."""
    counted = times[1:] or times
    per_sample = sum(spent for _, spent in counted) / sum(count for count, _ in counted)
    return replace(found, seconds=per_sample * len(found))


def _of_dropped(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        return ()
    named = ", ".join(ids[:8]) + (", …" if len(ids) > 8 else "")
    one = len(ids) == 1
    return (
        f"{len(ids)} sample{'' if one else 's'} {'was' if one else 'were'} left out by drop_last "
        f"and not measured: {named}.",
    )


def _of_repeated(repeats: int, count: int) -> tuple[str, ...]:
    if not repeats:
        return ()
    return (
        f"The loader's sampler gave {repeats:,} of {count:,} samples again; each counts as often "
        "as it was given.",
    )


def _range(images: Any, layout: Any, dataset: Any) -> tuple[Any, str]:
    """Return the range of the first batch, for all to be read alike, and a line if in doubt."""
    from cvtrack_magics.vision.images import range_to_show

    to_images(images[:1], layout=layout, value_range=(0, 1))  # says what is wrong with the shape
    return range_to_show(images, layout, _transform_of(dataset))


def _transform_of(dataset: Any) -> Any:
    """Return the transform of a data set's pictures, through Subset too."""
    for _ in range(8):
        found = getattr(dataset, "transform", None) or getattr(dataset, "transforms", None)
        if found is not None:
            return found
        dataset = getattr(dataset, "dataset", None)
    return None


def _device_of(model: Any) -> Any:
    parameters = getattr(model, "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    return None if first is None else first.device


def _to(images: Any, device: Any) -> Any:
    if device is None:
        return images
    if isinstance(images, (list, tuple)):
        return [image.to(device) for image in images]
    return images.to(device)


def _wait(device: Any) -> None:
    if device is not None and str(device).startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    elif device is not None and str(device).startswith("mps"):
        import torch

        torch.mps.synchronize()


def _total(dataset: Any) -> int:
    try:
        return len(dataset)
    except (AttributeError, TypeError):
        return 0
