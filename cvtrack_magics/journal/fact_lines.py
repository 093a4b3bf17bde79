"""One batch of facts, and the line of JSON that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.journal.batch_files import FILES, keep_apart
from cvtrack_magics.journal.checked_lines import checked_line, read_checked
from cvtrack_magics.journal.stored import Damage
from cvtrack_magics.records import (
    Call,
    Dataset,
    End,
    LoggedModel,
    Metric,
    Param,
    Record,
    Replaces,
    Tag,
)
from cvtrack_magics.text import json_object

_KINDS: dict[str, Callable[..., Record | End]] = {
    "param": Param,
    "tag": Tag,
    "metric": Metric,
    "dataset": Dataset,
    "replaces": Replaces,
    "call": Call,
    "model": LoggedModel,
    "end": End,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Facts that were recorded together.

    ``number`` counts the batches of a run from 1. ``files`` is a folder whose content is
    laid out as the run's artifacts are to be; an artifact that found no room on disk is
    among ``records`` instead.
    """

    number: int
    records: tuple[Record, ...]
    files: Path | None = None
    end: End | None = None


def line_of(
    folder: Path,
    number: int,
    items: Iterable[Record | End],
    *,
    files: Path | None,
    checks: Mapping[str, int],
    ends: Mapping[str, tuple[int, int]],
) -> bytes:
    """Return the line of a batch, which says whose it is and what its files hold."""
    return checked_line(
        {
            "batch": number,
            "run": folder.name,
            "files": files.name if files else "",
            "checks": dict(checks),
            "ends": dict(ends),
            "records": [to_json(item) for item in items],
        }
    )


def _is_of_another(folder: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a line was written into another run's folder; before format 3 it does not say."""
    return str(entry.get("run", folder.name)) != folder.name


def why(folder: Path, entry: Mapping[str, Any] | None) -> str:
    """Say why a line gave no batch."""
    if entry is not None and _is_of_another(folder, entry):
        return f"are of another run ({entry['run']})"
    return "are damaged"


def ends_of(folder: Path, entry: Mapping[str, Any] | None) -> dict[str, tuple[int, int]]:
    """Return up to where each stream got, if the line has the run's end."""
    if entry is not None and _is_of_another(folder, entry):
        return {}
    try:
        ends = dict((entry or {}).get("ends") or {})
        return {str(name): (int(at[0]), int(at[1])) for name, at in ends.items()}
    except (ValueError, TypeError, IndexError):
        return {}


def entry_of(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; one of format 1 begins with its brace and has no check."""
    entry = json_object(line) if line.startswith(b"{") else read_checked(line)
    return entry or None


def batch_of(
    folder: Path, entry: Mapping[str, Any], after: int, damage: list[Damage]
) -> Batch | None:
    """Return what a line keeps; None where it is another run's, or cannot be read.

    Files that are not as they were written are put aside and added to ``damage``, but for those
    of batches up to number ``after``, which the store has.
    """
    if _is_of_another(folder, entry):
        return None
    try:
        items = [from_json(str(kind), fields) for kind, fields in entry["records"]]
        number, name = int(entry["batch"]), str(entry["files"])
        checks = dict(entry.get("checks") or {})
    except (ValueError, KeyError, TypeError):
        return None
    files = folder / FILES / Path(name).name if name else None
    if files is not None and number > after:
        damage += keep_apart(folder, files, checks)
    return Batch(
        number,
        tuple(item for item in items if item is not None and not isinstance(item, End)),
        files,
        next((item for item in items if isinstance(item, End)), None),
    )


def to_json(item: Record | End) -> list[Any]:
    """Return a record that is no file as what JSON can hold: its kind, and its fields."""
    return [_NAMES[type(item)], asdict(item)]


def from_json(kind: str, fields: Mapping[str, Any]) -> Any:
    """Make a record again; None of a kind that this version does not know."""
    make = _KINDS.get(kind)
    return make(**fields) if make is not None else None
