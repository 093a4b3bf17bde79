"""Whatever raises when a run is closed: it ends, with its true status, and the next one runs."""

from __future__ import annotations

import builtins
import errno
import json
import os
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest

from cvtrack_magics import log, mlparams, mlrun
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import in_one_line, kind_and_line
from cvtrack_magics.run import current
from cvtrack_magics.run.after_end import AfterEnd
from cvtrack_magics.text import is_a, kind_of, text_of
from tests.conftest import Shell
from tests.store_views import runs_of

IN_ERROR = RuntimeError("in the error")


def raising(method: str, what: Any = IN_ERROR) -> type[Exception]:
    """Return a class of exceptions of which one method raises, or returns what is no text."""

    def broken(self: Any, *args: Any) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what

    return type("Strange", (Exception,), {method: broken})


class Text(str):
    def strip(self, *args: Any) -> Any:
        raise RuntimeError("in strip")

    split = encode = strip


class Meta(type):
    @property
    def __name__(cls) -> str:
        raise RuntimeError("in the name")


class Nameless(Exception, metaclass=Meta):
    pass


def itself() -> BaseException:
    """Return an error that is its own cause."""
    error = ValueError("a ring")
    error.__cause__ = error
    return error


def noted(note: Any) -> BaseException:
    error = ValueError("with a note")
    error.__notes__ = note  # type: ignore[attr-defined]
    return error


ERRORS: dict[str, Callable[[], BaseException]] = {
    "__str__ raises": raising("__str__"),
    "__str__ raises SystemExit": raising("__str__", SystemExit(3)),
    "__str__ raises itself": raising("__str__", RecursionError()),
    "__str__ returns a number": raising("__str__", 5),
    "__str__ returns nothing": raising("__str__", None),
    "__str__ returns strange text": raising("__str__", Text("text")),
    "__repr__ raises": raising("__repr__"),
    "__getattribute__ raises": raising("__getattribute__"),
    "__class__ raises": type("Strange", (Exception,), {"__class__": property(lambda _: 1 / 0)}),
    "__len__ and __bool__ raise": type(
        "Strange", (Exception,), {"__len__": lambda _: 1 / 0, "__bool__": lambda _: 1 / 0}
    ),
    "__eq__ and __hash__ raise": type(
        "Strange", (Exception,), {"__eq__": lambda *_: 1 / 0, "__hash__": lambda _: 1 / 0}
    ),
    "no name": Nameless,
    "a ring": itself,
    "notes that are none": lambda: noted(5),
    "notes that raise": lambda: noted([raising("__str__")()]),
    "half a character": lambda: ValueError("\ud800 and \udfff"),
    "no text": ValueError,
    "very long": lambda: ValueError("word " * 4_000),
}


@pytest.mark.parametrize("kind", list(ERRORS))
def test_an_error_in_a_line(kind: str) -> None:
    error = ERRORS[kind]()
    for line in (text_of(error), in_one_line(error), kind_and_line(error), kind_of(error)):
        assert type(line) is str
        line.encode("utf-8")
    assert is_a(error, BaseException)


