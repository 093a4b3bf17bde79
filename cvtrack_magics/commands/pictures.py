"""A picture that was made of a model or its data: shown, and kept in the open run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.paths import PICTURES
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.secrets.stored import stored_part

if TYPE_CHECKING:
    from cvtrack_magics.display.image_view import Shown


def shown(picture: Any, name: str, words: str, notes: Sequence[str], files: list[Record]) -> Shown:
    """Show a picture, and keep it with its files in the open run."""
    from cvtrack_magics.display.image_view import Shown, png

    data = png(picture)
    scope = get_session().current
    where = ""
    if scope is not None:
        path = f"{PICTURES}/{stored_part(name)}.png"
        said = scope.add([Artifact(path, data), *files])
        where = " ".join([f"Kept as {path} in run {scope.name!r}.", *said])
    return Shown(data, f"{words} {where}".strip(), tuple(notes))
