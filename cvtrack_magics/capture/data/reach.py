"""What a stream reads from: the files, data and code that its objects and functions hold."""

from __future__ import annotations

import glob
import hashlib
import inspect
import io
import os
import pickle
import queue
import re
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count, product
from math import prod
from types import (
    AsyncGeneratorType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.handles import file_behind, kind_of_handle
from cvtrack_magics.capture.data.randomness import is_generator
from cvtrack_magics.capture.data.reached_code import (
    chance_in,
    functions_of,
    globals_of,
    is_library,
    source_of,
    texts_in,
)
from cvtrack_magics.capture.data.shapes import as_frame, is_array, is_image, is_table

_MOST = 1_000_000
_IN_LIST = "[]"
_SPELLED = "code"
_URL = re.compile(r"^(?:pipe:|(?!file:)[A-Za-z][A-Za-z0-9+.\-]+://)\s*\w")
_BRACES = re.compile(r"\{([^{}]*)\}")
_MENTIONS = ("homepage", "license", "citation", "description")
_ABOUT = ("DatasetInfo", "Features", "Logger", "NamedSplit")
_STORED = re.compile(r"cache|memo|epoch|seed|state|history|seen")
_SEED = re.compile(r"(.*_)?(seed|rng|epoch)")
_CHANGING = re.compile(r"^_|epoch|seed|rank|worker|step|count|index|position|offset|length|cache")
_CHANCE_WORD = re.compile(r"shuffl|random|resampl|randperm", re.IGNORECASE)


@dataclass
class Reached:
    """What is reached from a stream.

    Attributes
    ----------
    files, folders : list of str
        Those that its texts name, in order, repeats included.
    data : list
        Arrays, images, tables, and lists of plain values.
    once : str
        What can be read only once; such a thing is never touched.
    address : str
        Where it reads from that is not on this machine.
    chance : str
        What may make it give other samples, or another order, the next time.
    unknown : str
        What holds its content where nobody can look.
    code : list of str
        Names of library classes, source of the user's functions.
    settings : list of (str, value)
        Numbers and texts that no epoch changes.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)
    once: str = ""
    address: str = ""
    chance: str = ""
    unknown: str = ""
    code: list[str] = field(default_factory=list)
    settings: list[tuple[str, Any]] = field(default_factory=list)


def reach(value: object) -> Reached:
    """Return what a stream, its stages, their functions and the globals they use hold."""
    found = Reached()
    seen: dict[int, object] = {}
    waiting: deque[tuple[str, Any]] = deque([("", value)])
    while waiting and len(seen) < _MOST:
        name, item = waiting.popleft()
        if isinstance(item, (str, os.PathLike)):
            _text(name, item, found)
            continue
        if item is None or isinstance(item, (bool, int, float, complex, bytes, bytearray)):
            if name not in ("", _IN_LIST, _SPELLED) and not _CHANGING.search(name):
                found.settings.append((name, item))
            continue
        if id(item) in seen or isinstance(item, ModuleType):
            continue
        seen[id(item)] = item
        waiting.extendleft(reversed(_inside(name, item, found)))
    if waiting:
        found.once = found.once or f"more than {_MOST:,} objects"
    return found


def _text(name: str, item: Any, found: Reached) -> None:
    text = os.fsdecode(item)
    if _URL.match(text):
        if name not in _MENTIONS and text != "https://huggingface.co":
            found.address = found.address or text
        return
    paths = named_files(text)
    if paths:
        found.files.extend(paths)
    elif _is_folder(name, text):
        found.folders.append(os.path.abspath(os.path.expanduser(text)))
    elif (
        name not in ("", _IN_LIST, _SPELLED)
        and not _CHANGING.search(name)
        and not os.path.isabs(text)
    ):
        found.settings.append((name, text))


def texts_of(item: Any) -> list[Any]:
    """Return the texts in a table or an array of text, which may name files."""
    if is_table(item):
        frame = as_frame(item)
        values = frame.to_numpy().reshape(-1).tolist() if hasattr(frame, "to_numpy") else []
    elif is_array(item) and getattr(item.dtype, "kind", "") in ("U", "O"):
        values = item.reshape(-1).tolist()
    else:
        return []
    return [value for value in values if isinstance(value, (str, os.PathLike))]


def _is_folder(name: str, text: str) -> bool:
    if not text or len(text) > 4096 or "\0" in text or "cache_dir" in name:
        return False
    # "." and "/" in code are what texts are split at
    spelled = name == _SPELLED and not any(letter.isalnum() for letter in text)
    return not spelled and os.path.isdir(os.path.expanduser(text))


def named_files(text: str) -> list[str]:
    """Return the files that a path, a pattern, or shards in braces name; none if one is away."""
    if not text or len(text) > 4096 or "\0" in text:
        return []
    text = os.path.expanduser(text)
    if os.path.isfile(text):
        return [os.path.abspath(text)]
    if "{" in text:
        every = list(expanded(text))
        return [os.path.abspath(p) for p in every] if all(map(os.path.isfile, every)) else []
    if any(mark in text for mark in "*?[") and (os.sep in text or "." in text):
        return [os.path.abspath(p) for p in sorted(glob.glob(text)) if os.path.isfile(p)]
    return []


def expanded(text: str) -> Iterator[str]:
    """Yield the paths of a name with ``{000..012}`` or ``{train,val}`` in it."""
    parts = _BRACES.split(text)
    choices = [_choices(part) if at % 2 else [part] for at, part in enumerate(parts)]
    if prod(len(each) for each in choices) <= _MOST:
        yield from ("".join(each) for each in product(*choices))


def _choices(part: str) -> list[str]:
    first, dots, last = part.partition("..")
    if dots and first.isdigit() and last.isdigit():
        numbers = range(int(first), min(int(last), int(first) + _MOST) + 1)
        return [f"{number:0{len(first)}d}" for number in numbers]
    return part.split(",")


def _inside(name: str, item: Any, found: Reached) -> list[tuple[str, Any]]:  # noqa: PLR0911
    behind = file_behind(item)
    if behind:
        found.files.append(behind)
        return []
    if kind_of_handle(item):
        found.data.append(item)
        return []
    if is_generator(item):
        found.chance = found.chance or "a random generator"
        return []
    if is_array(item) or is_image(item) or is_table(item):
        found.data.append(item)
        return [(_IN_LIST, each) for each in texts_of(item)]
    if isinstance(item, count):  # numbers, from wherever it is
        return []
    if _is_once(item):
        found.once = found.once or _a(type(item).__name__)
        return []
    if isinstance(item, (Mapping, list, tuple, set, frozenset, deque)):
        kept = _without_seeds(item) if isinstance(item, Mapping) else item
        if kept and name != _IN_LIST and not _STORED.search(name):
            found.data.append(kept)
        pairs = item.items() if isinstance(item, Mapping) else ((_IN_LIST, each) for each in item)
        return [(str(key), each) for key, each in pairs]
    if isinstance(item, MethodType):
        return [("", item.__self__), ("", item.__func__)]
    if isinstance(item, partial):
        return [("", item.func), ("", item.args), ("", item.keywords)]
    if isinstance(item, FunctionType):
        return _of_function(item, found)
    if isinstance(item, type):
        return [("", each) for each in functions_of(item)]
    return _of_object(item, found)


def _of_closed(item: Any, found: Reached) -> None:
    """Take an object of compiled code by its pickle, if it has one that says anything."""
    try:
        content = pickle.dumps(item, protocol=4)
    except Exception:
        found.unknown = found.unknown or _a(type(item).__name__)
        return
    found.settings.append((type(item).__name__, hashlib.sha256(content).hexdigest()))


def _without_seeds(item: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a dict without what a library may draw anew each time, such as webdataset's seed."""
    if not any(_SEED.fullmatch(str(key)) for key in item):
        return item
    return {key: each for key, each in item.items() if not _SEED.fullmatch(str(key))}


def _is_once(item: Any) -> bool:
    if isinstance(item, (GeneratorType, AsyncGeneratorType, CoroutineType, io.IOBase)):
        return True
    if isinstance(item, (socket.socket, queue.Queue)):
        return True
    home = type(item).__module__.partition(".")[0]
    if hasattr(type(item), "__next__") and home in ("builtins", "itertools", "_io", "csv", "_csv"):
        return True
    return home in ("socket", "ssl", "queue", "_queue", "subprocess", "sqlite3", "selectors")


def _a(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def _of_function(item: FunctionType, found: Reached) -> list[tuple[str, Any]]:
    code = item.__code__
    if is_foreign(code.co_filename):
        found.code.append(f"{item.__module__}.{item.__qualname__}")
        if _CHANCE_WORD.search(item.__qualname__):
            found.chance = found.chance or item.__qualname__
        names: set[str] = set()
    else:
        names = set(names_in(code))
        found.code.append(source_of(item))
        found.chance = found.chance or chance_in(item, names, found.code[-1])
    used = set() if is_foreign(code.co_filename) else set(globals_of(code))
    held = [(name, item.__globals__[name]) for name in sorted(used & item.__globals__.keys())]
    cells = inspect.getclosurevars(item).nonlocals if item.__closure__ else {}
    own = [*(item.__defaults__ or ()), *(item.__kwdefaults__ or {}).values()]
    consts = [] if is_foreign(code.co_filename) else texts_in(code)
    spelled = [(_SPELLED, each) for each in consts]
    return [*cells.items(), *(("", each) for each in own), *spelled, *held]


def _of_object(item: Any, found: Reached) -> list[tuple[str, Any]]:
    kind = type(item)
    if kind.__name__ in _ABOUT or kind.__module__ in ("threading", "_thread", "logging"):
        return []
    found.code.append(kind.__qualname__)
    if is_library(kind) and _CHANCE_WORD.search(kind.__name__):
        found.chance = found.chance or kind.__name__
    if not hasattr(item, "__dict__") and not any(vars(b).get("__slots__") for b in kind.__mro__):
        _of_closed(item, found)
        return []
    slots = [name for base in kind.__mro__ for name in slots_of(base)]
    held = {**{n: getattr(item, n, None) for n in slots}, **getattr(item, "__dict__", {})}
    functions = [] if is_library(kind) else functions_of(kind)
    if kind.__module__.startswith("webdataset.") and _passes(held):
        return []
    held = {name: each for name, each in held.items() if not name.endswith("_hffs_cache")}
    return [*held.items(), *(("", each) for each in functions)]


def _passes(held: Mapping[str, Any]) -> bool:
    """Say whether a stage of a pipeline is a shuffle in a buffer of no size, which passes all."""
    name = getattr(held.get("f"), "__name__", "")
    return name in ("_shuffle", "detshuffle") and list(held.get("args") or [1])[:1] in (
        [0],
        [False],
    )


def slots_of(base: type) -> list[str]:
    """Return the names of the slots that a class itself adds."""
    slots = vars(base).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]
