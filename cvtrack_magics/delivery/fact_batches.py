"""How batches of facts are written together, and what of them waits where files have to wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cvtrack_magics.journal.fact_lines import Batch
from cvtrack_magics.records import Artifact, LoggedModel, Record


def of_one_write(batches: list[Batch]) -> list[Batch]:
    """Return the first batches up to one with a model, or that alone: its files are its own."""
    for at, batch in enumerate(batches):
        if any(isinstance(item, LoggedModel) for item in batch.records):
            return batches[: max(at, 1)]
    return batches


def _is_of_files(item: Record) -> bool:
    return isinstance(item, Artifact) or (isinstance(item, LoggedModel) and item.is_final)


def without_files(batch: Batch) -> Batch:
    """Return what is written now of a batch whose files have to wait."""
    records = tuple(item for item in batch.records if not _is_of_files(item))
    return replace(batch, records=records, files=None)


def files_of(batches: Sequence[Batch]) -> list[Batch]:
    """Return what is left of batches when all but their files was written."""
    some = [replace(batch, records=tuple(filter(_is_of_files, batch.records))) for batch in batches]
    return [batch for batch in some if batch.records or batch.files is not None]