def settled(store: str, name: str, timeout: float = 20) -> str:
    """Wait until a run has ended; return its status."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        run = runs_of(store).get(name)
        if run is not None and run.info.status != "RUNNING":
            return str(run.info.status)
        time.sleep(0.1)
    return "RUNNING"


def test_the_users_own_error_arrives_once_in_a_script(store: str, script: None) -> None:
    for number, kind in enumerate(ERRORS):
        error, caught = ERRORS[kind](), None
        try:
            with mlrun(f"broken-{number}", output=False):
                log(a=1.0)
                raise error
        except BaseException as arrived:
            caught = arrived
        assert caught is error, kind
        assert mlflow.active_run() is None, kind
    with mlrun("next", output=False):
        log(a=1.0)
    found = runs_of(store)
    assert [found[f"broken-{n}"].info.status for n in range(len(ERRORS))] == ["FAILED"] * len(
        ERRORS
    )
    assert found["next"].info.status == "FINISHED"


def test_the_run_of_a_cell_ends_with_such_an_error(shell: Shell, store: str) -> None:
    shell.ip.user_ns["ERRORS"] = ERRORS
    for number, kind in enumerate(ERRORS):
        shell.run(f"%%mlrun broken-{number}\nraise ERRORS[{kind!r}]()")
        assert not shell.result.success, kind
    shell.run("%%mlrun next\n1")
    assert shell.result.success
    found = runs_of(store)
    assert [found[f"broken-{n}"].info.status for n in range(len(ERRORS))] == ["FAILED"] * len(
        ERRORS
    )
    assert found["next"].info.status == "FINISHED"


def broken(*args: Any, **kwargs: Any) -> Any:
    """Stand for something that raises whatever it is given."""
    raise RuntimeError("it broke")


@contextmanager
def patched(owner: Any, name: str, value: Any = broken) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def no_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_folder() -> Iterator[None]:
    here = Path.cwd()
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        yield
    finally:
        os.chdir(here)


def closed_stream() -> Any:
    stream = open(os.devnull, "w")  # noqa: SIM115 (closed on purpose)
    stream.close()
    return stream


def scope_part(path: str) -> Callable[[], Any]:
    """Break a part of the open run."""
    owner, _, name = path.rpartition(".")

    def make() -> Any:
        thing: Any = current.get_session().current
        for part in filter(None, owner.split(".")):
            thing = getattr(thing, part)
        return patched(thing, name)

    return make


PLACES: dict[str, Callable[[], Any]] = {
    "json.dumps": lambda: patched(json, "dumps"),
    "json.dump and loads": lambda: patched(json, "loads"),
    "print": lambda: patched(builtins, "print"),
    "no stdout": lambda: patched(sys, "stdout", None),
    "no stderr": lambda: patched(sys, "stderr", None),
    "a closed stdout": lambda: patched(sys, "stdout", closed_stream()),
    "a stdout without write": lambda: patched(sys, "stdout", object()),
    "no descriptors": no_descriptors,
    "no folder": no_folder,
    "time.time": lambda: patched(time, "time"),
    "a time that is none": lambda: patched(time, "time", lambda: "noon"),
    "time.perf_counter": lambda: patched(time, "perf_counter"),
    "traceback": lambda: patched(__import__("traceback"), "format_exception"),
    "the meter": scope_part("meter.stop"),
    "the surroundings": scope_part("gathering.finish"),
    "what comes late": scope_part("gathering.late"),
    "predictions": scope_part("albums.finish"),
    "the output": scope_part("cells.tee.text"),
    "the end of the capture": scope_part("cells.tee.detach"),
    "the curves": scope_part("channel.history.last_values"),
    "the card": scope_part("view.close"),
    "figures": scope_part("session.host.stop_figures"),
    "the host": scope_part("session.host.show"),
    "the pump": scope_part("session.pump.close"),
    "the settings": scope_part("guard.put_back"),
    "MLflow's calls": scope_part("session.guests.close"),
    "the facts": scope_part("kept._facts.add"),
    "the reader": scope_part("session.tracking.last_metrics"),
}


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_comes_whatever_is_broken(fails: bool, store: str, script: None) -> None:
    for place, make in PLACES.items():
        caught = None
        scopes = current.get_session().scopes
        run = mlrun(place, output=True)
        with make():
            try:
                with run:
                    log(a=1.0)
                    if fails:
                        raise KeyError("the user's own")
            except BaseException as arrived:
                caught = arrived
        assert (type(caught) is KeyError) if fails else (caught is None), (place, caught)
        assert run.summary.status == ("FAILED" if fails else "FINISHED"), place
        assert not scopes, place
        assert mlflow.active_run() is None, place
        with mlrun("next", output=False):
            log(a=1.0)
    for place in PLACES:
        assert settled(store, place) == ("FAILED" if fails else "FINISHED"), place
    assert settled(store, "next") == "FINISHED"


def no_more(*args: Any, **kwargs: Any) -> Any:
    """Stand for the start of a thread where the user's limit is reached."""
    raise RuntimeError("can't start new thread")


