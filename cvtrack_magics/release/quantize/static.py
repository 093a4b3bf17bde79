"""Makes the file: onnxruntime's static quantisation (QDQ), or float16."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.export.captured_output import quiet
from cvtrack_magics.release.quantize.samples import Calibration

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Those that have weights, and so take most of the time and room."""
_QUANTIZED = frozenset(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger"))


def nodes_of(path: Path) -> tuple[str, ...]:
    """Return the names of a graph's nodes that may be quantised, in order.

    Raises
    ------
    UsageProblem
        There are none, or the graph is quantised already.
    """
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    kinds = {node.op_type for node in graph.node}
    if kinds & _QUANTIZED:
        raise UsageProblem("The model is quantised already.", "Give the one in full precision.")
    found = tuple(node.name for node in graph.node if node.op_type in OPERATORS and node.name)
    if not found:
        raise UsageProblem(
            "The graph has no convolution and no matrix product, so that nothing gets smaller."
        )
    return found


def prepared(source: Path, target: Path) -> None:
    """Write a graph whose shapes are known, and whose nodes have names."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    try:
        with quiet():
            quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
            model = onnx.load(str(target))
    except Exception as error:  # of onnxruntime, protobuf or the graph
        raise CvtrackError(f"The graph cannot be prepared: {in_one_line(error)}") from error
    for at, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{at}"
    onnx.save_model(model, str(target))


def quantize(
    source: Path, target: Path, calibration: Calibration, nodes: Sequence[str], name: str
) -> None:
    """Write a graph of which some nodes compute with 8 bits.

    Parameters
    ----------
    source, target : Path
        ONNX files.
    calibration : Calibration
        Samples that tell the ranges of all values.
    nodes : sequence of str
        Those that are quantised: weights by channel, to -127 … 127.
    name : str
        Of the graph's input.

    Raises
    ------
    CvtrackError
        onnxruntime cannot.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Any] = iter(calibration.batches)

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.left, None)
            return None if batch is None else {name: batch}

    try:
        with quiet():
            quantize_static(
                str(source),
                str(target),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=list(nodes),
                op_types_to_quantize=list(OPERATORS),
            )
    except Exception as error:  # of onnxruntime: an operator, a shape, memory
        raise CvtrackError(f"onnxruntime cannot quantise it: {in_one_line(error)}") from error


def halved(source: Path, target: Path) -> None:
    """Write a graph whose weights and values are float16; inputs and outputs stay as they are.

    Raises
    ------
    CvtrackError
        It cannot be converted.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        with quiet(), tempfile.TemporaryDirectory(prefix="cvtrack-"):
            model = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True)
            onnx.save_model(model, str(target))
    except Exception as error:  # of onnxruntime or the graph
        raise CvtrackError(f"onnxruntime cannot convert it: {in_one_line(error)}") from error
