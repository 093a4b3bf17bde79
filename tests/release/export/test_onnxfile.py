"""An ONNX file from elsewhere reads nothing outside its folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.release.export.onnxfile import checked_onnx, open_onnx


def outside(folder: Path, entries: dict[str, str], *, place: str = "initializer") -> Path:
    """A model that adds weights which lie in a file, as ``entries`` say."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weights.external_data.add(key=key, value=value)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    initial = [weights]
    if place == "attribute":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=weights))
        initial = []
    if place == "branch":
        inner = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])]
        copy = [helper.make_node("Identity", ["w"], ["z"])]
        branch = helper.make_graph(copy, "branch", [], inner, [weights])
        yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
        nodes = [
            helper.make_node("If", ["yes"], ["v"], then_branch=branch, else_branch=branch),
            helper.make_node("Add", ["x", "v"], ["y"]),
        ]
        initial = [yes]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret.bin").write_bytes(b"s" * 64)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    return folder


@pytest.mark.parametrize("place", ["initializer", "attribute", "branch"])
@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("../secret.bin", "leaves the model's folder"),
        ("sub/../../secret.bin", "leaves the model's folder"),
        ("..\\secret.bin", "leaves the model's folder"),
        ("C:\\secret.bin", "absolute"),
        ("link.bin", "link that leaves"),
        ("linked/secret.bin", "link that leaves"),
        ("*/_ORT_MEM_ADDR_/*", "no file's name"),
        ("absent.bin", "lacks a file"),
        (".", "lacks a file"),
    ],
)
def test_data_elsewhere_is_refused(home: Path, location: str, why: str, place: str) -> None:
    os.symlink(home.parent / "secret.bin", home / "link.bin")
    os.symlink(home.parent, home / "linked")
    path = outside(home, {"location": location}, place=place)
    for use in (checked_onnx, open_onnx):
        with pytest.raises(CvtrackError, match=why):
            use(path)


def test_an_absolute_path_is_refused(home: Path) -> None:
    path = outside(home, {"location": str(home.parent / "secret.bin")})
    with pytest.raises(CvtrackError, match="absolute"):
        checked_onnx(path)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({"location": "w.bin", "length": "17"}, "shorter"),
        ({"location": "w.bin", "offset": "-4"}, "offset"),
        ({"location": "w.bin", "offset": "99999999999999999999999999"}, "shorter"),
        ({"location": "w.bin", "length": "many"}, "length"),
        ({"offset": "0"}, "0 files"),
    ],
)
def test_a_wrong_range_is_refused(home: Path, entries: dict[str, str], why: str) -> None:
    with pytest.raises(CvtrackError, match=why):
        checked_onnx(outside(home, entries))


def test_data_beside_the_file_is_read(home: Path) -> None:
    model = open_onnx(outside(home, {"location": "w.bin", "length": "16"}), threads=1)
    (found,) = model.run([np.ones((2, 4), np.float32)])
    np.testing.assert_array_equal(found, [[1, 2, 3, 4]] * 2)
    assert model.inputs[0].shape == ("batch", 4)
    assert (model.outputs[0].name, model.outputs[0].dtype) == ("y", "float32")


def test_wrong_inputs_are_told(home: Path) -> None:
    model = open_onnx(outside(home, {"location": "w.bin", "length": "16"}))
    with pytest.raises(UsageProblem, match="takes 1 input"):
        model.run([np.ones((2, 4), np.float32)] * 2)
    with pytest.raises(UsageProblem, match="no input"):
        model.run({"image": np.ones((2, 4), np.float32)})
    with pytest.raises(CvtrackError, match="cannot run"):
        model.run({"x": np.ones((2, 5), np.float32)})
    with pytest.raises(CvtrackError, match="cannot run"):
        model.run({"x": np.ones((2, 4), np.float64)})


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80" * 40, b"ORTM" * 8])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(CvtrackError, match="no ONNX file"):
        open_onnx(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CvtrackError, match="There is no file"):
        checked_onnx(tmp_path / "model.onnx")


def test_an_unknown_operator_is_told(tmp_path: Path) -> None:
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Own", ["x"], ["y"], domain="own")], "g", ports[:1], ports[1:]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(CvtrackError, match="cannot load"):
        open_onnx(tmp_path / "m.onnx")
