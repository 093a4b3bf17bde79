"""What is exported holds no path of the machine and no line of the user's code."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from cvtrack_magics.release.export import export
from cvtrack_magics.release.export.writers import writers
from cvtrack_magics.release.model.graph import _jit_bytes

IMAGES = torch.rand(2, 3, 8, 8)


class Scaled(torch.nn.Module):
    """Its forward has a line that is looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        line_of_the_user = self.conv(images).relu()
        return line_of_the_user.mean((2, 3)) * 3.25


def _contents(path: Path) -> bytes:
    """Return a file's bytes, and those of what it packs."""
    whole = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            whole += b"".join(archive.read(name) for name in archive.namelist())
    return whole


def _exporters() -> list[tuple[Any, str]]:
    return [(format, name) for format in ("onnx", "torchscript", "pt2") for name in writers(format)]


@pytest.mark.parametrize(("format", "exporter"), _exporters())
def test_no_exporter_leaves_where_it_ran(
    format: Any, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cvtrack_magics.release.export.verified.writers",
        lambda asked, given: {exporter: writers(asked, given)[exporter]},
    )
    found = export(Scaled(), IMAGES, tmp_path, format=format)
    content = _contents(found.path)
    here = str(Path(__file__).parents[3])
    # TorchScript is the code itself, in PyTorch's own words
    for word in (here, str(Path(torch.__file__).parent), "line_of_the_user = self", '.py", line'):
        assert word.encode() not in content, word


def test_an_onnx_file_says_what_it_is(tmp_path: Path) -> None:
    about = {"run": "a run", "run_id": "1a2b"}
    found = export(Scaled(), IMAGES, tmp_path, about=about, opset=18)
    props = {one.key: one.value for one in onnx.load(str(found.path)).metadata_props}
    assert {key: props[key] for key in ("name", "run", "run_id", "opset")} == {
        "name": "Scaled",
        **about,
        "opset": "18",
    }
    assert f"PyTorch {torch.__version__}" in props["producer"]


def test_weights_beside_the_file_stay_beside_it(tmp_path: Path) -> None:
    tmp_path /= "kept"
    tmp_path.mkdir()
    found = export(Scaled(), IMAGES, tmp_path, inline_limit=1)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.onnx.data"}
    assert found.path.stat().st_size < 10_000


def test_a_kept_script_has_no_lines_either() -> None:
    content = _jit_bytes(torch.jit.script(Scaled().eval()))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".debug_pkl")]
    assert torch.jit.load(io.BytesIO(content))(IMAGES).shape == (2, 4)
