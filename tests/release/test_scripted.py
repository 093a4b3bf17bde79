"""A detector that became a script resizes images as it does in Python, to the pixel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform as Transform
from torchvision.ops import nms

from cvtrack_magics.release.scripted import resized_exactly

SIZES = [(480, 640), (60, 109), (87, 109), (64, 64), (131, 70), (97, 200), (119, 61), (33, 240)]
ASKED: dict[str, dict[str, Any]] = {
    "96 to 128": {"min_size": 96, "max_size": 128},
    "800 to 1333": {"min_size": 800, "max_size": 1333},
    "several sizes": {"min_size": (64, 90), "max_size": 150},
    "a fixed size": {"min_size": 64, "max_size": 64, "fixed_size": (70, 90)},
}


def _transform(asked: str) -> Any:
    return Transform(image_mean=[0.5] * 3, image_std=[0.2] * 3, **ASKED[asked]).eval()


@pytest.mark.parametrize("asked", ASKED)
def test_the_script_resizes_to_the_same_pixels(asked: str) -> None:
    own = _transform(asked)
    with resized_exactly(own):
        script = torch.jit.script(own)
    for height, width in SIZES:
        image = [torch.rand(3, height, width)]
        (mine, _), (theirs, _) = own(image), script(image)
        assert theirs.image_sizes == mine.image_sizes, (height, width)
        assert torch.equal(theirs.tensors, mine.tensors)


def test_torchvisions_own_script_does_not() -> None:
    """Else nothing is mended: then what stands in its place can go."""
    own = _transform("96 to 128")
    image = [torch.rand(3, 87, 109)]
    assert torch.jit.script(own)(image)[0].image_sizes != own(image)[0].image_sizes


def test_the_model_is_as_it_was_and_a_class_of_ones_own_is_left() -> None:
    class Own(Transform):  # type: ignore[misc]
        pass

    models = [_transform("96 to 128"), Own(96, 128, [0.5] * 3, [0.2] * 3)]
    model = torch.nn.Sequential(*models)
    with resized_exactly(model):
        assert type(models[0]) is not Transform
        assert type(models[1]) is Own
    assert [type(one) for one in models] == [Transform, Own]


class _Kept(torch.nn.Module):
    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        return nms(boxes, boxes[:, 0], 0.5)


def test_operators_of_torchvision_are_there_where_nobody_has_imported_it(tmp_path: Path) -> None:
    torch.jit.script(_Kept()).save(str(tmp_path / "network.pt"))
    code = (
        "import sys; from pathlib import Path; "
        "from cvtrack_magics.release.model.serving.network import read; "
        "assert 'torchvision' not in sys.modules; "
        "read(Path(sys.argv[1]), 'torchscript', trust=True)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "network.pt")], check=True)
