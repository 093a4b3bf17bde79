"""Heat maps over pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision import panels
from cvtrack_magics.vision.arrays import shape_of
from cvtrack_magics.vision.images import Image, rgb

if TYPE_CHECKING:
    from cvtrack_magics.vision.gradcam import CamResult

Heat = npt.NDArray[np.float32]


def overlay(image: Image, heat: Heat, alpha: float = 0.5) -> Image:
    """Return a picture with a heat map over it.

    Parameters
    ----------
    image : uint8 array, H × W or H × W × C
        The picture; its colours give way to those of the map.
    heat : float array, H × W
        0..1. Drawn with matplotlib's ``inferno``, whose lightness alone orders the values,
        so that it can be read without seeing colours.
    alpha : float
        How much of the map is seen, 0..1; with 0 the picture is left, in grey.

    Returns
    -------
    uint8 array, H × W × 3

    Raises
    ------
    UsageProblem
        Picture and map differ in size, or alpha is beyond 0..1.
    """
    from matplotlib import colormaps

    if not 0 <= alpha <= 1:
        raise UsageProblem(f"alpha={alpha} is not within 0..1.")
    picture = rgb(image)
    if picture.shape[:2] != heat.shape:
        raise UsageProblem(
            f"overlay: the image is {shape_of(picture)}, the heat map {shape_of(heat)}.",
            "Both need the same height and width.",
        )
    heat = np.clip(np.nan_to_num(heat), 0, 1)
    colours = np.asarray(colormaps["inferno"](heat), np.float32)[..., :3] * 255
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    # Bright places of the picture must not pass for hot ones: it is dimmed, and hidden by heat.
    weight = np.minimum(alpha * (0.4 + 1.4 * heat), 1)[..., None]
    mixed = (1 - weight) * (1 - 0.7 * alpha) * grey[..., None] + weight * colours
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def panel(result: CamResult, classes: Sequence[str] = (), *, alpha: float = 0.5) -> Image:
    """Return one picture of all maps: each original beside its overlay, with captions.

    Parameters
    ----------
    result : CamResult
        At most 24 images are drawn; the panel says so where there are more.
    classes : sequence of str, optional
        Names of the classes, by default those of the result.
    alpha : float
        See `overlay`.

    Returns
    -------
    uint8 array, height × width × 3
    """
    names = tuple(classes) or result.classes
    shown = min(len(result), 24)
    tiles = []
    for row in range(shown):
        target = result.targets[row]
        name = names[target] if target < len(names) else f"class {target}"
        tiles.append(panels.Tile(result.images[row], f"image {row}"))
        tiles.append(
            panels.Tile(
                overlay(result.images[row], result.heat[row], alpha),
                name,
                f" {_percent(result.scores[row])}",
            )
        )
    across = 2 * (1 if shown <= 3 else 2 if shown <= 10 else 3)
    rows = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    foot = [f"Grad-CAM, layer {result.layer}. Brighter: speaks more for the class.", *result.notes]
    if shown < len(result):
        foot.insert(1, f"{shown} of {len(result)} images")
    return panels.compose(rows, foot)


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
