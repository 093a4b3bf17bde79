"""Graphs without what their makers leave in them: paths of the machine, lines of code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")
_OWN = ("version", "byteorder", ".data/")  # what PyTorch's writer adds itself


def without_traces(program: Any) -> Any:
    """Return an ``ExportedProgram`` whose nodes name no file, line or module, in place."""
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            for key in _TRACES:
                node.meta.pop(key, None)
    return program


def strip_script(path: Path) -> None:
    """Take the records of source lines out of a TorchScript file, in place."""
    import torch

    reader = torch._C.PyTorchFileReader(os.fspath(path))
    scratch = path.with_name(f"{path.name}.stripped")
    writer = torch._C.PyTorchFileWriter(os.fspath(scratch))
    writer.set_min_version(int(reader.get_record("version")))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and not name.startswith(_OWN):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    del reader
    scratch.replace(path)


def strip_onnx(path: Path, about: Mapping[str, str]) -> None:
    """Take notes of source lines out of an ONNX file and say what it is, in place.

    Parameters
    ----------
    path : Path
        The file; weights that lie beside it are not read.
    about : mapping of str to str
        The model's ``metadata_props``.
    """
    import onnx

    model = onnx.load(os.fspath(path), load_external_data=False)
    for message in _messages(model):
        for field in ("doc_string", "metadata_props"):
            if field in message.DESCRIPTOR.fields_by_name:
                message.ClearField(field)
    opset = next((one.version for one in model.opset_import if not one.domain), 0)
    onnx.helper.set_model_props(model, {**about, "opset": str(opset)})
    onnx.save_model(model, os.fspath(path))


def stamp_onnx(path: Path, about: Mapping[str, str]) -> None:
    """Add to what an ONNX file says of itself, in place; weights beside it are not read."""
    import onnx

    model = onnx.load(os.fspath(path), load_external_data=False)
    said = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(model, {**said, **about})
    onnx.save_model(model, os.fspath(path))


def _messages(message: Any) -> Iterator[Any]:
    """Yield a message and all below it, but for tensors, which hold numbers."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.name == "TensorProto":
            continue
        for item in value if hasattr(value, "__len__") else (value,):
            yield from _messages(item)
