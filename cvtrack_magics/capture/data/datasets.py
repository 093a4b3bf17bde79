"""Describes data by its full content: arrays, tensors, tables, data sets, files, folders."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvtrack_magics.artifacts.paths import manifest_path, samples_listing_path
from cvtrack_magics.capture.data import (
    arrays,
    arrow_tables,
    handles,
    scheme,
    shapes,
    tables,
)
from cvtrack_magics.capture.data.files_in_samples import with_files
from cvtrack_magics.capture.data.manifest import (
    Entry,
    ManifestDiff,
    compare_manifests,
    manifest_digest,
    manifest_text,
)
from cvtrack_magics.capture.data.named_paths import identify_path, not_read
from cvtrack_magics.capture.data.opened import content_of_file
from cvtrack_magics.capture.data.places import is_file, is_folder
from cvtrack_magics.capture.data.torchdata import Identity, identify_dataset, is_dataset
from cvtrack_magics.errors import NotIdentified, UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Notice, Param, Record, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.secrets.stored import stored_key

__all__ = ["ManifestDiff", "compare_manifests", "describe_data"]

_LISTS = (
    ".csv",
    ".tsv",
    ".csv.gz",
    ".tsv.gz",
    ".json",
    ".jsonl",
    ".parquet",
    ".txt",
    ".lst",
    ".yaml",
    ".yml",
)
_PREFIXES = {
    "training": "train",
    "train": "train",
    "validation": "val",
    "valid": "val",
    "val": "val",
    "testing": "test",
    "test": "test",
    "evaluation": "test",
    "eval": "test",
}


def describe_data(
    value: object,
    *,
    name: str,
    context: str = "training",
    source: str = "",
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Record]:
    """Describe one data set by a SHA-256 over its full content.

    Parameters
    ----------
    value : object
        A path of a file or folder, an array, tensor, image or DataFrame, a list,
        tuple or dict of these, a list or table of paths (also a CSV file), or a torch
        ``Dataset`` or ``DataLoader``, an open file, archive or table, a stream that can
        be read again, or a dict of data sets.
    name : str
        What the data set is called.
    context : str, optional
        What it is used for: ``training``, ``validation``, ``test`` or a word of yours.
    source : str, optional
        Where it comes from; by default the path, or the kind of object.
    cache : Path, optional
        Folder of a cache, so that unchanged files are not read again.
    progress : callable, optional
        Called with what is done and the total, in bytes, files or samples.

    Returns
    -------
    list of Dataset, Param, Tag, Artifact and Notice
        Parameter ``<train|val|test>_dataset_sha256``, tag ``dataset``, the manifest
        ``datasets/<name>.manifest.tsv``. The digest of a single file is what
        ``sha256sum`` prints, that of one array covers dtype, shape and elements, that
        of files with labels is the SHA-256 of ``datasets/<name>.samples.tsv`` without
        names, and all others' is the SHA-256 of the manifest: docs/data-digest.md.

    Raises
    ------
    NotIdentified
        The object can be read only once, or has no content that can be hashed.
    UsageProblem
        There is no such file, or it cannot be read.
    """
    if not name.strip():
        raise UsageProblem("The data set has no name.", "Give one with --name.")
    identity, found_source = _identify(value, cache, progress)
    prefix = _PREFIXES.get(context.strip().lower()) or stored_key(context).replace("/", "_")
    records: list[Record] = [
        Dataset(
            name=name,
            source=redact(source or found_source),
            context=context,
            digest=identity.digest,
            schema=identity.schema,
            profile=_profile(identity),
        ),
        Tag("dataset", redact(name)),
    ]
    if identity.certain:
        records.append(Param(f"{prefix}_dataset_sha256", identity.digest))
        file = stored_key(name).replace("/", "_")
        records.append(Artifact(manifest_path(file), content=identity.manifest))
        if identity.listing:
            records.append(Artifact(samples_listing_path(file), content=identity.listing))
    return [*records, *(Notice(text) for text in identity.notices)]


def unidentified_records(error: NotIdentified, *, name: str, context: str) -> list[Record]:
    """Return what a run says of data that was not identified: that it was used, and why.

    Parameters
    ----------
    error : NotIdentified
        From `describe_data`.
    name, context : str
        As in `describe_data`.

    Returns
    -------
    list of Dataset, Tag and Notice
        The digest describes nothing but the reason; no reader takes it for the data's.
    """
    why = redact(f"not identified, because {error.reason}")
    return [
        Dataset(
            name=name,
            source="",
            context=context,
            digest=manifest_digest(f"{error.what}: {why}"),
            profile={"identity": why},
        ),
        Tag("dataset", redact(name)),
        Notice(redact(f"{name}: {error.problem}" + (f" {error.hint}" if error.hint else ""))),
    ]


def _profile(identity: Identity) -> dict[str, object]:
    """Return the profile with the digest's scheme, and the digest of any order."""
    if not identity.certain:
        return identity.profile
    made = dict(identity.profile)
    if identity.scheme != 1:  # what says nothing is the first
        made["digest_scheme"] = identity.scheme
    return {**made, "samples_sha256": identity.samples} if identity.samples else made


