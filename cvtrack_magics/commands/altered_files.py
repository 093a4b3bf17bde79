"""What of a candidate's files is not as it was registered, proved or measured."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.commands.gate_history import altered
from cvtrack_magics.commands.mlload import check_export
from cvtrack_magics.errors import FilesAltered
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.release.facts import Candidate


def checked(candidate: Candidate) -> Candidate:
    """Return a candidate with what is wrong with its files: model, exports, what was measured."""
    why = altered(candidate.version) or _altered_exports(candidate) or candidate.altered
    return dataclasses.replace(candidate, altered=why)


def _altered_exports(candidate: Candidate) -> str:
    from cvtrack_magics.store.model_files import EXPORT_TAG

    tracking = get_session().tracking
    run = tracking.run_of(candidate.run_id)
    formats = [tag.removeprefix(EXPORT_TAG) for tag in candidate.tags if EXPORT_TAG in tag]
    for format in sorted(formats):
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            if not tracking.files(run, format):
                return f"the {format} export that was proved is gone"
            try:
                check_export(run, tracking.download(run, format, Path(folder)), format)
            except FilesAltered as error:
                return error.problem
    return ""
