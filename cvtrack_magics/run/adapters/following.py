"""Methods of other libraries that are followed: a run hears what they are called with.

They act as before, and before us; nothing of ours ends a training. None is imported for it.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cvtrack_magics.capture.code.loaded import forget, when_loaded
from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.records import Tag
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.delivery.channel import Channel
    from cvtrack_magics.run.writing import Place
    from cvtrack_magics.store.tracking import OpenRun

REPORTED_BY = "cvtrack.reported_by"
"""Tag: the libraries whose own reports a run has taken up."""
_here = threading.local()


class Call:
    """One call of a method that is followed, and the run that it happens in.

    Parameters
    ----------
    given : mapping of str to object
        Its arguments by name, ``self`` among them.
    place : Place
        Takes facts.
    channel : Channel
        Takes numbers.
    """

    def __init__(self, given: Mapping[str, Any], place: Place, channel: Channel) -> None:
        self.given = given
        self.place = place
        self.channel = channel

    @property
    def owner(self) -> Any:
        """The object whose method it is."""
        return self.given["self"]

    @property
    def run(self) -> OpenRun | None:
        """The run as MLflow knows it; None in a worker process."""
        return getattr(self.place, "run", None)

    def numbers(self, values: Mapping[str, Any], step: int | None, *, on: bool = False) -> None:
        """Record those of some values that are numbers.

        Parameters
        ----------
        values : mapping of str to object
            Numbers or 0-d arrays and tensors count; texts and others are left out.
        step : int, optional
            Their step.
        on : bool
            Count on where the metrics have points at that step or behind it, as where a second
            training begins at epoch 0.
        """
        found = numbers_in(values)
        if not found:
            return
        if on and step is not None:
            step = max(step, self.channel.next_of(found))
        self.channel.record(found, step, 1)

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings that the user has not said otherwise."""
        self.place.imply(describe_params(dict(values)))

    def reported_by(self, library: str) -> None:
        """Say, once, that a run has what a library reports of itself."""
        key = f"reported by {library}"
        if self.place.tell(
            key, f"Recorded as {library} reports it, without a call. --no-auto leaves it out."
        ):
            self.place.add([Tag(REPORTED_BY, library)])


@dataclass(frozen=True)
class Followed:
    """A method or a property, and what takes its calls.

    ``owner`` is the name of its class. While one that ``hides`` goes on, the calls of others
    are not taken: they tell the same. One that is taken ``before`` has not acted yet.
    """

    module: str
    owner: str
    method: str
    take: Callable[[Call], None]
    hides: bool = False
    before: bool = False


def follow(methods: Iterable[Followed]) -> None:
    """Follow methods of libraries that are imported, and of those that will be."""
    by_module: dict[str, list[Followed]] = {}
    for one in methods:
        by_module.setdefault(one.module, []).append(one)
    for name, found in by_module.items():
        when_loaded(name, functools.partial(_follow_in, found))


def leave(methods: Iterable[Followed]) -> None:
    """Give methods back as they were."""
    for one in methods:
        owner = getattr(forget(one.module), one.owner, None)
        now = vars(owner).get(one.method) if owner is not None else None
        plain = getattr(getattr(now, "fget", now), "cvtrack_follows", None)
        if plain is not None:
            setattr(owner, one.method, _in_place_of(now, plain))


def _follow_in(methods: Iterable[Followed], module: ModuleType) -> None:
    for one in methods:
        owner = getattr(module, one.owner, None)
        now = getattr(owner, one.method, None)
        plain = getattr(now, "fget", now)
        if callable(plain) and not hasattr(plain, "cvtrack_follows"):
            setattr(owner, one.method, _in_place_of(now, _wrapped(one, plain)))


def _in_place_of(now: Any, act: Any) -> Any:
    """Return a function as what is there now: a method, or a property."""
    return now.getter(act) if isinstance(now, property) else act


def _wrapped(method: Followed, plain: Any) -> Any:
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def act(*args: Any, **kwargs: Any) -> Any:
        hidden = getattr(_here, "hidden", False)
        if method.before:
            take(args, kwargs)
        _here.hidden = hidden or method.hides
        try:
            result = plain(*args, **kwargs)
        finally:
            _here.hidden = hidden
        if not hidden and not method.before:
            take(args, kwargs)
        return result

    def take(args: Any, kwargs: Any) -> None:
        with suppress(Exception):  # nothing of ours ends a training
            _take(method, signature.bind(*args, **kwargs).arguments)

    act.cvtrack_follows = plain  # type: ignore[attr-defined]
    return act


def _take(method: Followed, given: Mapping[str, Any]) -> None:
    found = get_session().writing.now(quietly=True)
    if found is None or not found[0].auto:
        return
    call = Call(given, *found)
    try:
        method.take(call)
    except Exception as error:
        what = f"{method.owner}.{method.method}"
        call.place.tell(what, f"What {what} reports is not recorded ({kind_and_line(error)}).")


def numbers_in(values: Mapping[str, Any]) -> dict[str, float]:
    """Return those of some values that are numbers, 0-d arrays or tensors of one number."""
    found = {str(name): _of(value) for name, value in values.items()}
    return {name: float(one) for name, one in found.items() if _is_number(one)}


def _of(value: Any) -> Any:
    """Return what a 0-d array or a tensor of one number holds; else the value."""
    item = getattr(value, "item", None)
    if item is None or getattr(value, "size", None) is None:
        return value
    count = value.numel() if hasattr(value, "numel") else value.size
    return item() if count == 1 else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
