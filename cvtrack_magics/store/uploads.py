"""Whether uploaded files are in the store: it is asked for their sizes, where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cvtrack_magics.errors import StoreUnavailable

ADVICE = "A proxy or a login page may stand before the store."


def check_by(list_folder: Callable[[str | None], Sequence[Any]], folder: Path) -> None:
    """See that a store lists the files of a folder, each with its size.

    A server's answer to an upload is empty, as that of a stranger in its place may be. A store
    that lists nothing at all, because it may not or cannot, is believed; what is no listing is
    the stranger's again.

    Raises
    ------
    StoreUnavailable
        A file is missing, or of another size, or somebody else answered for the store.
    """
    wanted: dict[str, dict[str, int]] = {}
    for file in folder.rglob("*"):
        if file.is_file():
            at = file.parent.relative_to(folder).as_posix()
            path = file.relative_to(folder).as_posix()
            wanted.setdefault("" if at == "." else at, {})[path] = file.stat().st_size
    for at, files in wanted.items():
        try:
            listed = list_folder(at or None)
        except (ValueError, TypeError, AttributeError) as error:  # a page, or nothing
            said = "The store's answer to which files it has is no list of files."
            raise StoreUnavailable(said, ADVICE) from error
        except Exception:  # the right to list is another one than that to write
            return
        sizes = {str(item.path): item.file_size for item in listed}
        for path, size in files.items():
            # a server reads the escapes of a path, as those that MLflow's log_image writes
            name = path if path in sizes else unquote(path)
            if name not in sizes or sizes[name] not in (None, size):
                raise StoreUnavailable(
                    f"File {path!r} was uploaded, and the store does not list it.",
                    ADVICE,
                )
