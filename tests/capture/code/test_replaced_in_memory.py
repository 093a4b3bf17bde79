"""Functions and constants of own modules that are others in memory than in their file."""

from __future__ import annotations

import functools
import importlib
import os
import py_compile
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from cvtrack_magics.capture.code import stale
from cvtrack_magics.capture.code.packed import packed_records
from cvtrack_magics.capture.code.replaced_code import replaced_in
from cvtrack_magics.records import Artifact, Notice, Tag
from tests.conftest import Shell
from tests.store_views import artifact, runs_of

TEXT = """
import dataclasses, enum, functools, json, typing
from math import sqrt

RATE = 0.1
NAME = "flip"
COUNT = 0
TABLE = {}
FILLED = {"own": 1}
SETTINGS = {"rate": 0.1, "flip": {"p": 0.5}}
SIZES = [1, 2]
MEANS = (0.4, 0.5)
LATER = 1

def read(): return 1

def write(): return 2

def scale(value, by=1, *, plus=0): return value * by + plus

def times(by): return lambda value: value * by
double = times(2)

def twice(): return 1
twice = functools.lru_cache(twice)

@functools.lru_cache
def cached(): return 1

def count():
    global COUNT
    COUNT += 1

def fill(): FILLED["own"] = 2

ACT = lambda value: value

class Colour(enum.Enum):
    RED = 1

class Row(typing.NamedTuple):
    depth: int = 3

@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    def scaled(self): return self.rate

class Made(metaclass=type):
    def forward(self): return 1

class Model:
    DEPTH = 3
    @property
    def size(self): return 1
    def forward(self): return 1
    @staticmethod
    def loss(): return 2
    @classmethod
    def make(cls): return cls()
    def length(self): return len("ab")

class Outer:
    class Inner:
        def step(self): return 1
        class Deep:
            def turn(self): return 2

half = functools.partial(scale, 2, by=3)

class Small(Model):
    def grow(self): return sqrt(4)

LATER = LATER + 1
"""


def other() -> int:
    return 99


def typed(*given: Any) -> int:
    return 99


typed.__module__ = "__main__"  # as of a cell


def wrapped(module: Any) -> None:
    @functools.wraps(module.read)
    def read() -> int:
        return int(module.read()) + 1

    module.read = read


def code(module: Any) -> None:
    module.read.__code__ = other.__code__


PATCHES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a function": (lambda m: setattr(m, "read", other), "read (other of "),
    "a lambda": (lambda m: setattr(m, "read", lambda: 1), "read (<lambda>"),
    "a wrapper": (wrapped, "read (read of test_"),
    "its code": (code, "read (read of "),
    "a mock": (lambda m: setattr(m, "read", mock.MagicMock()), "read (now a MagicMock)"),
    "a partial": (lambda m: setattr(m, "read", functools.partial(other)), "read (now a partial)"),
    "a cached one": (lambda m: setattr(m, "read", functools.cache(m.read)), "read (now a _lru"),
    "deleted": (lambda m: delattr(m, "read"), "read (deleted)"),
    "a method": (lambda m: setattr(m.Model, "forward", other), "Model.forward (other"),
    "a static method": (lambda m: setattr(m.Model, "loss", staticmethod(other)), "Model.loss"),
    "a class method": (lambda m: setattr(m.Model, "make", classmethod(other)), "Model.make"),
    "a number": (lambda m: setattr(m, "RATE", 0.5), "RATE (another value)"),
    "a text": (lambda m: setattr(m, "NAME", "none"), "NAME (another value)"),
    "another type": (lambda m: setattr(m, "NAME", [1]), "NAME (now a list)"),
    "a decorated one": (lambda m: setattr(m, "cached", typed), "cached (typed of "),
    "a wrapped one": (
        lambda m: setattr(m, "cached", functools.lru_cache(typed)),
        "cached (typed of ",
    ),
    "one that was a lambda": (lambda m: setattr(m, "ACT", typed), "ACT (typed of "),
    "a property": (lambda m: setattr(m.Model, "size", property(typed)), "Model.size (typed"),
    "of a dataclass": (lambda m: setattr(m.Settings, "scaled", typed), "Settings.scaled (typed"),
    "of a class with a keyword": (lambda m: setattr(m.Made, "forward", typed), "Made.forward"),
    "of a class": (lambda m: setattr(m.Model, "DEPTH", 5), "Model.DEPTH (another value)"),
    "in a dict": (lambda m: m.SETTINGS.update(rate=0.2), "SETTINGS (another value)"),
    "deep in a dict": (lambda m: m.SETTINGS["flip"].update(p=0.9), "SETTINGS (another value)"),
    "gone from a dict": (lambda m: m.SETTINGS.pop("rate"), "SETTINGS (another value)"),
    "in a list": (lambda m: m.SIZES.__setitem__(0, 9), "SIZES (another value)"),
    "a tuple": (lambda m: setattr(m, "MEANS", (0, 0)), "MEANS (another value)"),
}


