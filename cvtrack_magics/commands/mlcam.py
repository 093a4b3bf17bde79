"""``mlcam()`` and ``mlaugment()``: pictures that explain a model and show its food."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.names import file_part
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.display.image_view import Shown

FOLDER = "visualisations"


def mlcam(
    model: Any,
    inputs: Any,
    *,
    layer: Any = None,
    target: int | Sequence[int] | None = None,
    classes: Sequence[str] = (),
    value_range: Any = None,
    name: str = "grad_cam",
) -> Shown:
    """Show where a classifier looks, by Grad-CAM, and keep the picture in the open run.

    Parameters
    ----------
    model : torch.nn.Module
        Takes N × C × H × W and returns logits N × K.
    inputs : tensor or array
        N × C × H × W as the model takes it, or one image.
    layer : str or torch.nn.Module, optional
        Where to look; found for torchvision's families.
    target : int or sequence of int, optional
        The class to explain; the predicted one otherwise.
    classes : sequence of str
        Names by index.
    value_range : (float, float), str or (means, deviations), optional
        What is black and white in the inputs, or what they were normalised with ('imagenet',
        'clip' …); recognised where only one reading is possible.
    name : str
        Of ``visualisations/<name>.png``.
    """
    from cvtrack_magics.vision.gradcam import cam, panel

    found = cam(model, inputs, layer=layer, target=target, classes=classes, value_range=value_range)
    words = f"Grad-CAM of {len(found)} images at layer {found.layer}."
    return _shown(panel(found, classes), name, words, found.notes, [])


def target_of(text: str, classes: Sequence[str]) -> int | None:
    """Return the class that was typed: an index, or a name of ``classes``."""
    if not text:
        return None
    names = [str(name) for name in classes]
    if text in names:
        return names.index(text)
    try:
        return int(text)
    except ValueError:
        hint = did_you_mean(text, names) if names else " Give --classes, or an index."
        raise UsageProblem(f"There is no class {text!r}.{hint}") from None


def mlaugment(
    transform: Any,
    dataset: Any,
    *,
    n: int = 4,
    draws: int = 4,
    seed: int = 0,
    name: str = "augmentation",
    **about: Any,
) -> Shown:
    """Show samples beside draws of a transform, and keep picture and seeds in the open run.

    Parameters
    ----------
    transform : callable
        Of torchvision (v1 or v2) or Albumentations, or any function of an image.
    dataset : Dataset or sequence
        Items are an image, or an image and a label, mask or dict with boxes and masks.
    n, draws : int
        How many samples, and how many draws of each.
    seed : int
        Every draw has a seed that follows from this one; the user's own random generators
        are left as they were.
    name : str
        Of ``visualisations/<name>.png`` and ``<name>.json``.
    **about
        ``indices`` of the samples, and ``box_format``.
    """
    from cvtrack_magics.vision.augment import augment, panel

    found = augment(transform, dataset, n=n, draws=draws, seed=seed, **about)
    facts = {"seed": seed, "indices": found.indices, "seeds": found.seeds, "notes": found.notes}
    files: list[Record] = [
        Artifact(f"{FOLDER}/{file_part(name)}.json", json.dumps(facts, indent=1))
    ]
    words = f"{len(found)} samples and {draws} draws of each."
    return _shown(panel(found), name, words, found.notes, files)


def _shown(picture: Any, name: str, words: str, notes: Sequence[str], files: list[Record]) -> Shown:
    from cvtrack_magics.display.image_view import Shown, png

    data = png(picture)
    scope = get_session().current
    where = ""
    if scope is not None:
        path = f"{FOLDER}/{file_part(name)}.png"
        said = scope.add([Artifact(path, data), *files])
        where = " ".join([f"Kept as {path} in run {scope.name!r}.", *said])
    return Shown(data, f"{words} {where}".strip(), tuple(notes))
