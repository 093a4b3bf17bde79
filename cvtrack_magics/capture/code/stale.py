"""Modules that were edited after their import: their text as it ran."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakValueDictionary

from cvtrack_magics.artifacts.paths import MODULES
from cvtrack_magics.capture.code.bindings import Binding, bindings, disagrees, rebound
from cvtrack_magics.capture.code.loaded import was_loaded
from cvtrack_magics.capture.code.modules import import_root, user_modules
from cvtrack_magics.capture.code.replaced_code import agrees, meaning, replaced_in
from cvtrack_magics.capture.machine.replaced_packages import note_import
from cvtrack_magics.records import Artifact, Notice, Record, Tag

_LIMIT = 1_000_000  # bytes of a module that are kept
_texts: dict[str, bytes] = {}
_executed: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
_bindings: dict[str, dict[str, Binding]] = {}
_loads: list[str] = []
"""The own files that were loaded, in order: a module may be gone while its function lives."""
_inherited = SourceFileLoader.exec_module


def install() -> None:
    """Read own modules from now on as they are imported or reloaded."""
    SourceFileLoader.exec_module = _exec_module  # type: ignore[assignment, method-assign]


def remove() -> None:
    """Import as before."""
    if SourceFileLoader.__dict__.get("exec_module") is _exec_module:
        del SourceFileLoader.exec_module


def _exec_module(self: SourceFileLoader, module: ModuleType) -> None:
    read: dict[str, bytes] = {}
    with suppress(Exception):  # an import never fails for our sake
        note_import(module.__name__)
        read = {str(path): _read(path) for path in user_modules({"": module})}
    _inherited(self, module)
    _executed[module.__name__] = module
    _loads.extend(read)
    was_loaded(module)
    _texts.update(read)  # not before: what a failed reload leaves is the old code
    for file in read:
        _note(file, module)


def _note(file: str, module: ModuleType | None) -> None:
    """Note what a module's names stand for now; an import never fails for our sake."""
    with suppress(Exception):
        if module is not None:
            _bindings[file] = bindings(module)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LIMIT)


def loose_modules() -> dict[str, ModuleType]:
    """Return the modules that were loaded from a file and are not in ``sys.modules``."""
    # at once: another thread may be importing, and items() would loop meanwhile
    executed = {ref.key: ref() for ref in _executed.valuerefs()}
    return {
        k: one for k, one in executed.items() if one is not None and sys.modules.get(k) is not one
    }


def loads() -> int:
    """Return how many times an own file has been loaded."""
    return len(_loads)


def loaded_since(count: int) -> list[Path]:
    """Return the own files that were loaded after so many times."""
    return [Path(path) for path in dict.fromkeys(_loads[count:]) if Path(path).is_file()]


def stale_records(paths: Iterable[Path], modules: dict[str, Any]) -> list[Record]:
    """Return what ran of the modules whose files have changed since their import.

    Parameters
    ----------
    paths : iterable of Path
        Source files of imported modules.
    modules : dict of str to module
        As ``sys.modules``; modules imported before `install` are compared by the code
        of their functions, and kept as first seen where that agrees.

    Returns
    -------
    list of Record
        The text that ran, where it is known; one tag and one notice of all that differ.
    """
    loaded = {str(getattr(m, "__file__", "")): m for m in list(modules.values()) if _plain(m)}
    records: list[Record] = []
    said: list[str] = []
    for path in paths:
        with suppress(OSError):
            now, ran = _read(path), _texts.get(str(path))
            module = loaded.get(str(path))
            name = path.relative_to(import_root(path)).as_posix()
            if ran is not None and ran != now and _is_in_place(module, ran, now):
                ran = _texts[str(path)] = now
                _note(str(path), module)
            if module is not None and _is_lost(module, ran, now, path):
                said.append(f"{name} (the text that ran is lost)")
            elif ran is not None and ran != now:
                said.append(name)
                text = ran.decode("utf-8", "replace")
                records.append(Artifact(f"{MODULES}/{name}", text))
            elif ran is None:
                _texts[str(path)] = now
                _note(str(path), module)
    for path in _gone(loaded):
        name = path.relative_to(import_root(path)).as_posix()
        said.append(f"{name} (its file is gone)")
        text = _texts[str(path)].decode("utf-8", "replace")
        records.append(Artifact(f"{MODULES}/{name}", text))
    if said:
        names = ", ".join(said)
        records.append(Tag("code.edited_after_import", names))
        records.append(Notice(f"Edited after import, the run used the old code: {names}."))
    return records + _replaced(loaded)


