"""What of a candidate's files is not as it was registered, proved or measured."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.commands.gate_history import altered
from cvtrack_magics.commands.mlload import check_export
from cvtrack_magics.errors import FilesAltered, StoreUnavailable
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import registry

if TYPE_CHECKING:
    from cvtrack_magics.release.facts import Candidate

_RUN_ID = re.compile(r"^run_id: ['\"]?([0-9a-f]{32})\b", re.MULTILINE)


def checked(candidate: Candidate) -> Candidate:
    """Return a candidate with what is wrong with its files: model, exports, what was measured."""
    why = (
        altered(candidate.version)
        or _strange(candidate)
        or _altered_exports(candidate)
        or candidate.altered
    )
    return dataclasses.replace(candidate, altered=why)


def _strange(candidate: Candidate) -> str:
    """Say that a version which somebody else registered is no model, or not that of its run.

    What is judged was measured of the run: it says nothing of files from elsewhere.
    """
    from cvtrack_magics.commands.gate_rival import is_lost
    from cvtrack_magics.store.model_files import DIGEST_TAG, described_by

    version = candidate.version
    if version is None or version.tags.get(DIGEST_TAG):
        return ""
    try:
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            text = described_by(registry().uri, version, Path(folder))
    except Exception as error:
        why = f"the files of version {version.version} cannot be read: {kind_and_line(error)}"
        if not (is_lost(error) or isinstance(error, OSError)):
            raise StoreUnavailable(f"{why[0].upper()}{why[1:]}.", "Try again.") from error
        return f"version {version.version} has no MLmodel where its files are said to be"
    own = _RUN_ID.search(text)
    if own is None or own[1] == version.run_id:
        return ""
    return f"its files are of run {own[1][:8]}, and the figures of {version.run_id[:8]}"


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
