"""What a store will never take is kept aside, under the state folder, and said."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cvtrack_magics.journal.folder import RunFolder
from cvtrack_magics.plainjson import dumps
from cvtrack_magics.records import Notice, Refused

FILE = "refused.jsonl"
SAID = 3  # lines at one time; the file names all


def set_aside(folder: RunFolder | None, notices: Sequence[Notice]) -> list[str]:
    """Keep what was refused, and return the lines that tell of it and of the rest.

    Parameters
    ----------
    folder : RunFolder or None
        The run's folder in the journal; what is refused goes to ``refused`` beside the
        journal, which stays when the run is sent.
    notices : sequence of Notice
        What the store's writer returned.
    """
    lines = [item.text for item in notices if not isinstance(item, Refused)]
    refused = [item for item in notices if isinstance(item, Refused)]
    if not refused:
        return lines
    place = _keep(folder, refused) if folder is not None else ""
    kept = f" It is kept in {place}." if place else ""
    lines += [item.text + kept for item in refused[:SAID]]
    if len(refused) > SAID:
        lines.append(f"The store refuses {len(refused) - SAID:,} more things of this run.{kept}")
    return lines


def _keep(folder: RunFolder, refused: Sequence[Refused]) -> str:
    place = folder.path.parent.parent / "refused" / folder.note.key
    with suppress(OSError, ValueError, TypeError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(place / FILE, "a", encoding="utf-8") as file:
            for item in refused:
                what = {"run": folder.note.name, "run_id": folder.note.run_id, **item.what}
                file.write(dumps(what, default=str) + "\n")
        for item in refused:
            if item.source is not None:
                _keep_file(item.source, place / "files" / str(item.what["name"]))
        return str(place / FILE)
    return ""


def _keep_file(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
