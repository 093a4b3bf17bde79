"""Text files that list files, alone or with labels beside them, and JSON files that list rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cvtrack_magics.capture.data.places import is_file
from cvtrack_magics.capture.data.tables import LARGEST, Table, as_table, path_columns

_LISTS = (".txt", ".lst")
_SIGNS = ("\t", ",", ";", "|", None)
_LOOK = 100  # lines that say what stands between a file and its label


def read_list(path: Path) -> Table | None:
    """Return the files that a text file names in its lines, or a JSON file's list of rows.

    ``None`` of another file, or one that names no files that are here.
    """
    suffix = path.suffix.lower()
    if suffix not in (*_LISTS, ".json", ".jsonl") or path.stat().st_size > LARGEST:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        value = json.loads(text) if suffix == ".json" else lines
        value = [json.loads(line) for line in lines] if suffix == ".jsonl" else value
    except (OSError, ValueError, RecursionError):
        return None
    if suffix in _LISTS and not all(_is_in(line, path.parent) for line in lines):
        found = _of_lines(lines, path.parent)
    else:
        found = as_table(value)
    for folder in ("", str(path.parent)):
        table = None if found is None else Table(found.columns, folder)
        if table is not None and path_columns(table):
            whole = list(table.columns) != [""] or all(is_file(line, folder) for line in lines)
            return table if whole or suffix == ".json" else None
    return None


def _of_lines(lines: Sequence[str], folder: Path) -> Table | None:
    """Return lines with a file and more in each, such as ``a.png 1``, as columns."""
    split = [_Split(lines, sign, folder) for sign in _SIGNS]
    best = max(split, key=lambda one: one.named)
    return best.table() if best.named else None


class _Split:
    """Lines, split at one sign; ``named`` of the first ones then name a file."""

    def __init__(self, lines: Sequence[str], sign: str | None, folder: Path) -> None:
        self.rows = [[part.strip() for part in line.split(sign)] for line in lines]
        some = [row for row in self.rows if len(row) > 1][:_LOOK]
        self.named = sum(any(_is_in(part, folder) for part in row) for row in some)

    def table(self) -> Table:
        """Return columns; two where boxes stand behind a file, as many as there are."""
        rows = self.rows
        if len({len(row) for row in rows}) > 1:
            rows = [[row[0], " ".join(row[1:])] for row in rows]
        return Table({str(at): list(column) for at, column in enumerate(zip(*rows, strict=True))})


def _is_in(text: str, folder: Path) -> bool:
    return is_file(text, "") or is_file(text, str(folder))
