"""The last operator of a stored graph: whether scores are probabilities already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvtrack_magics.release.model.serving.steps import MAIN

_ENDINGS = {
    "softmax": "softmax",
    "_softmax": "softmax",
    "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid",
    "log_softmax": "log_softmax",
    "_log_softmax": "log_softmax",
}
_SAME = frozenset(
    (
        "squeeze", "unsqueeze", "view", "reshape", "flatten", "contiguous", "clone", "to",
        "_to_copy", "alias", "detach", "float", "expand",
    )
)  # fmt: skip


def ending(network: Any, output: Any) -> str:
    """Return ``softmax``, ``log_softmax`` or ``sigmoid`` where a graph ends in it, else nothing.

    Parameters
    ----------
    network : module
        As ``torch.export`` gives it; of anything else nothing is known.
    output : object
        What it gives, which says where among several outputs the scores are.
    """
    import torch

    graph = getattr(network, "graph", None)
    nodes = list(graph.nodes) if isinstance(graph, torch.fx.Graph) else []
    if not nodes or getattr(nodes[-1], "op", "") != "output":
        return ""
    results = nodes[-1].args[0]
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    at = _place(output)
    node = results[at] if at < len(results) else None
    while node is not None:
        name = str(getattr(node, "target", "")).removeprefix("aten.").partition(".")[0]
        if name in _ENDINGS:
            return _ENDINGS[name]
        node = node.args[0] if name in _SAME and node.args else None
    return ""


def _place(output: Any) -> int:
    if isinstance(output, Mapping):
        keys = list(output)
        return next((keys.index(name) for name in MAIN if name in output), 0)
    return 0
