"""What MLflow's fluent functions do about the active run, while a run of ours is it.

A cell is a run from its first to its last line. In between other code may call
``mlflow.end_run()``, or ``mlflow.start_run()`` as if no run was open: the first would end the
cell's run early, the second raises. Here the run stays open, and a run that is started at the
top becomes its child.

The functions are changed in place, by their code, since people hold them under many names
(``from mlflow import start_run``). When the last run is closed they are as they were.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.store.client import mlflow, ours
from cvtrack_magics.store.reloads import Reloads

Tell = Callable[[str, str], object]
"""Takes a key, under which a thing is said once for a run, and the line to say."""

AS_PARENT = "cvtrack:the experiment of the parent"
"""Stands for an experiment's id in a call of ``create_run`` for a nested run."""
NAMES = ("start_run", "end_run", "_get_or_start_run", "active_run", "set_experiment")
STATE = (
    *("_active_run_stack", "_last_active_run_id", "_last_logged_model_id", "_active_experiment_id"),
    *("run_id_to_system_metrics_monitor", "_ACTIVE_MODEL_CONTEXT"),
)
"""What MLflow knows of active runs, and a reload of its module would forget."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A run that a thread without an active run started while one of ours was open."""

    thread: threading.Thread
    active: list[Any]
    """The stack of the thread, as MLflow has it."""
    entry: Any

    def is_over(self) -> bool:
        """Say whether nobody can end the run any more, or somebody has."""
        return not self.thread.is_alive() or self.entry not in self.active


@dataclass(eq=False)
class Held:
    """A run of ours on the stack of the thread that opened it."""

    run_id: str
    name: str
    entry: Any
    tell: Tell
    thread: int = field(default_factory=threading.get_ident)
    asked: bool = False
    """Whether the last thing that this thread asked of MLflow was to end the run."""
    aside: bool = False
    """Whether MLflow's stack does not show the run, for a loop that ends all runs."""


def stack() -> list[Any]:
    """Return MLflow's active runs of this thread; a change of the list is one of theirs."""
    active = mlflow().tracking.fluent._active_run_stack
    found: list[Any] = active.get() if hasattr(active, "get") else active
    return found


@contextlib.contextmanager
def beside(*, nested: bool) -> Iterator[None]:
    """Let a run be opened that is not nested, although another one was left active."""
    active = stack()
    aside = [] if nested else active[:]
    del active[: len(aside)]
    try:
        yield
    finally:
        active[:0] = aside


@contextlib.contextmanager
def under(parent: Any | None) -> Iterator[None]:
    """Let a run that is opened be the child of a run that another thread or task opened."""
    active = stack()
    if parent is None:
        yield
        return
    active.append(parent)
    at = len(active) - 1
    try:
        yield
    finally:
        del active[at]