MISSING: dict[str, Callable[[], Any]] = {
    "threads": lambda: patched(threading.Thread, "start", no_more),
    "descriptors": no_descriptors,
    "a library as it was": lambda: patched(sqlite3, "connect"),
    "the time of the process's start": lambda: patched(psutil.Process, "create_time", no_file),
}


def no_file(*args: Any, **kwargs: Any) -> Any:
    """Stand for what reads a file where none can be opened."""
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(
    ("what", "first"),  # a session that cannot read its own code cannot begin
    [(w, first) for w in MISSING for first in (False, True) if not (first and w == "descriptors")],
)
def test_a_run_is_opened_whatever_is_missing(
    what: str, first: bool, store: str, script: None
) -> None:
    """The cell runs, and all arrives once it is there again: also of a session's first run."""
    if not first:
        with mlrun("before", output=False):
            log(a=1.0)
    with MISSING[what](), mlrun("without", output=False):
        for step in range(20):
            log(a=float(step))
    with mlrun("after", output=False):
        log(a=1.0)
    assert settled(store, "after") == settled(store, "without") == "FINISHED"
    run = runs_of(store)["without"]
    assert len(mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "a")) == 20


def deep(depth: int = 10_000) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def ring() -> Any:
    found: dict[str, Any] = {"lr": 0.1}
    found["self"] = found
    return found


def strange(**methods: Any) -> Any:
    return type("Strange", (), methods)()


def fails(*_: Any) -> Any:
    raise RuntimeError("in the object")


OBJECTS: dict[str, Callable[[], Any]] = {
    "10,000 deep": deep,
    "holds itself": ring,
    "deep in a list": lambda: {"x": [deep()]},
    "__getattr__": lambda: strange(__getattr__=fails),
    "__getattribute__": lambda: strange(__getattribute__=fails),
    "__class__": lambda: strange(__class__=property(fails)),
    "__len__": lambda: {"x": strange(__len__=fails, __iter__=fails)},
    "__array__": lambda: {"x": strange(__array__=fails, dtype=1, shape=(1,), tolist=fails)},
    "__str__ and __repr__": lambda: {"x": strange(__str__=fails, __repr__=fails)},
    "keys": lambda: {strange(__str__=fails, __repr__=fails): 1},
}


def test_strange_params_cost_a_line(store: str, script: None) -> None:
    with mlrun("params", output=False):
        for make in OBJECTS.values():
            with suppress(UsageProblem):  # one line of ours that says what is wrong
                mlparams(make(), prefix="p")
        log(a=1.0)
    assert runs_of(store)["params"].info.status == "FINISHED"


def test_no_run_ends_before_what_another_thread_logged(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the thread logs once the run has ended arrives too, and is later than its end."""
    stop, asked, late = threading.Event(), list[AfterEnd](), list[int]()
    channel = AfterEnd.channel
    monkeypatch.setattr(AfterEnd, "channel", lambda self: (asked.append(self), channel(self))[1])

    def work() -> None:
        step = 0
        while not stop.is_set():
            before = len(asked)
            log({"beside": float(step)}, step=step)
            late.extend([step] if len(asked) > before else [])
            step += 1
            time.sleep(0.001)

    with mlrun("threads", output=False):
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.3)
    time.sleep(0.2)
    stop.set()
    thread.join()
    session = current.get_session()
    session.writing.outliving.settle(all_of_it=True)
    session.sender.drain(30, lambda _: None)
    run = runs_of(store)["threads"]
    history = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "beside")
    assert sorted(point.step for point in history) == [*range(len(history))]
    assert len(history) > 100
    in_time = [point for point in history if point.step not in late]
    assert 0 < len(in_time) < len(history)
    assert run.info.end_time >= max(point.timestamp for point in in_time)
    assert len(history) == len(in_time) + len(late)
