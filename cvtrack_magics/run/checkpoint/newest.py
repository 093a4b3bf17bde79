"""The newest checkpoint of a run that can be read: of this disk, else of the store."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.checkpoint.files import (
    FOLDER,
    SUFFIX,
    CheckpointFolder,
    Kept,
    read,
    step_of,
)

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope


def newest(folder: CheckpointFolder, scope: RunScope) -> tuple[Kept, dict[str, Any]] | None:
    """Return the checkpoint that a run goes on from, and what is in it; None where there is none.

    Parameters
    ----------
    folder : CheckpointFolder
        The run's checkpoints on this disk.
    scope : RunScope
        The run; it is told which checkpoints could not be read.
    """
    kept = folder.kept()
    if not kept:
        with suppress(Exception):  # a store that is away, or keeps no files
            _fetch(folder, scope)
        kept = folder.kept()
    for one in kept:
        try:
            return one, read(one.path)
        except Exception as error:
            scope.notices.append(
                f"Checkpoint {one.path.name} could not be read ({kind_and_line(error)}): the "
                "one before it is taken."
            )
    return None


def _fetch(folder: CheckpointFolder, scope: RunScope) -> None:
    """Get the run's newest checkpoint from the store: it was made on another machine."""
    tracking, run = scope.session.tracking, scope.run
    if run is None or run.local:
        return
    last = max(tracking.files(run, FOLDER), key=step_of)
    if not last.endswith(SUFFIX):  # the folder of a model, which has the file
        last = f"{last}/{PurePosixPath(last).name}{SUFFIX}"
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.path) as place:
        found = tracking.download(run, last, Path(place))
        found.replace(folder.path / PurePosixPath(last).name)