def _detour(*args: Any, **kwargs: Any) -> Any:
    return _elsewhere(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


class Detours:
    """Keeps the runs of ours open and active until they are closed here.

    Parameters
    ----------
    inside : callable, optional
        Returns the ids of the runs of ours that the code is in, the innermost first: threads
        are given no active run by MLflow, and tasks of one thread each other's.
    chose : callable, optional
        Told of the experiment that code chooses while runs are open.
    """

    def __init__(
        self,
        inside: Callable[[], Sequence[str]] = tuple,
        chose: Callable[[str], object] = str,
    ) -> None:
        self._inside = inside
        self._chose = chose
        self._held: list[Held] = []
        self._strays: list[Stray] = []
        self._changed: list[tuple[FunctionType, CodeType, Any, Any]] = []
        self._originals: dict[str, Any] = {}
        self._lock = forks.rlock()
        self._state: dict[str, Any] = {}
        self._reloads = Reloads("mlflow.tracking.fluent", self._remember, self._go_on)

    def enter(self, run_id: str, name: str, tell: Tell) -> None:
        """Hold a run that was just made the active one of this thread."""
        entry = next((e for e in reversed(stack()) if e.info.run_id == run_id), None)
        if entry is None:
            return
        with self._lock:
            self._held.append(Held(run_id, name, entry, tell))
            if not self._changed:
                self._install()

    def elsewhere(self, run_id: str) -> Any | None:
        """Return MLflow's entry of a run of ours where it is not the innermost of this thread's."""
        with self._lock:
            held = {one.run_id: one.entry for one in self._held}
        here = [entry.info.run_id for entry in stack() if entry.info.run_id in held]
        return None if here and here[-1] == run_id else held.get(run_id)

    def leave(self, run_id: str) -> list[Any]:
        """Let a run go that is about to be closed: it is on the stack again.

        Returns
        -------
        list of MLflow's run infos
            Runs that threads have started and left open, and that are gone.
        """
        with self._lock:
            self._put_back()
            self._held = [held for held in self._held if held.run_id != run_id]
            if not self._held and self._changed:
                self._remove()
            over = [stray for stray in self._strays if stray.is_over()]
            self._strays = [stray for stray in self._strays if stray not in over]
        return [stray.entry.info for stray in over if stray.entry in stray.active]

    # -- the functions

    def _install(self) -> None:
        self._remember(mlflow().tracking.fluent)
        self._change(mlflow().tracking.fluent)
        self._reloads.begin()

    def _remember(self, fluent: ModuleType) -> None:
        """Keep what is known of active runs; a module that is imported afresh knows nothing."""
        known = {name: vars(fluent)[name] for name in STATE if name in vars(fluent)}
        self._state = known or self._state

    def _go_on(self, fluent: ModuleType) -> None:
        """Hold the runs in a module that was executed anew."""
        with self._lock:
            if self._held:
                vars(fluent).update(self._state)
                self._change(fluent)

    def _change(self, fluent: ModuleType) -> None:
        for name in NAMES:
            function = vars(fluent).get(name)
            if not isinstance(function, FunctionType) or function.__closure__:
                continue
            code, defaults = function.__code__, function.__defaults__
            original = FunctionType(code, function.__globals__, name, defaults)
            original.__kwdefaults__ = function.__kwdefaults__
            signature = inspect.signature(function)
            where = f"_cvtrack_{name}"
            self._originals[name] = original
            self._changed.append((function, code, defaults, function.__kwdefaults__))
            function.__globals__[where] = getattr(self, name.strip("_"))
            function.__signature__ = signature  # type: ignore[attr-defined]
            function.__code__ = _detour.__code__.replace(co_names=(where,))
            function.__defaults__ = function.__kwdefaults__ = None

    def _remove(self) -> None:
        self._reloads.end()
        for function, code, defaults, kwdefaults in self._changed:
            function.__code__ = code
            function.__defaults__, function.__kwdefaults__ = defaults, kwdefaults
            vars(function).pop("__signature__", None)
            # another thread may be between the two lines of the detour
            name = function.__name__
            function.__globals__[f"_cvtrack_{name}"] = self._originals[name]
        self._changed, self._originals = [], {}

    def _top(self) -> Held | None:
        """Return the run of ours that is on top of this thread's stack."""
        active = stack()
        top = active[-1].info.run_id if active else ""
        return next((held for held in self._held if held.run_id == top), None)

    def _put_back(self) -> None:
        """Show the runs again that a loop of ``end_run`` was not shown any more."""
        for held in self._held:
            if held.aside and held.thread == threading.get_ident():
                stack().append(held.entry)
                held.aside = held.asked = False

    def start_run(self, *args: Any, **kwargs: Any) -> Any:
        """Start a run; a child of ours where ours is the active one."""
        original = self._originals["start_run"]
        if ours():
            return original(*args, **kwargs)
        self._put_back()
        held = self._top()
        if held is None:
            return self._start_in_thread(original, *args, **kwargs)
        held.asked = False
        own = self._of_this_task(held)
        with under(own.entry if own is not None else None):
            return self._start_under(own or held, *args, **kwargs)

    def _start_in_thread(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        run = original(*args, **kwargs)
        if self._held and len(stack()) == 1:
            with self._lock:
                self._strays.append(Stray(threading.current_thread(), stack(), run))
        return run

    def _start_under(self, held: Held, *args: Any, **kwargs: Any) -> Any:
        original = self._originals["start_run"]
        said = inspect.signature(original).bind(*args, **kwargs)
        if mlflow().tracking.fluent._active_experiment_id is None and not said.arguments.get(
            "run_id"
        ):  # MLflow would ask the store for it, and wait where that does not answer
            said.arguments.setdefault("experiment_id", AS_PARENT)
        if said.arguments.get("nested"):
            return original(*said.args, **said.kwargs)
        wanted = said.arguments.get("run_id") or os.environ.get("MLFLOW_RUN_ID", "")
        above = said.arguments.get("parent_run_id")
        if above and above not in (held.run_id, stack()[-1].info.run_id):
            with beside(nested=False):  # MLflow refuses another parent than the active run
                return original(*said.args, **said.kwargs)
        again = next((one for one in self._held if wanted and one.run_id == wanted), None)
        if again is not None:  # entered again; its end ends nothing
            if not said.arguments.get("run_id"):  # MLflow takes it once
                os.environ.pop("MLFLOW_RUN_ID", None)
            stack().append(again.entry)
            return again.entry
        said.arguments["nested"] = True
        run = original(*said.args, **said.kwargs)
        if wanted:  # a run that is there already stays whose child it was
            held.tell(
                f"start_run {wanted}",
                f"mlflow.start_run(run_id=…) in run {held.name!r} goes on with run "
                f"{run.info.run_name!r} ({wanted[:8]}), which stands beside it.",
            )
            return run
        held.tell(
            "start_run",
            f"mlflow.start_run() in run {held.name!r} opened {run.info.run_name!r} as its child "
            "run, as nested=True does.",
        )
        return run

    def end_run(self, *args: Any, **kwargs: Any) -> Any:
        """End the active run, unless it is ours."""
        original = self._originals["end_run"]
        held = None if ours() else self._top()
        if held is None:
            return original(*args, **kwargs)
        active = stack()
        if sum(entry.info.run_id == held.run_id for entry in active) > 1:
            active.pop()
            return None
        if held.asked:  # 'while mlflow.active_run(): mlflow.end_run()' has to come to its end
            active.pop()
            held.aside = True
        held.asked = True
        held.tell(
            "end_run",
            f"mlflow.end_run() in run {held.name!r} was undone: the run ends where it was opened.",
        )
        return None

    def get_or_start_run(self) -> Any:
        """Return the active run; ours too where there is none, instead of a new one."""
        original = self._originals["_get_or_start_run"]
        if ours():
            return original()
        self._put_back()
        held = self._top()
        if held is not None:
            held.asked = False
            own = self._of_this_task(held)
            return original() if own is None else own.entry
        if not stack() and self._held:  # a thread, which MLflow gives no active run
            inside = self._inside()
            found = (one.entry for one in self._held if one.run_id in inside[:1])
            entry = next(found, self._held[-1].entry if len(self._held) == 1 else None)
            return original() if entry is None else entry
        return original()

    def active_run(self) -> Any:
        """Return the active run: of several tasks of this thread, that of the one that asks."""
        held = None if ours() else self._top()
        own = self._of_this_task(held) if held is not None else None
        return self._originals["active_run"]() if own is None else own.entry

    def _of_this_task(self, top: Held) -> Held | None:
        """Return the run of this task, where what is on top is a run that another one opened."""
        inside = self._inside()
        if top.run_id in inside:
            return None
        return next((one for one in self._held if one.run_id in inside[:1]), None)

    def set_experiment(self, *args: Any, **kwargs: Any) -> Any:
        """Set the experiment, and keep the two variables of the environment in step."""
        from cvtrack_magics.store.switches import name_experiment

        experiment = self._originals["set_experiment"](*args, **kwargs)
        name = str(getattr(experiment, "name", "") or "")
        name_experiment(name)
        if name and self._held and not ours():
            self._chose(name)
        return experiment
