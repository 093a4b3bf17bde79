# No annotations of the future: TorchScript reads those of ``resize`` as they stand.
"""torchvision's detectors resize as TorchScript by the scale that they resize by in Python.

In a script torchvision takes the scale in single precision, and of an image of 87 pixels that
is to have 96 it makes 95: other boxes than those that were measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.transform import GeneralizedRCNNTransform


class _Exact(GeneralizedRCNNTransform):  # type: ignore[misc]
    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        height, width = image.shape[-2], image.shape[-1]
        small, large = float(min(height, width)), float(max(height, width))
        scale = min(float(self.min_size[-1]) / small, float(self.max_size) / large)
        resized = torch.nn.functional.interpolate(
            image[None],
            scale_factor=scale,
            mode="bilinear",
            recompute_scale_factor=True,
            align_corners=False,
        )
        return resized[0], target


@contextmanager
def exact_resizing(model: Any) -> Iterator[None]:
    """Let the parts of a model that resize images do it exactly while it becomes a script.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode; as it was afterwards. One of a fixed size, or whose class is the
        user's own, is left as it is.
    """
    parts = [
        part
        for part in model.modules()
        if type(part) is GeneralizedRCNNTransform and part.fixed_size is None
    ]
    try:
        for part in parts:
            part.__class__ = _Exact
        yield
    finally:
        for part in parts:
            part.__class__ = GeneralizedRCNNTransform
