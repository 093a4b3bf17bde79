"""Python's own functions as they were at load, for as long as a run is being closed.

A cell may replace ``len``, ``open``, ``json.dumps`` or ``Thread.start``, and may leave them so.
What closes a run stands on MLflow and SQLAlchemy, which stand on them too; so what was replaced is
put back meanwhile, for the whole process, and the user's own is there again afterwards.
"""

from __future__ import annotations

import builtins
import functools
import operator
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from cvtrack_magics import forks

BUILTINS = {**vars(builtins)}
"""For the ``__builtins__`` of a module whose own functions are to call none that was replaced."""
globals()["__builtins__"] = BUILTINS

P = ParamSpec("P")
R = TypeVar("R")

MODULES = (
    *("builtins", "abc", "ast", "atexit", "base64", "bisect", "codecs", "collections"),
    *("collections.abc", "concurrent.futures", "concurrent.futures.thread", "contextlib"),
    *("contextvars", "copy", "csv", "dataclasses", "datetime", "decimal", "enum", "fcntl"),
    *("fnmatch", "functools", "gc", "genericpath", "glob", "gzip", "hashlib", "heapq", "hmac"),
    *("importlib.metadata", "inspect", "io", "itertools", "json", "json.decoder", "json.encoder"),
    *("linecache", "locale", "logging", "math", "mimetypes", "mmap", "numbers", "operator", "os"),
    *("pathlib", "pickle", "platform", "posixpath", "pprint", "queue", "random", "re", "secrets"),
    *("select", "selectors", "shlex", "shutil", "signal", "sqlite3", "sqlite3.dbapi2", "stat"),
    *("statistics", "string", "struct", "subprocess", "tarfile", "tempfile", "textwrap"),
    *("threading", "time", "tokenize", "traceback", "types", "unicodedata", "uuid", "warnings"),
    *("weakref", "zipfile", "zlib"),
)
"""Whose functions are put back. Not sockets, which a proxy or a company's certificates replace, nor
what notebooks change for good reason: asyncio's loops, the import of modules."""
LEFT = ("excepthook", "input", "breakpoint", "showwarning")
"""What notebooks and libraries replace, and no closing depends on."""
_GONE = object()


class Stay:
    """One who needs Python's own functions; gone with its frame where its end was cut off."""

    __slots__ = ("__weakref__",)


class _Known:
    """The functions and classes of one module or class, as they were."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.parts = {
            name: value
            for name, value in [*vars(owner).items()]
            if name not in LEFT and (callable(value) or isinstance(value, _DESCRIPTORS))
        }
        self.inherited = [*_inherited(owner)]

    def put_back(self) -> list[tuple[Any, str, Any, Any]]:
        """Put back what was replaced; return (owner, name, what stands there now, the user's)."""
        found = []
        now, owner = vars(self.owner), self.owner
        for name, value in self.parts.items():
            if now.get(name, _GONE) is not value:
                found.append((owner, name, value, now.get(name, _GONE)))
        for name in self.inherited:
            if name in now:
                found.append((owner, name, _GONE, now[name]))
        return [change for change in found if _set(*change[:3])]


_DESCRIPTORS = (property, classmethod, staticmethod)


def _inherited(owner: Any) -> list[str]:
    """Return what a class has of its bases, and that somebody may put before it."""
    if not isinstance(owner, type):
        return []
    names = {
        name for base in owner.__mro__[1:-1] for name, it in vars(base).items() if callable(it)
    }
    return [*names.difference(vars(owner))]


def _set(owner: Any, name: str, value: Any) -> bool:
    try:
        if value is _GONE:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    except Exception:
        return False
    return True


class _Standard:
    """What is known of the modules; it is one, for there is one process."""

    def __init__(self) -> None:
        self._lock = forks.rlock()
        self._known: dict[str, list[_Known]] = {}
        self._stays: WeakSet[Stay] = WeakSet()
        self._changes: list[tuple[Any, str, Any, Any]] = []

    def remember(self) -> None:
        """Note the modules that are there and were not noted yet."""
        for name in MODULES:
            module = sys.modules.get(name)
            if module is not None and name not in self._known:
                classes = [
                    it
                    for it in [*vars(module).values()]
                    if type(it) is type and it.__module__ == name and it.__flags__ & _HEAP
                ]
                self._known[name] = [_Known(module), *[_Known(one) for one in classes]]

    def enter(self, stays: Iterable[Stay]) -> None:
        """Put back what was replaced, until all who stay have left."""
        with self._lock:
            for one in stays:
                self._stays.add(one)
            known = [one for found in [*self._known.values()] for one in found]
            self._changes += [change for one in known for change in one.put_back()]

    def leave(self, stay: Stay) -> None:
        with self._lock:
            self._stays.discard(stay)
            if not self._stays:
                self._give_back()

    def leave_all(self) -> list[Stay]:
        """Let the user's own be there although some stay; return these."""
        with self._lock:
            stays = [*self._stays]
            self._stays.clear()
            self._give_back()
        return stays

    def _give_back(self) -> None:
        changes, self._changes = self._changes, []
        for owner, name, ours, users in changes:
            if vars(owner).get(name, _GONE) is ours:  # else somebody has set it meanwhile
                _set(owner, name, users)


_HEAP = 1 << 9  # a class that Python code has made, of CPython's Py_TPFLAGS_HEAPTYPE
_standard = _Standard()
_standard.remember()
_OFTEN = ("print", "open", "display", "get_ipython", "exit", "quit", "help", "_", *LEFT)
"""Built-in functions that stay replaced for long, as print is in distributed training."""
_builtins_now = operator.itemgetter(*(name for name in vars(builtins) if name not in _OFTEN))
_builtins_then = _builtins_now(vars(builtins))


class AsAtLoad:
    """Puts back what was replaced of Python's own functions, within a ``with`` block."""

    def __init__(self) -> None:
        self._stay = Stay()

    def __enter__(self) -> None:
        _standard.enter([self._stay])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _standard.leave(self._stay)


def remember() -> None:
    """Note what Python's own modules have that were imported since."""
    _standard.remember()


def are_builtins_replaced() -> bool:
    """Whether something stands in a built-in function's place, in two microseconds."""
    try:
        # not by ==, which the user's own may answer
        return not all(map(operator.is_, _builtins_now(vars(builtins)), _builtins_then))
    except KeyError:  # one was taken away; what else is raised arrives from outside
        return True


class AsTheUserHasIt:
    """Gives a part of what runs as at load back to the user's code, with what it replaced."""

    def __enter__(self) -> None:
        self._stays = _standard.leave_all()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _standard.enter(self._stays)


def as_at_load(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function run with Python's own functions as they were at load."""

    @functools.wraps(function)
    def with_them(*args: P.args, **kwargs: P.kwargs) -> R:
        with AsAtLoad():
            return function(*args, **kwargs)

    return with_them
