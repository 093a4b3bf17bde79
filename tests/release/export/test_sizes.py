"""An export with open sizes answers as the model at every size, or there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvtrack_magics.errors import ExportRefused
from cvtrack_magics.release.export import export
from cvtrack_magics.release.export.inputs import inputs_of
from cvtrack_magics.release.export.test_inputs import cases_of
from cvtrack_magics.release.export.writers import sizes_in_guards


class Doubles(nn.Module):
    """Doubles what it finds where the size is such."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.conv = where, nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[-2:]
        doubled = {
            "narrow": width < 20,
            "low": height < 7,
            "upright": height > width,
            "wide": width > 2 * height,
            "tall": height > 2 * width,
            "one width": width == 113,
            "one height": height == 9,
        }[self.where]
        found = self.conv(images)
        return (2 * found if doubled else found).mean((2, 3))


ALL = ("narrow", "low", "upright", "wide", "tall", "one width", "one height")


@pytest.mark.parametrize("where", ALL)
def test_a_size_that_decides_is_refused_whatever_the_example(where: str, tmp_path: Path) -> None:
    for name, size in (("square", (24, 24)), ("lying", (30, 48))):
        with pytest.raises(ExportRefused) as refused:
            export(
                Doubles(where), torch.rand(1, 3, *size), tmp_path / name,
                format="pt2", dynamic=("batch", "height", "width"),
            )  # fmt: skip
        assert refused.value.report.tries
        assert not (tmp_path / name).exists()


def test_smaller_turned_and_longer_pictures_are_tried() -> None:
    for size in ((64, 64), (48, 96), (1, 1), (3, 200)):
        inputs = inputs_of(nn.Identity(), torch.rand(1, 3, *size), ("height", "width"))
        height, width = size
        tall, wide = max(height, 3 * width), max(width, 3 * height)
        tried = {case.leaves[0].shape[-2:] for case in cases_of(inputs, 0) if case.kind == "size"}
        assert all(min(each) > 0 for each in tried)
        assert {(width, height), (tall, width), (height, wide)} - {size} <= tried
        assert any(each < size for each in tried) or size == (1, 1)
    inputs = inputs_of(nn.Identity(), torch.rand(1, 3, 8, 9), ("width",))
    tried = {case.leaves[0].shape[-2:] for case in cases_of(inputs, 0) if case.kind == "size"}
    assert {height for height, _ in tried} == {8}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("narrow", {("width", 19), ("width", 20)}),
        ("low", {("height", 6), ("height", 7)}),
        ("one width", {("width", 112), ("width", 113), ("width", 114)}),
    ],
)
def test_what_a_graph_asks_of_its_sizes_is_read(where: str, found: Any) -> None:
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.export.export(
        Doubles(where), (torch.rand(2, 3, 48, 56),), dynamic_shapes=(free,), strict=False
    )
    assert found <= set(sizes_in_guards(program))
