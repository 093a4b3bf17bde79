"""Tables of paths: the files they name are read, and their labels kept beside them."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.data import shapes
from cvtrack_magics.capture.data.files_in_samples import with_files
from cvtrack_magics.capture.data.manifest import manifest_digest
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.named_content import read_named
from cvtrack_magics.capture.data.places import NAMES, SUFFIXES, is_file, is_folder, looks, path_of
from cvtrack_magics.capture.data.samples import known_files
from cvtrack_magics.capture.data.scheme import (
    SCHEME,
    Sample,
    label_text,
    listing_text,
    ordered_digest,
    samples_digest,
)
from cvtrack_magics.capture.data.torchdata import Identity
from cvtrack_magics.errors import UsageProblem

LARGEST = 1 << 28  # bytes of a file that is read as a table


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length; ``folder`` is where relative paths start."""

    columns: dict[str, list[Any]]
    folder: str = ""


def as_table(value: object) -> Table | None:
    """Return a DataFrame, a dict of columns, or rows of equal form, as columns; else ``None``."""
    if shapes.is_table(value):
        return _of_frame(value)
    if isinstance(value, Mapping):
        return _by_name(value) or _of_columns(value)
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    elif shapes.is_array(value):
        value = _texts_of(value)
    return _rows(value) if isinstance(value, (list, tuple)) and value else None


def _of_frame(value: Any) -> Table | None:
    frame = shapes.as_frame(value)
    if frame is None:
        return None
    named = enumerate(frame.columns)
    columns = {str(name): frame.iloc[:, at].tolist() for at, name in named}
    return Table({**_files_of_index(frame), **columns})


def _files_of_index(frame: Any) -> dict[str, list[Any]]:
    """Return the levels of a table's index that name files: it is made of one of its columns."""
    index: Any = getattr(frame, "index", None)
    levels = range(getattr(index, "nlevels", 0))
    values = {f"index {at}": list(index.get_level_values(at)) for at in levels}
    return {
        name: level
        for name, level in values.items()
        if level and isinstance(level[0], NAMES) and any(map(_is_here, level))
    }


def _is_here(value: Any) -> bool:
    return isinstance(value, NAMES) and is_file(value, "")


def _of_columns(value: Mapping[Any, Any]) -> Table | None:
    columns = {str(name): _column(item) for name, item in value.items()}
    lengths = {-1 if column is None else len(column) for column in columns.values()}
    if len(lengths) != 1 or lengths & {-1, 0}:
        return None
    return Table({name: column or [] for name, column in columns.items()})


def _texts_of(array: Any) -> list[Any]:
    """Return an array of texts as a list, or as rows."""
    text = getattr(array.dtype, "kind", "") in ("U", "O", "S", "T") and array.ndim in (1, 2)
    found: list[Any] = array.tolist() if text else []
    return found


def _by_name(value: Mapping[Any, Any]) -> Table | None:
    """Return ``{path: label}`` or ``{label: paths}`` as rows; ``None`` of other dicts."""
    if not value:
        return None
    lists = all(isinstance(item, (list, tuple)) for item in value.values())
    lengths = {len(item) for item in value.values()} if lists else set()
    if lists and len(lengths) > 1:
        rows = [(path, str(label)) for label, paths in value.items() for path in paths]
    elif lists:
        return None  # columns
    else:
        rows = list(value.items())
    if not all(isinstance(path, NAMES) and is_file(path, "") for path, _ in rows):
        return None
    return Table({"path": [path for path, _ in rows], "label": [label for _, label in rows]})


def _column(value: Any) -> list[Any] | None:
    if isinstance(value, (list, tuple)):
        return list(value)
    if shapes.is_array(value) or shapes.is_table(value):
        return list(value) if getattr(value, "ndim", 0) else None
    return None


def _rows(value: Sequence[Any]) -> Table | None:
    first = value[0]
    if isinstance(first, Mapping):
        keys = list(first)
        if not all(isinstance(row, Mapping) and list(row) == keys for row in value):
            return None
        return Table({str(key): [row[key] for row in value] for key in keys})
    if all(isinstance(item, NAMES) for item in value):
        return Table({"": list(value)})
    return _of_rows(value) if isinstance(first, (list, tuple)) and first else None


def _of_rows(value: Sequence[Any]) -> Table | None:
    width = len(value[0])
    if not all(isinstance(row, (list, tuple)) and len(row) == width for row in value):
        return None
    if _is_columns(value):  # such as (paths, labels)
        return Table({str(at): list(column) for at, column in enumerate(value)})
    return Table({str(at): [row[at] for row in value] for at in range(width)})


def _is_columns(value: Sequence[Any]) -> bool:
    """Say whether lists of one length are columns: one is all files, and no column of rows is."""

    def files(items: Iterable[Any]) -> bool:
        return all(isinstance(e, NAMES) and is_file(e, "") for e in items)

    return any(map(files, value)) and not any(map(files, zip(*value, strict=True)))