def _gone(loaded: dict[str, Any]) -> list[Path]:
    return [Path(file) for file in sorted(loaded) if file in _texts and not Path(file).is_file()]


def _replaced(loaded: dict[str, Any]) -> list[Record]:
    """Say which functions and constants are others in memory than in the text that ran."""
    found = [
        each
        for file, module in sorted(loaded.items())
        if file in _texts
        for each in _replaced_in(module, file)
    ]
    if not found:
        return []
    names = ", ".join(found)
    notice = f"Replaced in memory, the run used other code than its module's file: {names}."
    return [Tag("code.replaced_in_memory", names), Notice(notice)]


def _replaced_in(module: ModuleType, file: str) -> list[str]:
    told = replaced_in(module, _texts[file], Path(file))
    names = {each.partition(" ")[0] for each in told}
    more = rebound(module, _bindings.get(file, {}), _texts[file])
    others = [(f"{module.__name__}.{name}", what) for name, what in more.items()]
    return [*told, *(f"{name} ({what})" for name, what in others if name not in names)]


def _is_in_place(module: ModuleType | None, ran: bytes, now: bytes) -> bool:
    """Say whether a module was brought to its new text without an import, as autoreload does."""
    return module is not None and agrees(module, now) and not agrees(module, ran)


def _plain(module: object) -> bool:
    """Say whether this is a module as it is, or of a class of its own, and not a lazy one."""
    kind = type(module)
    if kind is ModuleType or not issubclass(kind, ModuleType):
        return kind is ModuleType
    return bool(kind.__module__ == object.__getattribute__(module, "__dict__").get("__name__"))


def _is_lost(module: ModuleType, ran: bytes | None, now: bytes, path: Path) -> bool:
    """Say whether a module's text is not what was compiled, so that nobody has it."""
    if not _is_of_python(module):
        return False  # what others load, as pytest does, they may have compiled otherwise
    if ran is not None:
        return ran == now and disagrees(_bindings.get(str(path), {}), now)
    return _is_other(module, now, path)


def _is_of_python(module: ModuleType) -> bool:
    spec = getattr(module, "__spec__", None)
    return spec is None or type(getattr(spec, "loader", None)) is SourceFileLoader


def _is_other(module: ModuleType, now: bytes, path: Path) -> bool:
    return rewritten(module, path) or differs(module, now, path)


def rewritten(module: ModuleType, path: Path) -> bool:
    """Say whether a file is another one than Python compiled when the module was imported.

    The compiled file notes time and size of its source (PEP 552); where it has no such note,
    nothing is known.
    """
    try:
        head = Path(str(getattr(module, "__cached__", "") or "")).read_bytes()[:16]
        found = path.stat()
    except OSError:
        return False
    if len(head) < 16 or any(head[4:8]):
        return False
    noted = int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little")
    return noted != (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)


def differs(module: ModuleType, source: bytes, path: Path) -> bool:
    """Say whether a function of a module is not what its file says now."""
    try:
        compiled = dict(_functions(compile(source, str(path), "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return True
    own = [v for v in list(vars(module).values()) if type(v) is FunctionType]
    codes = [v.__code__ for v in own if v.__module__ == module.__name__]
    return any(
        meaning(code) not in compiled.values() for code in codes if code.co_filename == str(path)
    )


def _functions(code: CodeType) -> Iterator[tuple[int, object]]:
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield id(item), meaning(item)
            yield from _functions(item)