def swap_code(module: Any) -> None:
    module.read.__code__ = module.write.__code__


class Alien:
    pass


PATCHES |= {
    "one of its own": (lambda m: setattr(m, "read", m.write), "read (write of patched_module.py)"),
    "the code of one of its own": (swap_code, "read (other code)"),
    "a default": (lambda m: setattr(m.scale, "__defaults__", (2,)), "scale (other defaults)"),
    "a named default": (lambda m: m.scale.__kwdefaults__.update(plus=2), "scale (other defaults)"),
    "a method of its own": (
        lambda m: setattr(m.Model, "forward", m.Model.length),
        "Model.forward (Model.length of",
    ),
    "one that is inherited": (
        lambda m: setattr(m.Small, "forward", typed),
        "Small.forward (typed of ",
    ),
    "one that Python calls": (
        lambda m: setattr(m.Small, "__call__", typed),
        "Small.__call__ (typed of ",
    ),
    "the class above": (lambda m: setattr(m.Small, "__bases__", (m.Made,)), "Small (other bases)"),
    "a class by another": (lambda m: setattr(m, "Settings", Alien), "Settings (class Alien of "),
    "what is imported": (lambda m: setattr(m, "sqrt", typed), "sqrt (typed of "),
    "a module": (lambda m: setattr(m, "json", mock.MagicMock()), "json (now a MagicMock)"),
    "what is built in": (lambda m: setattr(m, "len", typed), "len (typed of "),
    "in a class of a class": (
        lambda m: setattr(m.Outer.Inner, "step", typed),
        "Outer.Inner.step (typed of ",
    ),
    "three classes down": (
        lambda m: setattr(m.Outer.Inner.Deep.turn, "__code__", other.__code__),
        "Outer.Inner.Deep.turn (other code",
    ),
    "another partial": (
        lambda m: setattr(m, "half", functools.partial(m.scale, 2, by=4)),
        "half (now a partial",
    ),
    "made by a function": (lambda m: setattr(m, "double", m.times(3)), "double (times.<locals>."),
}
MEANT: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda m: None,
    "called": lambda m: (m.read(), m.twice(), m.cached(), m.Model().forward()),
    "a counter of its own": lambda m: m.count(),
    "a table that is filled": lambda m: m.TABLE.update(a=1),
    "the same value": lambda m: setattr(m, "RATE", 0.1),
    "something new": lambda m: setattr(m, "NEW", 1),
    "a table that it changes": lambda m: m.fill(),
    "more of a dict": lambda m: m.SETTINGS.update(new=1),
    "more of a list": lambda m: m.SIZES.append(3),
    "a partial made again": lambda m: setattr(m, "half", functools.partial(m.scale, 2, by=3)),
    "made again": lambda m: setattr(m, "double", m.times(2)),
    "a method that nothing has": lambda m: setattr(m.Small, "extra", typed),
    "put back": lambda m: (old := m.read, setattr(m, "read", other), setattr(m, "read", old)),
    "a default put back": lambda m: setattr(m.scale, "__defaults__", (1,)),
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "patched_module.py").write_text(TEXT)
    monkeypatch.syspath_prepend(str(tmp_path))
    stale.install()
    try:
        yield importlib.import_module("patched_module")
    finally:
        stale.remove()
        sys.modules.pop("patched_module", None)


