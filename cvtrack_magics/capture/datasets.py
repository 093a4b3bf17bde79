"""Describes data by its full content: arrays, tensors, tables, data sets, files, folders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cvtrack_magics.capture import arrays, shapes
from cvtrack_magics.capture.data import tables
from cvtrack_magics.capture.folders import identify_files, identify_folder
from cvtrack_magics.capture.hashing import sha256_file
from cvtrack_magics.capture.manifest import (
    ManifestDiff,
    compare_manifests,
    manifest_digest,
    manifest_text,
)
from cvtrack_magics.capture.torchdata import Identity, identify_dataset, is_dataset
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Dataset, Notice, Param, Record, Tag
from cvtrack_magics.redact import redact

__all__ = ["ManifestDiff", "compare_manifests", "describe_data"]

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
_URL = re.compile(r"^(?!file:)[A-Za-z][A-Za-z0-9+.\-]+://")


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
        ``Dataset`` or ``DataLoader``.
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
    UsageProblem
        There is no such file, it cannot be read, or the object has no content that
        can be hashed.
    """
    if not name.strip():
        raise UsageProblem("The data set has no name.", "Give one with --name.")
    identity, found_source = _identify(value, cache, progress)
    prefix = _PREFIXES.get(context.strip().lower()) or safe_key(context).replace("/", "_")
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
        file = safe_key(name).replace("/", "_")
        records.append(Artifact(f"datasets/{file}.manifest.tsv", content=identity.manifest))
        if identity.listing:
            records.append(Artifact(f"datasets/{file}.samples.tsv", content=identity.listing))
    return [*records, *(Notice(text) for text in identity.notices)]


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
        return _identify_path(os.fspath(value), cache, progress)
    kind = f"{type(value).__module__}.{type(value).__name__}"
    table = tables.as_table(value)
    if table is not None and tables.path_columns(table):
        return tables.identify_table(table, cache, progress), kind
    if isinstance(value, (list, tuple)) and any(isinstance(v, os.PathLike) for v in value):
        missing = next(v for v in value if isinstance(v, os.PathLike))
        raise UsageProblem(f"There is no file {os.fspath(missing)!r}.", "Give paths of files only.")
    single = shapes.is_array(value) or shapes.is_image(value) or shapes.is_table(value)
    if not single and is_dataset(value):
        return identify_dataset(value, cache, progress), kind
    found = list(arrays.entries(value))
    if not found:
        raise UsageProblem("The data set is empty.", "Give arrays, files or samples.")
    text = manifest_text(found)
    digest = found[0].sha256 if single else manifest_digest(text)
    profile: dict[str, object] = {"bytes": sum(entry.size for entry in found)}
    shape = getattr(value, "shape", None)
    if shapes.is_array(value) and shape:
        profile["samples"] = int(shape[0])
    schema = shapes.describe_shape(value)
    notices = _not_read(table)
    return Identity(digest, text, schema, profile, notices), kind


def _not_read(table: tables.Table | None) -> tuple[str, ...]:
    """Say which columns look like names of files that are not here."""
    columns = tables.unread_columns(table) if table is not None else []
    return tuple(
        f"{f'Column {name!r}' if name else 'The list'} looks like names of files, but none of "
        "them is here: the names were hashed, not the files."
        for name in columns
    )


def _identify_path(
    text: str | bytes, cache: Path | None, progress: Callable[[int, int], None] | None
) -> tuple[Identity, str]:
    name = os.fsdecode(text)
    if _URL.match(name):
        raise UsageProblem(
            f"{redact(name)!r} is not on this machine.",
            "Download it, give the local path, and name the address with --source.",
        )
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if path.is_dir():
        found = identify_folder(path, cache, progress)
        profile: dict[str, object] = {"files": found.files, "bytes": found.size}
        schema: dict[str, object] = {"kind": "folder", "suffixes": _suffixes(found.manifest)}
        return Identity(found.digest, found.manifest, schema, profile, found.notices), str(path)
    if not path.exists():
        raise UsageProblem(f"There is no file or folder {name!r}.{_near(path)}", _looked(path))
    if not path.is_file():
        raise UsageProblem(f"{name!r} is neither a file nor a folder.", "Give a regular file.")
    table = tables.read_csv(path)
    if table is not None and tables.path_columns(table):
        made = tables.identify_table(table, cache, progress)
        own_digest = sha256_file(str(path)).sha256
        return replace(made, profile={**made.profile, "table_sha256": own_digest}), str(path)
    # One file has a cache of its own, beside those of folders.
    own = None if cache is None else cache / "files" / _short(str(path))
    found = identify_files(str(path.parent), [path.name], own, progress)
    digest = found.manifest[:64]
    schema = {"kind": "file", "suffix": path.suffix}
    said: dict[str, object] = {"files": 1, "bytes": found.size}
    return Identity(digest, found.manifest, schema, said, _not_read(table)), str(path)


def _short(text: str) -> str:
    return manifest_digest(text.encode("utf-8", "surrogateescape").hex())[:16]


def _suffixes(manifest: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in manifest.split("\n")[:-1]:
        base = line.rpartition("\t")[2].rpartition("/")[2]
        suffix = base[base.rfind(".") :].lower() if "." in base[1:] else ""
        counts[suffix] = counts.get(suffix, 0) + 1
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(common[:20])


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""


def _looked(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {str(path.parent)!r} either."
    return f"Looked in {str(path.parent)!r}."
