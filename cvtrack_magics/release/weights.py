"""Which network it is: the SHA-256 of its weights, whatever it is wrapped in, and its graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.artifacts.export import Evidence
from cvtrack_magics.artifacts.latency import Network
from cvtrack_magics.release.graph import differ, graph_digest
from cvtrack_magics.store.model_files import GRAPH_TAG, WEIGHTS_TAG
from cvtrack_magics.store.registry import Version
from cvtrack_magics.vision.networks import unwrapped


def weights_digest(model: Any) -> str:
    """Return the SHA-256 of a network's parameters and buffers, by name; ``""`` where it has none.

    ``""`` too where they are no plain numbers in memory: sparse, or on no device.
    What says that an export, or a version, is of this network and no other: it holds for the
    same numbers on any device, inside ``torch.compile`` and parallel wrappers.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is.
    """
    state = getattr(unwrapped(model), "state_dict", None)
    if not callable(state):
        return ""
    try:
        return _digest_of(state())
    except (NotImplementedError, RuntimeError, TypeError):
        return ""  # sparse, or on no device: its numbers cannot be read as bytes


def _digest_of(state: Mapping[str, Any]) -> str:
    digest, any_there = hashlib.sha256(), False
    for name, value in sorted(state.items()):
        if not hasattr(value, "detach"):  # what get_extra_state() says is not always numbers
            continue
        import torch

        any_there = True
        tensor = value.detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest() if any_there else ""


def tags_of(model: Any) -> dict[str, str]:
    """Return the tags of a version that say which network it is."""
    return {WEIGHTS_TAG: weights_digest(model), GRAPH_TAG: graph_digest(model)}


def network_of(model: Any, version: Version | None = None) -> Network:
    """Return which network a model is, as it was registered where a version says so.

    Parameters
    ----------
    model : torch.nn.Module or callable
        As it was trained, or as it was opened from the version's own files.
    version : Version, optional
        Whose files they were.
    """
    tags = {} if version is None else version.tags
    weights, graph = tags.get(WEIGHTS_TAG, ""), tags.get(GRAPH_TAG, "")
    return Network(weights or weights_digest(model), graph or graph_digest(model))


def another_network(version: Version | None, proof: Evidence | Network) -> str:
    """Say that evidence is of another network than a version; of older ones nothing is known."""
    tags = {} if version is None else version.tags
    registered = tags.get(WEIGHTS_TAG, "")
    if registered and proof.weights_sha256 and proof.weights_sha256 != registered:
        return "is of another network: its weights are not the version's"
    if differ(proof.graph, tags.get(GRAPH_TAG, "")):
        return "is of another network: its layers, settings or code are not the version's"
    return ""
