"""Own modules whose source is no file on disk: of a zip file, or compiled without their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cvtrack_magics.artifacts.paths import MODULES
from cvtrack_magics.capture.code.modules import held_by, is_foreign
from cvtrack_magics.capture.code.replaced_code import agrees
from cvtrack_magics.records import Artifact, Notice, Record

MOST = 100
_seen: dict[str, tuple[int, str]] = {}
LARGEST = 1_000_000  # characters of a module that are kept


def packed_records(modules: Mapping[str, ModuleType]) -> list[Record]:
    """Return the sources of own modules that were imported out of zip files.

    Parameters
    ----------
    modules : mapping of str to module
        As ``sys.modules``.

    Returns
    -------
    list of Record
        ``code/modules/<zip file>/<module>`` each, and one notice of what has no source.
    """
    records: list[Record] = []
    lost: list[str] = []
    for name, file, loader in list(_own(modules)):
        source = _as_first_seen(name, modules[name], loader)
        if not source or len(source) > LARGEST or len(records) == MOST:
            lost.append(name)
            continue
        archive = Path(str(getattr(loader, "archive", file)))
        below = Path(file).relative_to(archive.parent) if file.startswith(str(archive)) else name
        records.append(Artifact(f"{MODULES}/{Path(below).as_posix()}", source))
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        records.append(
            Notice(
                f"Not kept: the source of {', '.join(lost[:5])}{more}, which was imported without "
                "it, or is another one now. Import it from its .py file."
            )
        )
    return records


def _own(modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, str, Any]]:
    for name, module in list(modules.items()):
        held = held_by(module)
        file, loader = held.get("__file__"), held.get("__loader__")
        if not isinstance(file, str) or is_foreign(file):
            continue
        kind = type(loader).__name__
        if kind == "zipimporter" or (kind == "SourcelessFileLoader" and file.endswith(".pyc")):
            yield name, file, loader


def _as_first_seen(name: str, module: ModuleType, loader: Any) -> str:
    """Return a module's source as it was when it was first asked for; the zip may be another.

    Empty where the module does something else: then the text that ran is lost.
    """
    known, source = _seen.get(name, (0, ""))
    if known != id(module) or not source:
        source = _source(name, loader)
        source = source if source and agrees(module, source.encode()) else ""
        _seen[name] = (id(module), source)
    return source


def _source(name: str, loader: Any) -> str:
    try:
        return str(loader.get_source(name) or "")
    except Exception:  # a loader may be anybody's
        return ""
