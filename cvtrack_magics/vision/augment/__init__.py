"""Augmentation samples: what a transform makes of images, their boxes and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.vision import panels
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.augment import items as augment_items
from cvtrack_magics.vision.augment import notes as augment_notes
from cvtrack_magics.vision.augment.apply import Applied, seeded
from cvtrack_magics.vision.augment.items import Item
from cvtrack_magics.vision.boxes import BoxFormat
from cvtrack_magics.vision.images import Image

__all__ = ["AugmentResult", "Sample", "augment", "panel", "seeded"]

_ROWS, _COLUMNS = 16, 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One image, and what moves with it.

    Attributes
    ----------
    image : uint8 array, H × W × C, or H × W where grey
        As a picture: normalisations undone.
    boxes : float array, M × 4, or None
        xyxy in pixels of the image.
    labels : int64 array, M, or None
        Of the boxes or of the masks of objects.
    mask : array, H × W (label map) or M × H × W (one for each object), or None
        The mask.
    label : str
        Of the whole image, or ``""``.
    """

    image: Image
    boxes: Array | None = None
    labels: npt.NDArray[np.int64] | None = None
    mask: Array | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class AugmentResult:
    """Samples and what a transform made of them.

    Attributes
    ----------
    originals : tuple of Sample
        Before the transform.
    draws : tuple of tuples of Sample
        For each original.
    seeds : tuple of tuples of int
        Of each draw: with Albumentations' ``set_random_seed``, and else within ``seeded``,
        it gives the draw again.
    indices : tuple of int
        The originals' places in the data set.
    notes : tuple of str
        What is wrong or remarkable, one line each, with counts.
    """

    originals: tuple[Sample, ...]
    draws: tuple[tuple[Sample, ...], ...]
    seeds: tuple[tuple[int, ...], ...]
    indices: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.originals)


def augment(
    transform: Callable[..., Any],
    dataset: Any,
    *,
    n: int = 4,
    draws: int = 4,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    box_format: BoxFormat = "xyxy",
) -> AugmentResult:
    """Apply a transform several times to some samples.

    Each draw has a seed of its own, made of ``seed``, the sample's index and the draw's
    number, so that it does not depend on ``n`` and ``draws``. The generators of Python, NumPy
    and torch are as before afterwards, and so are those of an Albumentations pipeline.

    Parameters
    ----------
    transform : callable
        torchvision v2 (boxes and masks move along) or v1 (images only), Albumentations, any
        function of an image, or a function of image and target that returns both.
    dataset : data set, list, tensor or array
        By index: an image, (image, label), (image, mask) or (image, target dict with
        ``boxes``, ``labels``, ``masks``). Its own transform, if it has one, comes first.
    n, draws : int
        Samples, taken evenly over the data set, and draws of each.
    seed : int
        Not negative.
    indices : sequence of int, optional
        Which samples, instead of ``n``.
    box_format : str
        Of boxes that do not know their own, see `boxes.BoxFormat`.

    Returns
    -------
    AugmentResult
        Pictures, boxes, masks and seeds, and notes on what looks wrong.

    Raises
    ------
    UsageProblem
        In one line: an argument is out of range, an item holds no image, or the transform
        failed, with the sample, the draw's seed and the transform's own error.
    """
    for name, count, least in (("n", n, 1), ("draws", draws, 1), ("seed", seed, 0)):
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
            raise UsageProblem(f"{name}={count!r}: expected a whole number from {least}.")
    applied = Applied(transform)
    chosen = _chosen(dataset, n, indices)
    notes = _own_transform(dataset)
    items = [_item(dataset, index, seed, box_format) for index in chosen]
    seeds = tuple(tuple(_derived(seed, index, draw) for draw in range(draws)) for index in chosen)
    made = [
        [_draw(applied, item, own, index, draw) for draw, own in enumerate(row)]
        for item, row, index in zip(items, seeds, chosen, strict=True)
    ]
    before = [item.pixels for item in items]
    after = [item.pixels for row in made for item in row]
    shown = augment_notes.pictures(before, None, notes, "the originals")
    normalise = augment_notes.normalise_of(applied)
    flat = augment_notes.pictures(after, normalise, notes, "the draws")
    rows = [flat[start : start + draws] for start in range(0, len(flat), draws)]
    notes += augment_notes.observe(applied, items, made, shown, rows)
    return AugmentResult(
        tuple(_sample(item, image) for item, image in zip(items, shown, strict=True)),
        tuple(
            tuple(_sample(item, image) for item, image in zip(row, images, strict=True))
            for row, images in zip(made, rows, strict=True)
        ),
        seeds,
        tuple(chosen),
        tuple(dict.fromkeys(notes)),
    )


