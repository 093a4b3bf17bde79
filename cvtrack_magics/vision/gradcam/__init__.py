"""Grad-CAM: which places of an image speak for a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.eval_mode import evaluating
from cvtrack_magics.vision.gradcam import layers as cam_layers
from cvtrack_magics.vision.gradcam import model as cam_model
from cvtrack_magics.vision.gradcam.layers import Source
from cvtrack_magics.vision.gradcam.views import Heat, overlay, panel
from cvtrack_magics.vision.images import Image, Layout, Range

if TYPE_CHECKING:
    import torch

__all__ = ["CamResult", "cam", "overlay", "panel"]


@dataclass(frozen=True, slots=True)
class CamResult:
    """Class activation maps of N images.

    Attributes
    ----------
    images : list of uint8 arrays, H × W × C, or H × W where grey
        The inputs as pictures.
    heat : list of float32 arrays, H × W
        0 where nothing speaks for the class, 1 at the strongest place of each image.
    targets : tuple of int
        The class explained.
    scores : tuple of float
        The probability that the model gives it.
    layer : str
        Dotted name of the layer.
    notes : tuple of str
        What a reader should know, one line each.
    classes : tuple of str
        Names of the classes, or empty.
    """

    images: list[Image]
    heat: list[Heat]
    targets: tuple[int, ...]
    scores: tuple[float, ...]
    layer: str
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def cam(
    model: torch.nn.Module,
    inputs: Any,
    *,
    layer: str | torch.nn.Module | None = None,
    target: int | Sequence[int] | None = None,
    value_range: Range | None = None,
    layout: Layout | None = None,
    classes: Sequence[str] = (),
) -> CamResult:
    """Explain a classifier's answers by Grad-CAM [1]_, with captum.

    The model is run in eval mode; modes, hooks, parameters and their gradients are as
    before afterwards. It may be frozen, and the caller may be under ``torch.no_grad()``.

    Parameters
    ----------
    model : torch.nn.Module
        Takes images N × C × H × W and returns logits N × K.
    inputs : tensor or array, N × C × H × W or C × H × W, float
        What the model takes, normalised as it was trained; moved to its device and dtype.
        A list of images of one size also goes.
    layer : str or torch.nn.Module, optional
        Where the map is read: a dotted name such as ``"layer4.1.conv2"`` or the module. By
        default the last output with more than one position, before any pooling; with
        tokens, what goes into the last attention.
    target : int or sequence of int, optional
        The class explained, for all images or for each; by default each image's best.
    value_range, layout
        How the inputs become pictures, see `images.to_images`; ``layout="HWC"`` has them
        turned before the model gets them.
    classes : sequence of str, optional
        Names of the K classes, for the captions.

    Returns
    -------
    CamResult
        Pictures and maps; a map without any positive evidence is all zeros, with a note.

    Raises
    ------
    UsageProblem
        In one line: the model does not return logits or gives NaN, the layer is unknown or
        has no feature map, a target is out of range, the pictures' range is unclear.

    References
    ----------
    .. [1] Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization", ICCV 2017.
    """
    import torch

    core = cam_model.unwrapped(model)
    wanted = None if layer is None else cam_model.named(core, layer)
    # Grad mode cannot be switched on under inference mode, and its tensors take no gradient.
    with torch.inference_mode(False), evaluating(core):
        batch = cam_model.batch_of(torch, core, inputs, layout)
        notes: list[str] = []
        pictures = cam_model.pictures_of(batch, value_range, notes)
        logits, seen = cam_model.logits_of(torch, core, batch)
        size, first = tuple(batch.shape[2:]), min(len(batch), cam_model.CHUNK)
        if wanted is None:
            source = cam_layers.choose(seen, first, size)
        else:
            source = cam_layers.given(*wanted, seen, first, size)
        names = cam_model.names_of(classes, logits.shape[1])
        targets = cam_model.targets_of(target, logits)
        scores = cam_model.probabilities_of(torch, logits, seen, notes)
        if source.runs > 1:
            notes.append(f"layer {source.name!r} runs {source.runs} times; its last output is used")
        if source.height * source.width == 1:
            notes.append(f"layer {source.name!r} is 1×1: its heat does not tell places apart")
        raw = _attributions(core, batch, targets, source)
    return CamResult(
        pictures,
        _normalised(raw, source.name, notes),
        tuple(targets.tolist()),
        tuple(float(scores[row, column]) for row, column in enumerate(targets)),
        source.name,
        tuple(notes),
        names,
    )


def _attributions(model: Any, batch: Any, targets: npt.NDArray[np.int64], source: Source) -> Heat:
    import torch

    try:
        from captum.attr import LayerAttribution, LayerGradCam
    except ImportError:
        raise UsageProblem("Grad-CAM needs captum.", "pip install captum") from None
    parts = []
    with cam_layers.probe(source) as probe:
        method = LayerGradCam(model, probe)
        for start in range(0, len(batch), cam_model.CHUNK):
            chunk = slice(start, start + cam_model.CHUNK)
            wanted = torch.as_tensor(targets[chunk], device=batch.device)
            try:
                small = method.attribute(batch[chunk], target=wanted, relu_attributions=True)
            except RuntimeError as error:
                text = str(error)
                if "does not require grad" not in text and "not have been used" not in text:
                    raise
                raise UsageProblem(
                    f"layer {source.name!r} has no gradient: the output does not follow from it.",
                    "Is the model's forward under no_grad, or the layer's output unused?",
                ) from error
            large = LayerAttribution.interpolate(small.float(), tuple(batch.shape[2:]), "bilinear")
            parts.append(large[:, 0].detach().cpu().numpy())
    return np.concatenate(parts).astype(np.float32)


def _normalised(raw: Heat, layer: str, notes: list[str]) -> list[Heat]:
    heat, empty, broken = [], 0, 0
    for map_ in raw:
        peak = float(map_.max())
        if not np.isfinite(map_).all():
            broken += 1
        elif peak > 0:
            heat.append(np.clip(map_.astype(np.float64) / peak, 0, 1).astype(np.float32))
            continue
        else:
            empty += 1
        heat.append(np.zeros_like(map_))
    if empty:
        notes.append(
            f"{empty} of {len(raw)} maps are empty: nothing in {layer!r} speaks for the class"
        )
    if broken:
        notes.append(f"{broken} of {len(raw)} maps are left empty: their gradients are not finite")
    return heat
