"""The runners of a model: PyTorch's, and the ONNX file that was made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.capture.machine.hardware import cpu_model, usable_cores
from cvtrack_magics.errors import CvtrackError, UsageProblem, did_you_mean
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.latency.inputs import Example, as_numpy, read_example
from cvtrack_magics.release.latency.runner import Absent, Runner
from cvtrack_magics.release.latency.torchrunners import TORCH_KINDS, torch_runners

KINDS = (*TORCH_KINDS, "onnx")


def runners_of(
    model: Any,
    example: Any,
    *,
    kinds: Sequence[str] = KINDS,
    onnx_path: Path | None = None,
    threads: int | None = None,
) -> dict[str, Runner | Absent]:
    """Return ways of running a model, ready to be measured by ``bench``.

    Parameters
    ----------
    model : torch.nn.Module, callable or None
        None measures the ONNX file alone.
    example : tensor, array, list, tuple or mapping
        What the model takes; see :func:`~cvtrack_magics.release.latency.inputs.read_example`.
        Batches of other sizes are its samples over and over.
    kinds : sequence of str
        Of ``eager``, ``torchscript`` (traced and frozen), ``compile`` (``torch.compile``, one
        graph for each batch size) and ``onnx`` (onnxruntime on the CPU); in this order they
        are measured and shown.
    onnx_path : Path, optional
        The exported file.
    threads : int, optional
        Threads for one operator, the same for all; otherwise as many as PyTorch uses now.

    Returns
    -------
    dict of str to Runner or Absent
        By kind, those that do not work here with the reason.

    Raises
    ------
    UsageProblem
        There is no batch in the example, no such kind, or nothing to run.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageProblem(
                f"There is no runner {kind!r}.{did_you_mean(kind, KINDS)}",
                f"Known are {', '.join(KINDS)}.",
            )
    if threads is not None and threads < 1:
        raise UsageProblem(f"threads={threads} is less than 1.")
    if model is None:
        kinds = [kind for kind in kinds if kind == "onnx"]
    if not kinds or (model is None and onnx_path is None):
        raise UsageProblem("There is nothing to measure.", "Give a model or an ONNX file.")
    given = read_example(example)
    count = threads or _default_threads()
    chosen = tuple(kind for kind in kinds if kind in TORCH_KINDS)
    made = torch_runners(model, given, chosen, count) if chosen else {}
    if "onnx" in kinds:
        made["onnx"] = _onnx_runner(onnx_path, given, count)
    return {kind: made[kind] for kind in kinds}


def _default_threads() -> int:
    try:
        import torch
    except ImportError:
        return max(1, int(usable_cores()))
    return int(torch.get_num_threads())


def _onnx_runner(path: Path | None, example: Example, threads: int) -> Runner | Absent:
    if path is None:
        return Absent("there is no ONNX file of it; export it first: %mlexport onnx …")
    from cvtrack_magics.release.export.onnxfile import open_onnx

    try:
        graph = open_onnx(path, threads=threads)
    except CvtrackError as error:
        return Absent(in_one_line(error))
    import onnxruntime

    def ready(batch: int) -> Callable[[], Any]:
        feed = _feed(example.at(batch), graph.inputs)
        return lambda: graph.run(feed)

    facts = {
        "device": "cpu",
        "device_name": cpu_model(),
        "precision": ", ".join(sorted({port.dtype for port in graph.inputs})),
        "threads": threads,
        "runtime": f"onnxruntime {onnxruntime.__version__}",
    }
    return Runner(ready, facts=facts)


def _feed(example: Example, ports: Sequence[Any]) -> Mapping[str, Any]:
    """Return the inputs by name; images in a list are stacked for a graph with one input."""
    names = [port.name for port in ports]
    if set(example.kwargs) == set(names):
        return {name: as_numpy(value) for name, value in example.kwargs.items()}
    leaves = [np.ascontiguousarray(as_numpy(leaf)) for leaf in example.leaves()]
    if len(names) == 1 and len(leaves) > 1 and len({leaf.shape for leaf in leaves}) == 1:
        leaves = [np.stack(leaves)]
    if len(leaves) != len(names):
        raise UsageProblem(f"The graph takes {len(names)} input(s), the example has {len(leaves)}.")
    return dict(zip(names, leaves, strict=True))
