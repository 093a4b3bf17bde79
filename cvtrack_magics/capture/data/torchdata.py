"""Identity of torch data sets and loaders: of the samples that their samplers take."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.data.arrays import entries
from cvtrack_magics.capture.data.batching import Batching, batching_of
from cvtrack_magics.capture.data.class_names import classes_of
from cvtrack_magics.capture.data.detached import detached
from cvtrack_magics.capture.data.flows import is_stream, read_stream
from cvtrack_magics.capture.data.manifest import Entry, manifest_digest, manifest_text
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.members import Member, members_of
from cvtrack_magics.capture.data.randomness import generators_kept
from cvtrack_magics.capture.data.samples import (
    Rows,
    Take,
    array_parts,
    one_by_one,
    rows_of,
    taken,
)
from cvtrack_magics.capture.data.sampling import Drawn, drawn_by, drawn_of_stream, with_batches
from cvtrack_magics.capture.data.scheme import (
    SCHEME,
    Sample,
    listing_text,
    ordered_digest,
    samples_digest,
)
from cvtrack_magics.capture.data.shapes import describe_shape, is_array
from cvtrack_magics.errors import UsageProblem

_FEW = 16


@dataclass(frozen=True)
class Identity:
    """Digest, manifest and description of a data set.

    ``certain`` is ``False`` when its samples differ from one reading to the next; the
    digest then only describes its class, length and shapes. ``samples`` is the digest of
    the same samples in any order, ``""`` where there are none to reorder; ``listing`` is
    the table of samples that both are made of, where the manifest does not show them.
    """

    digest: str
    manifest: str
    schema: dict[str, object] = field(default_factory=dict)
    profile: dict[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    certain: bool = True
    samples: str = ""
    scheme: int = 1
    listing: str = ""


def is_dataset(value: object) -> bool:
    """Say whether a value is a torch data set or loader, or gives samples by index."""
    torch = loaded("torch")
    if torch is not None and isinstance(
        value, (torch.utils.data.Dataset, torch.utils.data.DataLoader)
    ):
        return True
    if is_stream(value):
        return True
    kind = type(value)
    if kind.__module__ == "builtins":
        return False
    return hasattr(kind, "__getitem__") and hasattr(kind, "__len__")


def identify_dataset(
    value: Any, cache: Path | None = None, progress: Progress | None = None
) -> Identity:
    """Identify a map-style data set, or what a loader draws from one.

    Parameters
    ----------
    value : Dataset or DataLoader
        ``TensorDataset`` counts by its tensors, ``ImageFolder`` and ``DatasetFolder``
        by their files and labels, torchvision sets that hold ``data`` and ``targets`` by
        these, ``Subset`` and ``ConcatDataset`` by their parts of the above, all before
        transforms. Any other is read sample by sample, without its transforms if they
        are random; random generators are put back afterwards. A loader counts by the
        samples that its sampler takes.
    cache : Path, optional
        Folder of the cache of file hashes.
    progress : callable, optional
        Called with samples (or bytes) done and the total.

    Raises
    ------
    UsageProblem
        It is empty, or a sample fails to load; a stream is not identified.
    """
    drawn = Drawn()
    value = _loader_inside(value)
    loader = type(value).__name__ == "DataLoader" or hasattr(value, "batch_sampler")
    dataset = value.dataset if loader else value
    if is_stream(dataset):
        return _of_stream(dataset, value if loader else None, cache, progress)
    _check(dataset)
    if loader and hasattr(value, "sampler"):
        drawn = drawn_by(value)
    bases, members = members_of(dataset, drawn.indices)
    if not members:
        raise UsageProblem(f"{type(dataset).__name__} is empty.", "Give one that holds samples.")
    take = taken if not loader or value.batch_sampler is not None else one_by_one
    found = [
        rows_of(base, [at for number, at in members if number == n], cache, progress, take)
        for n, base in enumerate(bases)
    ]
    if loader:
        few = partial(_few, dataset, _spread(drawn.indices or range(len(dataset))), take)
        drawn = with_batches(drawn, batching_of(value, few))
    return _identity(dataset, bases, members, found, drawn)


def _spread(places: Sequence[int]) -> list[int]:
    """Return a few of some places, from all over: data is often sorted by class."""
    return list(dict.fromkeys(places[at * len(places) // _FEW] for at in range(_FEW)))


def _few(dataset: Any, places: list[int], take: Take) -> list[Any]:
    with generators_kept(dataset):
        return take(detached(dataset), places)


def _few_of_stream(stream: Any) -> list[Any]:
    with generators_kept(stream):
        return list(islice(iter(copy.deepcopy(stream)), _FEW))


def _loader_inside(value: Any) -> Any:
    """Return the loader that a webdataset pipeline of nothing else wraps, else the value."""
    stages = getattr(value, "pipeline", None)
    inside = isinstance(stages, list) and len(stages) == 1 and hasattr(stages[0], "batch_sampler")
    return stages[0] if inside and stages else value


def _of_stream(
    stream: Any, loader: Any | None, cache: Path | None, progress: Progress | None
) -> Identity:
    found = read_stream(stream, cache, progress)
    made = Batching()
    if loader is not None:
        made = batching_of(loader, partial(_few_of_stream, stream))
    if isinstance(found, Rows):
        drawn = with_batches(drawn_of_stream(stream, loader, len(found.samples)), made)
        places = range(len(found.samples)) if drawn.indices is None else drawn.indices
        return _identity(stream, [stream], [(0, at) for at in places], [found], drawn)
    header = {**found.header, **({"batches": made.digest} if made.digest else {})}
    count = found.manifest.count("\n")
    profile: dict[str, object] = {
        "files": count,
        "bytes": sum(sample.size for sample in found.samples),
        "identity_of": "what is behind the stream",
    }
    return Identity(
        ordered_digest(found.samples, header),
        found.manifest,
        {"class": type(stream).__name__},
        profile,
        (found.notice, *made.notices),
        samples=samples_digest(found.samples, header),
        scheme=SCHEME,
        listing=listing_text(found.samples, header),
    )


def _check(dataset: Any) -> None:
    kind = type(dataset).__name__
    try:
        len(dataset)
    except (TypeError, NotImplementedError):
        raise UsageProblem(
            f"{kind} has no length, so its samples cannot be counted.", "Give it a __len__."
        ) from None


def _identity(
    dataset: Any, bases: list[Any], members: list[Member], found: list[Rows], drawn: Drawn
) -> Identity:
    kind = type(dataset).__name__
    schema: dict[str, object] = {"class": kind}
    for rows in found:
        schema |= rows.schema
    notices = (*drawn.notices, *dict.fromkeys(text for rows in found for text in rows.notices))
    count = len(members) if drawn.per_epoch is None else drawn.per_epoch
    if not all(rows.certain for rows in found):
        text = f"{kind} {len(members)} {schema.get('sample')}"
        said: dict[str, object] = {
            "samples": count,
            "identity": "not claimed: samples are random",
        }
        return Identity(manifest_digest(text), "", schema, said, notices, certain=False)
    samples = _weighed([found[n].samples[at] for n, at in members], drawn)
    header = _header(bases, found, drawn, schema)
    profile: dict[str, object] = {"samples": count}
    if count != len(members):
        profile["members"] = len(members)
    kinds = {rows.kind for rows in found}
    if "files" in kinds:
        files = _joined(found)
        profile |= {"files": files.count("\n"), "files_sha256": manifest_digest(files)}
    any_order = samples_digest(samples, header)
    size = sum(sample.size for sample in samples)
    if kinds == {"arrays"} and len(bases) == 1 and not header:
        return _of_arrays(bases[0], members, schema, profile, notices, any_order)
    profile["bytes"] = size
    width = len(str(len(samples) - 1))
    places = manifest_text(
        Entry(sample.sha256, sample.size, f"{at:0{width}d}") for at, sample in enumerate(samples)
    )
    manifest = _joined(found) if kinds == {"files"} else places
    if kinds == {"samples"} and not header:
        digest = manifest_digest(places)
        return Identity(digest, places, schema, profile, notices, samples=any_order)
    return Identity(
        ordered_digest(samples, header),
        manifest,
        schema,
        profile,
        notices,
        samples=any_order,
        scheme=SCHEME,
        listing=listing_text(samples, header),
    )


def _weighed(samples: list[Sample], drawn: Drawn) -> list[Sample]:
    """Add a weighted sampler's weights to the samples' labels."""
    if not drawn.weights:
        return samples
    return [
        replace(sample, label=f"{sample.label} weight={weight!r}")
        for sample, weight in zip(samples, drawn.weights.values(), strict=True)
    ]


def _joined(found: list[Rows]) -> str:
    lines = {line for rows in found for line in rows.manifest.split("\n") if line}
    return "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split("\t")[2]))


def _header(
    bases: list[Any], found: list[Rows], drawn: Drawn, schema: dict[str, object]
) -> dict[str, object]:
    """Return what holds for all samples: the classes, and how they are drawn."""
    header: dict[str, object] = {}
    known = [classes_of(base) for base in bases]
    if any(known):
        header["classes"] = known[0] if all(each == known[0] for each in known) else known
        schema["classes"] = {str(name): number for each in known for name, number in each}
    if any(rows.kind == "files" for rows in found):
        header["content"] = "files"
    if drawn.facts:
        header["draws"] = drawn.facts
    if drawn.batches:
        header["batches"] = drawn.batches
    return header


def _of_arrays(  # noqa: PLR0917
    base: Any,
    members: list[Member],
    schema: dict[str, object],
    profile: dict[str, object],
    notices: tuple[str, ...],
    any_order: str,
) -> Identity:
    import numpy as np

    indices = [at for _, at in members]
    whole = indices == list(range(len(base)))
    taken = {}
    for name, item in (array_parts(base) or {}).items():
        array = item if is_array(item) else np.asarray(item)
        taken[name] = array if whole else array[indices]
    found = list(entries(taken))
    text = manifest_text(found)
    profile["bytes"] = sum(entry.size for entry in found)
    schema["parts"] = describe_shape(taken)
    return Identity(manifest_digest(text), text, schema, profile, notices, samples=any_order)
