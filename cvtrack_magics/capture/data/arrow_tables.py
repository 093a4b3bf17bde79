"""Tables of Arrow, in memory and as Parquet files, that name files in one of their columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cvtrack_magics.capture.data.tables import Table, path_columns

_MOST_ROWS = 5_000_000
_NESTED = ("list", "struct", "map", "binary", "fixed_size", "large_list", "union", "extension")


def of_arrow(value: Any) -> Table | None:
    """Return an Arrow table that names files as columns; ``None`` of all others.

    Parameters
    ----------
    value : object
        ``pyarrow.Table`` or ``RecordBatch``.
    """
    named = type(value).__module__ == "pyarrow.lib" and hasattr(value, "to_pydict")
    return _with_paths(value, ("",)) if named and _is_of_paths(value.schema) else None


def read_parquet(path: Path) -> Table | None:
    """Return the columns of a Parquet file that names files, relative to it or to here."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        return None
    try:
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            if file.metadata.num_rows > _MOST_ROWS or not _is_of_paths(file.schema_arrow):
                return None
            return _with_paths(file.read(), ("", str(path.parent)))
    except (ImportError, OSError, ValueError):  # pyarrow's errors of a file are these two
        return None


def _is_of_paths(schema: Any) -> bool:
    """Say whether there is a column of text, and none that holds the pictures themselves."""
    kinds = [str(field.type) for field in schema]
    return any("string" in kind for kind in kinds) and not any(
        kind.startswith(_NESTED) or kind.startswith("large_binary") for kind in kinds
    )


def _with_paths(value: Any, folders: tuple[str, ...]) -> Table | None:
    columns = {str(name): list(column) for name, column in value.to_pydict().items()}
    tables = (Table(columns, folder) for folder in folders)
    return next((table for table in tables if columns and path_columns(table)), None)