def said(module: ModuleType) -> str:
    path = Path(str(module.__file__))
    records = stale.stale_records([path], {"patched_module": module})
    tags = [item.value for item in records if isinstance(item, Tag)]
    notices = [item.text for item in records if isinstance(item, Notice)]
    assert len(tags) == len(notices) <= 1
    assert all(tag in notice for tag, notice in zip(tags, notices, strict=True))
    return "".join(tags)


@pytest.mark.parametrize("patch", PATCHES)
def test_what_was_replaced_is_said(module: ModuleType, patch: str) -> None:
    change, expected = PATCHES[patch]
    change(module)
    assert said(module).startswith(f"patched_module.{expected}")
    assert "none" not in said(module)  # no value, which may be a secret


def test_a_module_of_a_class_of_its_own_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "classed_module.py").write_text(
        "import sys, types\n"
        "class Quiet(types.ModuleType): pass\n"
        "def read(): return 1\n"
        "sys.modules[__name__].__class__ = Quiet\n"
    )
    with mock.patch.object(sys, "path", [str(tmp_path), *sys.path]):
        stale.install()
        try:
            module = importlib.import_module("classed_module")
            module.read = typed  # type: ignore[attr-defined]
            records = stale.stale_records([Path(str(module.__file__))], {"m": module})
        finally:
            stale.remove()
            sys.modules.pop("classed_module", None)
    assert any("classed_module.read" in r.text for r in records if isinstance(r, Notice))


@pytest.mark.parametrize("patch", MEANT)
def test_what_a_module_does_itself_is_no_alarm(module: ModuleType, patch: str) -> None:
    MEANT[patch](module)
    assert said(module) == ""


@pytest.mark.parametrize("unchecked", [False, True], ids=["time and size", "unchecked"])
def test_a_compiled_file_that_is_not_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unchecked: bool
) -> None:
    path = tmp_path / "compiled_otherwise.py"
    path.write_text("def read(): return 1\n")
    os.utime(path, (1000, 1000))
    modes = py_compile.PycInvalidationMode
    mode = modes.UNCHECKED_HASH if unchecked else modes.TIMESTAMP
    py_compile.compile(str(path), invalidation_mode=mode)
    path.write_text("def read(): return 2\n")
    os.utime(path, (1000, 1000))
    monkeypatch.syspath_prepend(str(tmp_path))
    stale.install()
    try:
        module = importlib.import_module("compiled_otherwise")
        assert module.read() == 1
        records = stale.stale_records([path], {"compiled_otherwise": module})
    finally:
        stale.remove()
        sys.modules.pop("compiled_otherwise", None)
    assert [item.value for item in records if isinstance(item, Tag)] == [
        "compiled_otherwise.py (the text that ran is lost)"
    ]


def test_a_module_of_a_zip_that_is_replaced_is_the_one_that_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(text: str) -> None:
        with zipfile.ZipFile(tmp_path / "packed.zip", "w") as file:
            file.writestr("inside_zip.py", text)
            file.writestr("later_in_zip.py", text)

    def kept(name: str) -> list[object]:
        found = packed_records({name: sys.modules[name]})
        return [item.content if isinstance(item, Artifact) else type(item) for item in found]

    old = "def read(): return 1\n"
    pack(old)
    monkeypatch.syspath_prepend(str(tmp_path / "packed.zip"))
    try:
        importlib.import_module("inside_zip")
        importlib.import_module("later_in_zip")
        assert kept("inside_zip") == [old]
        pack("def read(): return 2\n")
        assert kept("inside_zip") == [old]
        assert kept("later_in_zip") == [Notice]
    finally:
        for name in ("inside_zip", "later_in_zip"):
            sys.modules.pop(name, None)


