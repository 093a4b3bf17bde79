"""What a path names: a folder, files by a pattern, a table or list of files, or one file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cvtrack_magics.capture.data import arrow_tables, tables
from cvtrack_magics.capture.data.file_lists import read_list
from cvtrack_magics.capture.data.folders import identify_files, identify_folder
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.capture.data.manifest import manifest_digest
from cvtrack_magics.capture.data.missing import looked, near
from cvtrack_magics.capture.data.reach import named_files
from cvtrack_magics.capture.data.split_files import identify_splits
from cvtrack_magics.capture.data.torchdata import Identity
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import redact

_URL = re.compile(r"^(?!file:)[A-Za-z][A-Za-z0-9+.\-]+://")


def identify_path(
    text: str | bytes, cache: Path | None, progress: Callable[[int, int], None] | None
) -> tuple[Identity, str]:
    """Identify what a path or a pattern names; return the identity, and where it lies.

    Parameters
    ----------
    text : str or bytes
        A path, or a pattern of paths.
    cache, progress : as in `describe_data`

    Raises
    ------
    UsageProblem
        There is nothing of that name here, or nothing that can be read.
    """
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
    named = [] if path.exists() else named_files(name)
    if named:  # shards in braces, or a pattern
        return tables.identify_table(tables.Table({"": named}), cache, progress), name
    if not path.exists():
        raise UsageProblem(f"There is no file or folder {name!r}.{near(path)}", looked(path))
    if not path.is_file():
        raise UsageProblem(f"{name!r} is neither a file nor a folder.", "Give a regular file.")
    table = tables.read_csv(path) or read_list(path) or arrow_tables.read_parquet(path)
    if table is not None and tables.path_columns(table):
        made = tables.identify_table(table, cache, progress)
        own_digest = sha256_file(str(path)).sha256
        return replace(made, profile={**made.profile, "table_sha256": own_digest}), str(path)
    splits = identify_splits(path, cache, progress)
    if splits is not None:
        return splits, str(path)
    # One file has a cache of its own, beside those of folders.
    own = None if cache is None else cache / "files" / _short(str(path))
    found = identify_files(str(path.parent), [path.name], own, progress)
    digest = found.manifest[:64]
    schema = {"kind": "file", "suffix": path.suffix}
    said: dict[str, object] = {"files": 1, "bytes": found.size}
    return Identity(digest, found.manifest, schema, said, not_read(table)), str(path)


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


def not_read(table: tables.Table | None) -> tuple[str, ...]:
    """Say which columns look like names of files that are not here."""
    columns = tables.unread_columns(table) if table is not None else []
    return tuple(
        f"{f'Column {name!r}' if name else 'The list'} looks like names of files, but none of "
        "them is here: the names were hashed, not the files."
        for name in columns
    )
