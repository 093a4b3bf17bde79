"""Whether uploaded files are in the store: it is asked for their sizes, where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store import answers

ADVICE = "A proxy or a login page may stand before the store."
_LATER = (408, 425, 429, 502, 503, 504)
"""What says nothing of the right to list: it is asked again later."""
_NO_ANSWER = "failed with exception"
"""What MLflow says where no answer came."""


def check_by(
    list_folder: Callable[[str | None], Sequence[Any]],
    folder: Path,
    files: Sequence[Path] | None = None,
) -> None:
    """See that a store lists the files of a folder, each with its size.

    A server's answer to an upload is empty, or nearly so, as that of a stranger in its place may
    be, or of one who passed on only a part. A store that lists nothing at all, because it may not
    or cannot, is believed; what is no listing is the stranger's again.

    Parameters
    ----------
    list_folder : callable
        Returns what the store has in a folder, by its path in the place of the files.
    folder : Path
        What lies in it as it is to lie in that place.
    files : sequence of Path, optional
        Those that were uploaded; all by default.

    Raises
    ------
    StoreUnavailable
        A file is missing, or of another size, or somebody else answered for the store.
    """
    wanted: dict[str, dict[str, int]] = {}
    for file in folder.rglob("*") if files is None else files:
        if file.is_file():
            at = file.parent.relative_to(folder).as_posix()
            path = file.relative_to(folder).as_posix()
            wanted.setdefault("" if at == "." else at, {})[path] = file.stat().st_size
    for at, sizes in wanted.items():
        _compare(_listed(list_folder, at), sizes)


def _listed(
    list_folder: Callable[[str | None], Sequence[Any]], at: str
) -> dict[str, int | None] | None:
    """Return the sizes of what the store has in a folder; None where it may not say."""
    try:
        return {str(item.path): item.file_size for item in list_folder(at or None)}
    except (ValueError, TypeError, AttributeError) as error:  # a page, or nothing
        said = "The store's answer to which files it has is no list of files."
        raise StoreUnavailable(said, ADVICE) from error
    except Exception as error:
        if _may_be_otherwise_later(error):
            raise
        return None  # the right to list is another one than that to write


def _may_be_otherwise_later(error: Exception) -> bool:
    """Whether the store, or the way to it, failed, rather than that it does not list."""
    seen = answers.problem() or error  # MLflow puts its own words round it
    if isinstance(seen, answers.NotTheStore):
        return seen.status < 400 or seen.status in _LATER
    said = getattr(getattr(seen, "response", None), "status_code", None)
    if said is not None:
        return said in _LATER
    return isinstance(seen, (answers.AskedToWait, OSError)) or _NO_ANSWER in str(seen)


def _compare(listed: dict[str, int | None] | None, sizes: dict[str, int]) -> None:
    if listed is None:
        return
    for path, size in sizes.items():
        # a server reads the escapes of a path, as those that MLflow's log_image writes
        name = path if path in listed else unquote(path)
        if name not in listed:
            raise StoreUnavailable(
                f"File {path!r} was uploaded, and the store does not list it.", ADVICE
            )
        if listed[name] not in (None, size):
            raise StoreUnavailable(
                f"File {path!r} has {size:,} bytes, and the store does not list it so: "
                f"{listed[name]:,}.",
                ADVICE,
            )
