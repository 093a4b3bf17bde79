"""The state of every random generator of a training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded


def capture(generators: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators, and of some more.

    Parameters
    ----------
    generators : sequence of torch.Generator
        Such as a loader's and its samplers'.

    Returns
    -------
    dict
        ``python``, ``numpy`` and ``torch``; ``cuda`` and ``mps`` where they are in use;
        ``generators``, a state for each of those given.
    """
    found: dict[str, Any] = {"python": random.getstate()}
    numpy, torch = loaded("numpy"), loaded("torch")
    if numpy is not None:
        found["numpy"] = numpy.random.get_state(legacy=False)
    if torch is not None:
        found["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found["cuda"] = torch.cuda.get_rng_state_all()
        if torch.backends.mps.is_available():
            found["mps"] = torch.mps.get_rng_state()
    found["generators"] = [one.get_state() for one in generators]
    return found


def restore(found: Mapping[str, Any], generators: Sequence[Any] = ()) -> None:
    """Set the generators to the states that :func:`capture` returned.

    A machine with fewer GPUs gets the states of those that it has.
    """
    version, state, gauss = found["python"]
    random.setstate((version, tuple(state), gauss))
    if "numpy" in found:
        import numpy as np

        np.random.set_state(found["numpy"])
    if "torch" in found:
        import torch

        torch.set_rng_state(found["torch"])
        if "cuda" in found and torch.cuda.is_available():
            for device, one in enumerate(found["cuda"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(one, device)
        if "mps" in found and torch.backends.mps.is_available():
            torch.mps.set_rng_state(found["mps"])
    for generator, one in zip(generators, found["generators"], strict=False):
        generator.set_state(one)


def generators_of(loader: Any) -> list[Any]:
    """Return the torch generators that a loader and its samplers draw from, each once."""
    found: list[Any] = []
    for holder in _holders(loader):
        generator = getattr(holder, "generator", None)
        if generator is not None and not any(generator is one for one in found):
            found.append(generator)
    return [one for one in found if hasattr(one, "get_state") and hasattr(one, "set_state")]


def _holders(loader: Any) -> Iterator[Any]:
    if loader is None:
        return
    yield loader
    for name in ("sampler", "batch_sampler"):
        with suppress(Exception):  # a loader of the user's own may compute them
            holder = getattr(loader, name, None)
            if holder is not None:
                yield holder
                yield getattr(holder, "sampler", None)


def is_generator(value: Any) -> bool:
    """Whether a value is a random generator of Python, NumPy or torch."""
    numpy, torch = loaded("numpy"), loaded("torch")
    if isinstance(value, random.Random):
        return True
    if numpy is not None and isinstance(value, (numpy.random.Generator, numpy.random.RandomState)):
        return True
    return torch is not None and isinstance(value, torch.Generator)