def _identify(
    value: object, cache: Path | None, progress: Callable[[int, int], None] | None
) -> tuple[Identity, str]:
    if isinstance(value, (str, os.PathLike)):
        return identify_path(os.fspath(value), cache, progress)
    if isinstance(value, range):
        value = list(value)
    kind = f"{type(value).__module__}.{type(value).__name__}"
    table = tables.as_table(value) or arrow_tables.of_arrow(value)
    if table is not None and tables.path_columns(table):
        return tables.identify_table(table, cache, progress), kind
    if isinstance(value, (list, tuple)) and any(isinstance(v, os.PathLike) for v in value):
        missing = next(v for v in value if isinstance(v, os.PathLike))
        raise UsageProblem(f"There is no file {os.fspath(missing)!r}.", "Give paths of files only.")
    opened = _identify_open(value, cache, progress)
    if opened is not None:
        return opened, kind
    if _is_once(value):
        said = "it can be read only once"
        raise NotIdentified(type(value).__name__, said, "Give a list, or the files it reads from.")
    parts = _data_sets(value)
    if parts:
        return _identify_parts(parts, cache, progress), kind
    single = shapes.is_array(value) or shapes.is_image(value) or shapes.is_table(value)
    if not single and is_dataset(value):
        return identify_dataset(value, cache, progress), kind
    content: Any = value
    if shapes.is_table(value):
        content = tables.with_files_in_cells(shapes.as_frame(value))
    found = list(arrays.entries(with_files(content, {})))
    if not found:
        raise UsageProblem("The data set is empty.", "Give arrays, files or samples.")
    text = manifest_text(found)
    digest = found[0].sha256 if single else manifest_digest(text)
    profile: dict[str, object] = {"bytes": sum(entry.size for entry in found)}
    is_nested = getattr(value, "is_nested", False)
    shape = (len(value.unbind()),) if is_nested else getattr(value, "shape", None)  # type: ignore[attr-defined]
    if shapes.is_array(value) and shape:
        profile["samples"] = int(shape[0])
    schema = shapes.describe_shape(value)
    notices = not_read(table)
    return Identity(digest, text, schema, profile, notices), kind


def _is_once(value: object) -> bool:
    return isinstance(value, Iterator) and not isinstance(value, io.IOBase)


def _identify_open(
    value: Any, cache: Path | None, progress: Callable[[int, int], None] | None
) -> Identity | None:
    """Identify an open file by its bytes, an open archive or table by its members."""
    kind = type(value).__name__
    if handles.kind_of_handle(value):
        samples, header = handles.members_of_handle(value)
        if not samples:
            raise UsageProblem(f"{kind} is empty.", "Give one that holds members.")
        return _of_samples(kind, samples, header)
    path = handles.file_behind(value)
    if path:
        return identify_path(path, cache, progress)[0]
    if not isinstance(value, io.IOBase):
        return None
    content = content_of_file(value)
    if content is None:
        hint = "Give a path, or a file that is open to read."
        raise NotIdentified(kind, "it cannot be read from its beginning", hint)
    digest = hashlib.sha256(content).hexdigest()
    text = manifest_text([Entry(digest, len(content), "data")])
    return Identity(digest, text, {"kind": "file"}, {"bytes": len(content)})


def _of_samples(kind: str, samples: list[scheme.Sample], header: dict[str, object]) -> Identity:
    width = len(str(len(samples) - 1))
    text = manifest_text(
        Entry(s.sha256, s.size, s.name or f"{at:0{width}d}") for at, s in enumerate(samples)
    )
    profile: dict[str, object] = {
        "samples": len(samples),
        "bytes": sum(sample.size for sample in samples),
    }
    return Identity(
        scheme.ordered_digest(samples, header),
        text,
        {"class": kind},
        profile,
        samples=scheme.samples_digest(samples, header),
        scheme=scheme.SCHEME,
        listing=scheme.listing_text(samples, header),
    )


def _data_sets(value: object) -> dict[str, Any]:
    """Return the data sets of a dict or list of nothing else, by name."""
    if not isinstance(value, (Mapping, list, tuple)):
        return {}
    found = dict(shapes.named_items(value))
    named = isinstance(value, Mapping)
    return found if all(_is_part(item, named) for item in found.values()) else {}


def _is_part(item: Any, named: bool) -> bool:
    """Say whether a value is a data set of its own: one of torch, a table of files, a path."""
    if isinstance(item, (str, os.PathLike)):
        lists = os.fsdecode(item).lower().endswith(_LISTS)
        return named and (is_folder(item) or (lists and is_file(item)))
    if shapes.is_table(item):
        table = tables.as_table(item)
        return table is not None and bool(tables.path_columns(table))
    return is_dataset(item) and not shapes.is_array(item) and not shapes.is_image(item)


def _identify_parts(
    parts: Mapping[str, Any], cache: Path | None, progress: Callable[[int, int], None] | None
) -> Identity:
    """Identify several data sets, each by its own digests under its name."""
    found = {name: _identify(item, cache, progress)[0] for name, item in parts.items()}
    for name, item in found.items():
        if not item.certain:
            raise NotIdentified(f"Part {name!r}", "its samples are random", item.notices[-1])
    ordered = [_part(item.digest, name, item) for name, item in found.items()]
    any_order = [_part(item.samples or item.digest, name, item) for name, item in found.items()]
    header: dict[str, object] = {"content": "data sets"}
    made = _of_samples("parts", ordered, header)
    counts = [item.profile.get("samples") for item in found.values()]
    whole = sum(count for count in counts if isinstance(count, int))
    notices = tuple(text for item in found.values() for text in item.notices)
    return replace(
        made,
        schema={name: item.schema for name, item in found.items()},
        profile={**made.profile, "samples": whole},
        notices=notices,
        samples=scheme.samples_digest(any_order, header),
    )


def _part(digest: str, name: str, found: Identity) -> scheme.Sample:
    size = found.profile.get("bytes", 0)
    return scheme.Sample(
        digest, scheme.label_text(name), size if isinstance(size, int) else 0, name
    )
