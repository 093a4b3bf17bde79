"""ONNX files: checked before they are opened, opened and run in one place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from cvtrack_magics.artifacts.export import Port
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line

# onnxruntime's mark of a tensor that lies at an address in memory instead of a file
_MEMORY_MARK = "_ORT_MEM_ADDR_"
_ERRORS_ONLY = 4  # onnxruntime's level "fatal": what fails is raised, and shown once
_INSTALL = "Type pip install 'cvtrack_magics[onnx]'."


class OnnxModel:
    """An ONNX graph that is ready to run on the CPU.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        What runs it; see :func:`open_onnx`.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = tuple(_port(each) for each in session.get_inputs())
        self.outputs = tuple(_port(each) for each in session.get_outputs())

    def run(self, values: Mapping[str, Any] | Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Run the graph once.

        Parameters
        ----------
        values : mapping of str to array, or sequence of array
            The inputs by name, or in the graph's order; dtypes as ``inputs`` says.

        Returns
        -------
        list of array
            The outputs in the graph's order.

        Raises
        ------
        UsageProblem
            The inputs are other ones than the graph's.
        CvtrackError
            The runtime cannot run the graph with these values.
        """
        names = [port.name for port in self.inputs]
        if not isinstance(values, Mapping):
            if len(values) != len(names):
                raise UsageProblem(
                    f"The model takes {len(names)} input(s), not {len(values)}.",
                    f"In this order: {', '.join(map(_shown, names))}.",
                )
            values = dict(zip(names, values, strict=True))
        if set(values) != set(names):
            raise UsageProblem(
                f"The model has no input(s) {', '.join(sorted(map(_shown, values)))}.",
                f"Give {', '.join(map(_shown, names))}.",
            )
        try:
            return list(self._session.run(None, {name: values[name] for name in names}))
        except Exception as error:  # pybind classes without a common base of their own
            raise CvtrackError(
                f"onnxruntime cannot run the model with these inputs: {in_one_line(error)}",
                f"It takes {'; '.join(map(_described, self.inputs))}.",
            ) from error


def open_onnx(path: Path, threads: int | None = None) -> OnnxModel:
    """Check an ONNX file and make it ready to run on the CPU.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file; external data lies beside it.
    threads : int, optional
        Threads that compute one operator; as many as onnxruntime chooses otherwise.

    Raises
    ------
    CvtrackError
        onnxruntime is missing, the file is refused by :func:`checked_onnx`, or the runtime
        has no implementation of an operator.
    """
    path = checked_onnx(path)
    try:
        import onnxruntime
    except ImportError:
        raise CvtrackError("Running ONNX files needs onnxruntime.", _INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # the check reads ONNX; a file that the runtime would take for its own format is refused
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            os.fspath(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # pybind classes without a common base of their own
        raise CvtrackError(
            f"onnxruntime cannot load {path.name!r}: {in_one_line(error)}",
            "Another opset or exporter may help.",
        ) from error
    return OnnxModel(session)


def checked_onnx(path: Path) -> Path:
    """Check that an ONNX file reads nothing but what lies in its folder.

    The graph may name files that hold its weights (*external data*). Whoever opens it then
    reads them, so a file from elsewhere could name any file of this machine.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file. Only its own bytes are read.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    CvtrackError
        It is no ONNX file, or external data is absolute, leaves the folder by ``..`` or by a
        link, is no regular file, or is shorter than the graph says.
    """
    path = Path(path)
    if not path.is_file():
        raise CvtrackError(f"There is no file {os.fspath(path)!r}.")
    model = _parsed(path)
    folder = path.parent.resolve()
    for tensor in _tensors(model):
        if len(tensor.external_data):
            _check_external(tensor, folder)
    return path


def _parsed(path: Path) -> Any:
    """Return the ModelProto, without external data."""
    try:
        import onnx
    except ImportError:
        raise CvtrackError("Reading ONNX files needs onnx.", _INSTALL) from None
    try:
        model = onnx.load(os.fspath(path), format="protobuf", load_external_data=False)
    except Exception as error:  # protobuf's implementations differ in their classes
        raise CvtrackError(
            f"{path.name!r} is no ONNX file: {in_one_line(error)}",
            "Files over 2 GB keep their weights beside them, as external data.",
        ) from error
    if not model.ir_version or not model.HasField("graph"):
        raise CvtrackError(f"{path.name!r} is no ONNX file: it holds no graph.")
    return model


def _tensors(message: Any) -> Iterator[Any]:
    """Yield every TensorProto anywhere in a message: subgraphs, functions, attributes."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if hasattr(value, "__len__") else (value,):
            if field.message_type.name == "TensorProto":
                yield item
            else:
                yield from _tensors(item)


def _check_external(tensor: Any, folder: Path) -> None:
    name = _shown(tensor.name)
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
    locations = [value for key, value in entries if key == "location"]
    if len(locations) != 1:
        raise _unsafe(f"tensor {name} names {len(locations)} files of external data instead of one")
    location = locations[0]
    where = f"the external data of tensor {name}, {_shown(location)},"
    if _MEMORY_MARK in location or "\0" in location:
        raise _unsafe(f"{where} is no file's name")
    for kind in (PurePosixPath(location), PureWindowsPath(location)):
        if kind.is_absolute() or kind.anchor or getattr(kind, "drive", ""):
            raise _unsafe(f"{where} has an absolute path")
        if ".." in kind.parts:
            raise _unsafe(f"{where} leaves the model's folder")
    target = (folder / location).resolve()
    if not target.is_relative_to(folder):
        raise _unsafe(f"{where} is a link that leaves the model's folder")
    if not target.is_file():
        raise CvtrackError(f"The model lacks a file: {where} is not in its folder.")
    offset, length = (_number(entries, key, name) for key in ("offset", "length"))
    if offset + length > target.stat().st_size:
        raise _unsafe(f"{where} is shorter than the graph says")


def _number(entries: list[tuple[str, str]], key: str, name: str) -> int:
    values = [value for found, value in entries if found == key] or ["0"]
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()):
        raise _unsafe(f"tensor {name} has no usable {key} in its external data")
    return int(values[0][:20])


def _unsafe(what: str) -> CvtrackError:
    return CvtrackError(
        f"The ONNX file is refused: {what}.", "Load it only if you trust where it came from."
    )


def _port(argument: Any) -> Port:
    word = str(argument.type).removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(word, word)
    shape = tuple(size if isinstance(size, int) else str(size or "") for size in argument.shape)
    return Port(str(argument.name), dtype, shape)


def _described(port: Port) -> str:
    sizes = " × ".join(str(size) or "?" for size in port.shape)
    return f"{_shown(port.name)} {port.dtype} {sizes}".strip()


def _shown(text: str) -> str:
    """Return a name out of a file as it may be shown: quoted, in one line, short."""
    return repr(text if len(text) <= 60 else text[:59] + "…")
