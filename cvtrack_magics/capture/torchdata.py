"""Identity of torch data sets: by their files or arrays where they have them, else by sample."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.arrays import entries, hash_value
from cvtrack_magics.capture.folders import identify_files
from cvtrack_magics.capture.loaded import loaded
from cvtrack_magics.capture.manifest import Entry, manifest_digest, manifest_text
from cvtrack_magics.capture.manyfiles import Progress
from cvtrack_magics.capture.shapes import describe_shape, is_array
from cvtrack_magics.errors import UsageProblem

_PROBE = 8


@dataclass(frozen=True)
class Identity:
    """Digest, manifest and description of a data set.

    ``certain`` is ``False`` when its samples differ from one reading to the next; the
    digest then only describes its class, length and shapes.
    """

    digest: str
    manifest: str
    schema: dict[str, object] = field(default_factory=dict)
    profile: dict[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    certain: bool = True


def is_dataset(value: object) -> bool:
    """Say whether a value is a torch data set or loader, or gives samples by index."""
    torch = loaded("torch")
    if torch is not None and isinstance(
        value, (torch.utils.data.Dataset, torch.utils.data.DataLoader)
    ):
        return True
    kind = type(value)
    if kind.__module__ == "builtins":
        return False
    return hasattr(kind, "__getitem__") and hasattr(kind, "__len__")


def identify_dataset(
    value: Any, cache: Path | None = None, progress: Progress | None = None
) -> Identity:
    """Identify a map-style data set.

    Parameters
    ----------
    value : Dataset or DataLoader
        ``TensorDataset`` counts by its tensors, ``ImageFolder`` and ``DatasetFolder``
        by their files, torchvision sets that hold ``data`` and ``targets`` by these,
        ``Subset`` by its part of the above, all before transforms. Any other is read
        sample by sample; random generators are put back afterwards.
    cache : Path, optional
        Folder of the cache of file hashes.
    progress : callable, optional
        Called with samples (or bytes) done and the total.

    Raises
    ------
    UsageProblem
        It is a stream, is empty, or a sample fails to load.
    """
    if type(value).__name__ == "DataLoader" or hasattr(value, "batch_sampler"):
        value = value.dataset
    base, indices = _unwrap(value)
    kind = type(value).__name__
    torch = loaded("torch")
    if torch is not None and isinstance(base, torch.utils.data.IterableDataset):
        raise UsageProblem(
            f"{kind} is a stream: it has no samples to go back to.",
            "Give the files it reads from, or a map-style Dataset.",
        )
    if isinstance(getattr(base, "samples", None), list) and hasattr(base, "class_to_idx"):
        return _by_files(value, base, indices, cache, progress)
    parts = _arrays(torch, base)
    if parts is not None:
        return _by_arrays(value, parts, indices)
    return _by_samples(value, progress)


def _unwrap(value: Any) -> tuple[Any, list[int] | None]:
    """Return the data set under nested ``Subset``s, and which of its samples they take."""
    indices: list[int] | None = None
    while type(value).__name__ == "Subset" and hasattr(value, "indices"):
        own = [int(index) for index in value.indices]
        indices = own if indices is None else [own[index] for index in indices]
        value = value.dataset
    return value, indices


def _arrays(torch: Any, base: Any) -> dict[str, Any] | None:
    if torch is not None and isinstance(base, torch.utils.data.TensorDataset):
        return {str(index): tensor for index, tensor in enumerate(base.tensors)}
    if not type(base).__module__.startswith("torchvision.datasets"):
        return None
    parts = {}
    for name in ("data", "targets", "labels"):
        item = getattr(base, name, None)
        if item is not None and hasattr(item, "__len__") and len(item) == len(base):
            parts[name] = item
    return parts if "data" in parts and len(parts) > 1 else None


def _by_arrays(value: Any, parts: dict[str, Any], indices: list[int] | None) -> Identity:
    import numpy as np

    taken = {}
    for name, item in parts.items():
        array = item if is_array(item) else np.asarray(item)
        taken[name] = array if indices is None else array[indices]
    found = list(entries(taken))
    text = manifest_text(found)
    profile: dict[str, object] = {"samples": len(value), "bytes": sum(e.size for e in found)}
    return Identity(
        manifest_digest(text),
        text,
        {"class": type(value).__name__, "parts": describe_shape(taken)},
        profile,
    )


def _by_files(
    value: Any, base: Any, indices: list[int] | None, cache: Path | None, progress: Progress | None
) -> Identity:
    root = os.path.abspath(str(getattr(base, "root", "") or os.getcwd()))
    samples = base.samples if indices is None else [base.samples[index] for index in indices]
    names = sorted({os.path.relpath(str(path), root).replace(os.sep, "/") for path, *_ in samples})
    if not names:
        raise UsageProblem("The data set is empty.", "Give one that holds samples.")
    # A subset has a cache of its own, so that it does not push out the whole.
    own_cache = cache if indices is None or cache is None else cache / "subsets"
    found = identify_files(root, names, own_cache, progress)
    profile: dict[str, object] = {
        "samples": len(samples),
        "files": found.files,
        "bytes": found.size,
    }
    schema: dict[str, object] = {"class": type(value).__name__, "classes": dict(base.class_to_idx)}
    return Identity(found.digest, found.manifest, schema, profile)


def _by_samples(value: Any, progress: Progress | None) -> Identity:
    kind = type(value).__name__
    try:
        count = len(value)
    except (TypeError, NotImplementedError):
        raise UsageProblem(
            f"{kind} has no length, so its samples cannot be counted.", "Give it a __len__."
        ) from None
    if count == 0:
        raise UsageProblem(f"{kind} is empty.", "Give one that holds samples.")
    with _generators_kept():
        first = [_hash_sample(value, index) for index in range(min(_PROBE, count))]
        again = [_hash_sample(value, index) for index in range(min(_PROBE, count))]
        schema: dict[str, object] = {"class": kind, "sample": describe_shape(_sample(value, 0))}
        if first != again:
            return _uncertain(kind, count, schema)
        rows = list(first)
        due = time.monotonic() + 0.1
        for index in range(len(first), count):
            rows.append(_hash_sample(value, index))
            if progress is not None and time.monotonic() >= due:
                progress(index + 1, count)
                due = time.monotonic() + 0.1
    if progress is not None:
        progress(count, count)
    width = len(str(count - 1))
    text = manifest_text(
        Entry(digest, size, f"{index:0{width}d}") for index, (digest, size) in enumerate(rows)
    )
    profile: dict[str, object] = {"samples": count, "bytes": sum(size for _, size in rows)}
    return Identity(manifest_digest(text), text, schema, profile)


def _uncertain(kind: str, count: int, schema: dict[str, object]) -> Identity:
    text = f"{kind} {count} {schema['sample']}"
    notice = (
        f"{kind} gives other samples each time (random transforms), so its identity was not "
        "recorded. Give the files or arrays under it, or the data set without transforms."
    )
    profile: dict[str, object] = {"samples": count, "identity": "not claimed: samples are random"}
    return Identity(manifest_digest(text), "", schema, profile, (notice,), certain=False)


def _sample(value: Any, index: int) -> Any:
    try:
        return value[index]
    except Exception as error:
        raise UsageProblem(
            f"Sample {index} of {type(value).__name__} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            "Every sample counts; correct or leave out this one.",
        ) from error


def _hash_sample(value: Any, index: int) -> tuple[str, int]:
    return hash_value(_sample(value, index))


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Put random generators back: the user's training must not notice that we read."""
    numpy, torch = loaded("numpy"), loaded("torch")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy is not None else None
    torch_state = torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(python_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
        if torch is not None:
            torch.set_rng_state(torch_state)
