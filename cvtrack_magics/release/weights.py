"""Which network it is: the SHA-256 of its weights, whatever it is wrapped in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.artifacts.export import Evidence
from cvtrack_magics.store.model_files import WEIGHTS_TAG
from cvtrack_magics.store.registry import Version
from cvtrack_magics.vision.networks import unwrapped

OTHER_WEIGHTS = "is of another network: its weights are not the version's"


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


def is_of_another(version: Version | None, proof: Evidence) -> bool:
    """Whether an export was made of another network than a version; of older ones: unknown."""
    registered = "" if version is None else version.tags.get(WEIGHTS_TAG, "")
    return bool(registered and proof.weights_sha256) and proof.weights_sha256 != registered