def test_a_reload_that_stops_half_way_is_said(module: ModuleType) -> None:
    path = Path(str(module.__file__))
    path.write_text(TEXT.replace("def read(): return 1", "def read(): return 5") + "raise EOFError")
    os.utime(path, (1, 1))
    with pytest.raises(EOFError):
        importlib.reload(module)
    path.write_text(TEXT)
    assert said(module).startswith("patched_module.read (read of patched_module.py)")


def test_a_module_whose_file_is_gone_is_kept(module: ModuleType) -> None:
    path = Path(str(module.__file__))
    path.unlink()
    records = stale.stale_records([], {"patched_module": module})
    assert [item.content for item in records if isinstance(item, Artifact)] == [TEXT]
    assert "patched_module.py (its file is gone)" in said(module)


def test_a_reload_that_fails_leaves_the_old_text(module: ModuleType) -> None:
    path = Path(str(module.__file__))
    path.write_text("def read(: return 2\n")
    with pytest.raises(SyntaxError):
        importlib.reload(module)
    records = stale.stale_records([path], {"patched_module": module})
    assert [item.content for item in records if isinstance(item, Artifact)] == [TEXT]


AUTORELOAD = [
    "A = 1\ndef f(): return 1\n",
    "A = 2\ndef f(): return 1\n",
    "A = 2\ndef f(): return 22\n",
    "A = 2\ndef f(: return 23\n",
    "A = 3\ndef f(): return 24\n# more\n",
]


def test_autoreload_is_followed(shell: Shell, store: str, tmp_path: Path) -> None:
    path = tmp_path / "auto_module.py"
    path.write_text(AUTORELOAD[0])
    shell.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport auto_module")
    shell.run("%load_ext autoreload\n%autoreload 2")
    shell.run("auto_module.A")
    for at, text in enumerate(AUTORELOAD):
        path.write_text(text)
        later = path.stat().st_mtime + 10 * at + 10
        os.utime(path, (later, later))
        shell.run(f"%%mlrun run{at}\nused = auto_module.A, auto_module.f()")
        run = runs_of(store)[f"run{at}"]
        ran = AUTORELOAD[2] if "(:" in text else text
        assert artifact(store, run, "code/modules/auto_module.py") == ran
        assert ("code.edited_after_import" in run.data.tags) is (ran != text)
        assert "code.replaced_in_memory" not in run.data.tags
        assert shell.ip.user_ns["used"] == (_value(ran, "A = "), _value(ran, "return "))
    shell.run("%autoreload 0\nsys.modules.pop('auto_module')")


def _value(text: str, after: str) -> int:
    return int(text.split(after)[1].split("\n", maxsplit=1)[0])


SCRIPT = """
import functools
relu = lambda x: max(x, 0)
sq, cube = (lambda x: x * x), (lambda x: x**3)
def deco(f):
    return lambda *a: f(*a)
def wraps(f):
    @functools.wraps(f)
    def inner(*a):
        return f(*a)
    return inner
@deco
def h(x):
    return x
@wraps
def k(x):
    return x
class A:
    m = lambda self: 2
    @property
    def p(self):
        return 1
"""


@pytest.mark.parametrize("name", ["__main__", "helpers"])
def test_a_scripts_own_lambdas_and_decorated_functions_are_its_own(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "train.py"
    module = ModuleType(name)
    exec(compile(SCRIPT, str(path), "exec"), vars(module))
    assert replaced_in(module, SCRIPT.encode(), path) == []
    typed: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("relu = lambda x: x", "<ipython-input-1>", "exec"), typed)
    vars(module)["relu"] = typed["relu"]
    (said,) = replaced_in(module, SCRIPT.encode(), path)
    assert said.startswith(f"{name}.relu ")
