"""``mlaugment()``: what a transform makes of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.augmentation import Augmentation
from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.paths import PICTURES
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.pictures import shown
from cvtrack_magics.commands.typed import expression
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.secrets.stored import stored_part

if TYPE_CHECKING:
    from cvtrack_magics.display.image_view import Shown
    from cvtrack_magics.vision.boxes import BoxFormat


@command(
    transform=Arg("TRANSFORM", expression),
    dataset=Arg("DATASET", expression),
    draws=Arg("K"),
    seed=Arg("S"),
    indices=Arg(hidden=True),
    box_format=Arg(hidden=True),
)
def mlaugment(
    transform: Any,
    dataset: Any,
    *,
    n: int = 4,
    draws: int = 4,
    seed: int = 0,
    name: str = "augmentation",
    indices: Sequence[int] | None = None,
    box_format: BoxFormat = "xyxy",
) -> Shown:
    """Show samples of a data set beside draws of a transform, boxes and masks moved along.

    Picture and seeds are recorded in the open run, and what looks wrong is said.

    Parameters
    ----------
    transform : callable
        Of torchvision (v1 or v2) or Albumentations, or any function of an image.
    dataset : Dataset or sequence
        Items are an image, or an image and a label, mask or dict with boxes and masks.
    n : int
        How many samples.
    draws : int
        How many draws of each.
    seed : int
        Every draw has a seed that follows from this one; the user's own random generators
        are left as they were.
    name : str
        Of ``visualisations/<name>.png`` and ``<name>.json``.
    indices : sequence of int, optional
        Which samples, in place of ``n``.
    box_format : str
        How the boxes of the targets are written: ``xyxy``, ``xywh`` or ``cxcywh``.

    Examples
    --------
    ::

        %mlaugment train_transform train_set --n 4
    """
    from cvtrack_magics.vision.augment import augment, panel

    found = augment(
        transform, dataset, n=n, draws=draws, seed=seed, indices=indices, box_format=box_format
    )
    facts = Augmentation(
        seed=seed,
        indices=tuple(map(int, found.indices)),
        seeds=tuple(tuple(map(int, row)) for row in found.seeds),
        notes=tuple(found.notes),
    )
    files: list[Record] = [Artifact(f"{PICTURES}/{stored_part(name)}.json", written(facts))]
    words = f"{len(found)} samples and {draws} draws of each."
    return shown(panel(found), name, words, found.notes, files)
