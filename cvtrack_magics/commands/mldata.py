"""``mldata()``: which data was used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cvtrack_magics.commands.definition import Arg, Bar, Typed, command
from cvtrack_magics.commands.typed import file_or_value, identifier
from cvtrack_magics.errors import NotIdentified
from cvtrack_magics.records import Dataset
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said, recorded


def _perform(typed: Typed) -> Said:
    text = typed.words["value"]
    return mldata(**{"name": identifier(text, Path(text).name), **typed.values})


@command(
    perform=_perform,
    value=Arg("EXPR|PATH", file_or_value),
    progress=Arg(bar=Bar("hashing {value}", "MB", 1e6)),
)
def mldata(
    value: Any,
    *,
    name: str = "",
    context: str = "training",
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Said:
    """Record which data was used, by SHA-256 over its full content.

    The run gets a manifest with one line for each file, and an MLflow dataset input.

    Parameters
    ----------
    value : array, tensor, Dataset, str or Path
        Data in memory, or a file or folder.
    name : str
        The data set's name; a path's own name when not given.
    context : str
        What it was used for: training, validation, testing …
    source : str
        Where it came from, for people and for MLflow.
    progress : callable, optional
        ``progress(done_bytes, all_bytes)``.

    Examples
    --------
    ::

        %mldata data/train --name coco-train --context training
    """
    from cvtrack_magics.capture.data.datasets import describe_data, unidentified_records

    cache = get_session().config.state / "hashes"
    if not name:
        name = Path(value).name if isinstance(value, (str, Path)) else "data"
    try:
        records = describe_data(
            value, name=name, context=context, source=source, cache=cache, progress=progress
        )
    except NotIdentified as error:  # data that was used is on record, its training goes on
        records = unidentified_records(error, name=name, context=context)
    found = [item for item in records if isinstance(item, Dataset)]
    hashes = ", ".join(_identified(item) for item in found)
    return recorded(records, f"{hashes} and ")


def _identified(dataset: Dataset) -> str:
    known = "identity" not in dataset.profile
    return f"{dataset.name} {f'sha256 {dataset.digest[:12]}' if known else 'not identified'}"