def read_csv(path: Path) -> Table | None:
    """Return a CSV or TSV file's columns; ``None`` of another file, or one that is no table."""
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem if packed else path).suffix.lower()
    if suffix not in (".csv", ".tsv") or path.stat().st_size > LARGEST:
        return None
    try:
        opener: Any = gzip.open if packed else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            head = file.read(1 << 16)
            file.seek(0)
            tabs = suffix == ".tsv"
            rule: Any = csv.excel_tab if tabs else csv.Sniffer().sniff(head, ",;\t|")
            rows = list(csv.reader(file, rule))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error):
        return None
    rows = [row for row in rows if row]
    if len(rows) < 2 or len({len(row) for row in rows}) != 1:
        return None
    names = rows[0]
    body = rows
    if not any(is_file(cell, str(path.parent)) or is_file(cell, "") for cell in names):
        body = rows[1:]
    else:
        names = [str(at) for at in range(len(rows[0]))]
    columns = [[row[at] for row in body] for at in range(len(names))]
    named = dict(zip(names, columns, strict=True))
    if len(named) != len(names):
        named = {str(at): column for at, column in enumerate(columns)}
    for folder in ("", str(path.parent)):
        table = Table(named, folder)
        if path_columns(table):
            return table
    return Table(named)


def path_columns(table: Table) -> list[str]:
    """Return the columns that name files: one of their values does, and all look like paths.

    Where there are none, columns of which each value names a folder, such as one of frames.
    """
    return _file_columns(table) or [
        name
        for name, column in table.columns.items()
        if column and all(isinstance(v, NAMES) and _is_place(v, table.folder) for v in column)
    ]


def _is_place(value: Any, folder: str) -> bool:
    return is_folder(value, folder) or is_file(value, folder)


def _file_columns(table: Table) -> list[str]:
    found = []
    for name, column in table.columns.items():
        texts = [item for item in column if isinstance(item, NAMES)]
        if not texts or not any(is_file(text, table.folder) for text in texts):
            continue
        there = [is_file(text, table.folder) for text in texts]
        if all(there) or any(
            looks(text) for text, is_there in zip(texts, there, strict=False) if is_there
        ):
            found.append(name)
    return found


def unread_columns(table: Table) -> list[str]:
    """Return the columns that look like names of files of which none is there."""
    found = []
    for name, column in table.columns.items():
        texts = [item for item in column if isinstance(item, NAMES)]
        if not texts or len(texts) < len(column):
            continue
        if all(_is_name(text) for text in texts[:200]):
            found.append(name)
    return [name for name in found if name not in path_columns(table)]


def _is_name(value: Any) -> bool:
    return os.path.splitext(os.fsdecode(value))[1].lower() in SUFFIXES


def with_files_in_cells(frame: Any) -> Any:
    """Return a DataFrame with the content of the files that lists in its cells name."""
    known: dict[str, str] = {}
    made = frame.copy(deep=False)
    for name in frame.columns if frame.columns.is_unique else ():
        column = frame[name]
        if column.dtype == object and any(isinstance(cell, (list, tuple, dict)) for cell in column):
            cells = [with_files(cell, known) for cell in column]
            made[name] = type(column)(cells, index=column.index, dtype=object)
    return made if known else frame


def identify_table(
    table: Table, cache: Path | None = None, progress: Progress | None = None
) -> Identity:
    """Identify a table by the content of the files it names and by its other columns.

    Parameters
    ----------
    table : Table
        With at least one column of `path_columns`.
    cache : Path, optional
        Folder of the cache of file hashes.
    progress : callable, optional
        Called with what is done and the total.

    Raises
    ------
    UsageProblem
        A path is no file.
    """
    columns = path_columns(table)
    bare = list(table.columns) == [""]
    paths = {name: _files(name, table) for name in columns}
    own = None if cache is None else cache / "lists"
    read = read_named((path for column in paths.values() for path in column), own, progress)
    found, names, known = read.found, read.names, read.content
    others = {name: item for name, item in table.columns.items() if name not in columns}
    samples = []
    for at in range(len(next(iter(table.columns.values())))):
        files = [names[paths[name][at]] for name in columns]
        # a list of paths has no labels but what its names say
        label = label_text(files[0]) if bare else _label(others, at)
        more = [known[file][0] for file in files[1:]]
        label = "\t".join([*more, label])
        sha256, size = known[files[0]]
        samples.append(Sample(sha256, label, size, files[0]))
    header: dict[str, object] = {"content": "files"}
    if not bare:
        header["columns"] = [columns, sorted(others)]
    profile: dict[str, object] = {
        "samples": len(samples),
        "files": found.files,
        "bytes": found.size,
        "files_sha256": manifest_digest(found.manifest),
    }
    schema: dict[str, object] = {
        "kind": "files" if bare else "table of files",
        "columns": list(table.columns),
    }
    any_order = samples_digest(samples, header)
    if bare and [sample.name for sample in samples] == _sorted_names(found.manifest):
        # a sorted list of files is their manifest, as that of a folder
        return Identity(found.digest, found.manifest, schema, profile, samples=any_order)
    return Identity(
        ordered_digest(samples, header),
        found.manifest,
        schema,
        profile,
        samples=any_order,
        scheme=SCHEME,
        listing=listing_text(samples, header),
    )


def _sorted_names(manifest: str) -> list[str]:
    return list(known_files(manifest))


def _label(others: dict[str, list[Any]], at: int) -> str:
    return label_text([others[name][at] for name in sorted(others)])


def _files(name: str, table: Table) -> list[str]:
    found = []
    for at, value in enumerate(table.columns[name]):
        if not isinstance(value, NAMES) or not _is_place(value, table.folder):
            where = f"Row {at} of column {name!r}" if name else f"Path {at} of the list"
            raise UsageProblem(
                f"{where} is no file: {value!r}.", "Every path counts; correct or leave it out."
            )
        found.append(path_of(value, table.folder))
    return found
