"""What becomes of a run's journal when the store has the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cvtrack_magics.journal.folder import RunFolder
from cvtrack_magics.journal.liveness import boot_id


def dispose(folder: RunFolder, damage: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Delete what is sent; keep what could not be read, or is another machine's.

    Parameters
    ----------
    folder : RunFolder
        The journal.
    damage : sequence of str
        What of it could not be read.

    Returns
    -------
    aside : Path or None
        Where it is kept because not all of it could be read.
    notices : list of str
        What is said of that.
    """
    if folder.note.boot and folder.note.boot != boot_id():
        folder.leave()
        return None, []
    if not damage:
        folder.remove()
        return None, []
    try:
        aside = folder.set_aside(folder.path.parent.parent / "damaged", list(damage))
    except OSError:  # the disk takes nothing; it stays where it is
        aside = folder.path
    what = "; ".join(damage[:3]) + (f"; and {len(damage) - 3} more" if damage[3:] else "")
    return aside, [
        f"Part of the journal of run {folder.note.name!r} could not be read ({what}); "
        f"the rest was sent, and the journal is kept in {aside}."
    ]