def panel(result: AugmentResult, classes: Sequence[str] = ()) -> Image:
    """Return one picture: each original beside its draws, with boxes, masks and seeds.

    Parameters
    ----------
    result : AugmentResult
        At most 16 samples and 8 draws of each are drawn; the panel says so where there are
        more.
    classes : sequence of str, optional
        Names for the labels.

    Returns
    -------
    uint8 array, height × width × 3
    """
    rows = []
    for row in range(min(len(result), _ROWS)):
        original = result.originals[row]
        label = original.label
        if label.isdigit() and int(label) < len(classes):
            label = classes[int(label)]
        tiles = [_tile(original, f"#{result.indices[row]} {label}", classes)]
        for sample, seed in zip(result.draws[row][:_COLUMNS], result.seeds[row], strict=False):
            tiles.append(_tile(sample, f"seed {seed}", classes))
        rows.append(tiles)
    foot = list(result.notes)
    if len(result) > _ROWS:
        foot.insert(0, f"{_ROWS} of {len(result)} samples")
    drawn = max((len(draws) for draws in result.draws), default=0)
    if drawn > _COLUMNS:
        foot.insert(0, f"{_COLUMNS} of {drawn} draws of each sample")
    return panels.compose(rows, foot, panels.SIDE if drawn <= 5 else 160)


def _tile(sample: Sample, caption: str, classes: Sequence[str]) -> panels.Tile:
    return panels.Tile(sample.image, caption, "", sample.boxes, sample.labels, sample.mask, classes)


def _chosen(dataset: Any, n: int, indices: Sequence[int] | None) -> list[int]:
    try:
        count = len(dataset)
    except TypeError:
        raise UsageProblem(
            f"{type(dataset).__name__} has no length: its samples cannot be chosen by index.",
            "Give a map-style Dataset or a list of samples.",
        ) from None
    if not hasattr(dataset, "__getitem__") or isinstance(dataset, (str, bytes)):
        raise UsageProblem(
            f"dataset: expected a Dataset or a list, saw {type(dataset).__name__}.",
            "A DataLoader's samples are in its .dataset." if hasattr(dataset, "dataset") else "",
        )
    if count == 0:
        raise UsageProblem(f"{type(dataset).__name__} is empty.", "Give one that holds samples.")
    if indices is None:
        steps = np.linspace(0, count - 1, min(n, count))
        return sorted({round(float(step)) for step in steps})
    wanted = [int(index) for index in indices]
    if not wanted:
        raise UsageProblem("indices: none given.", "Give at least one, or n.")
    outside = [index for index in wanted if not 0 <= index < count]
    if outside:
        raise UsageProblem(f"indices: {outside[0]} is not within 0..{count - 1}.")
    return wanted


def _own_transform(dataset: Any) -> list[str]:
    for _ in range(8):  # subsets of subsets
        for name in ("transforms", "transform"):
            own = getattr(dataset, name, None)
            if own is not None and callable(own):
                kind = getattr(own, "__name__", type(own).__name__)
                return [f"the originals come out of the data set's own {name} ({kind})"]
        dataset = getattr(dataset, "dataset", None)
        if dataset is None:
            break
    return []


def _derived(*parts: int) -> int:
    return int(np.random.SeedSequence([int(part) for part in parts]).generate_state(1)[0])


def _item(dataset: Any, index: int, seed: int, box_format: str) -> Item:
    try:
        # reading may be random too, and must neither disturb nor differ
        with seeded(_derived(seed, index)):
            value = dataset[index]
    except Exception as error:
        raise UsageProblem(
            f"Sample {index} of {type(dataset).__name__} cannot be loaded: {kind_and_line(error)}"
        ) from error
    return augment_items.read(value, f"sample {index}", box_format)


def _draw(applied: Applied, item: Item, seed: int, index: int, draw: int) -> Item:
    what = f"sample {index}, draw {draw} (seed {seed})"
    try:
        return applied(item, seed, what)
    except UsageProblem:
        raise
    except Exception as error:
        raise UsageProblem(f"{what}: the transform failed: {kind_and_line(error)}") from error


def _sample(item: Item, image: Image) -> Sample:
    return Sample(image, item.boxes, item.labels, item.mask, item.label)
