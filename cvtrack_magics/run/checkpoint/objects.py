"""The things whose state a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cvtrack_magics.capture.data import generator_state
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.checkpoint import random_state


def checked(objects: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be kept; raises :class:`UsageProblem` where a thing has no state."""
    found = {name: one for name, one in objects.items() if one is not None}
    for name, one in found.items():
        has_state = hasattr(one, "state_dict") and hasattr(one, "load_state_dict")
        if not has_state and not random_state.is_generator(one):
            raise UsageProblem(
                f"checkpoint({name}=…) is {type(one).__name__}, which has no state_dict().",
                "Plain values go into ckpt.state: ckpt.state['best'] = 0.9.",
            )
    return found


def state_of(one: Any) -> Any:
    """Return the state of a thing."""
    return generator_state.state_of(one) if random_state.is_generator(one) else one.state_dict()


def set_state(one: Any, state: Any) -> None:
    """Give a thing a state that :func:`state_of` returned."""
    if random_state.is_generator(one):
        generator_state.set_state(one, state)
    else:
        one.load_state_dict(state)


def keeps_its_place(loader: Any) -> bool:
    """Whether a loader knows where it is, as torchdata's ``StatefulDataLoader`` does."""
    return hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


def length(loader: Any) -> int | None:
    """Return the number of a loader's batches, where it says so."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def load(objects: Mapping[str, Any], states: Mapping[str, Any], step: int) -> None:
    """Give things the states that they had at a step; :class:`UsageProblem` where one differs."""
    for name in [one for one in objects if one not in states]:
        raise UsageProblem(
            f"The checkpoint of step {step} has no {name}.",
            f"Leave {name}= out of checkpoint(), or open the run without --resume.",
        )
    for name, one in objects.items():
        try:
            set_state(one, states[name])
        except Exception as error:
            raise UsageProblem(
                f"The checkpoint of step {step} does not fit {name}: {kind_and_line(error)[:300]}",
                "Make it as it was, or open the run without --resume to begin anew.",
            ) from error


def in_place(loader: Any, state: Any, done: int) -> Iterator[Any]:
    """Return the batches of a pass that are left after some were done.

    Parameters
    ----------
    loader : iterable
        Its generators are as they were when the pass began.
    state : object
        What a loader that keeps its place said of it; None where it was another one.
    done : int
        How many were done.

    Raises
    ------
    UsageProblem
        There are fewer.
    """
    batches: Iterator[Any]
    if state is not None and keeps_its_place(loader):
        loader.load_state_dict(state)
        batches = iter(loader)
        return batches
    batches = iter(loader)
    for number in range(done):
        if next(batches, loader) is loader:
            raise UsageProblem(
                f"The loader has {number} batches, and {done} were done in this pass.",
                "Give it the data and the batch size that it had, or open the run without "
                "--resume.",
            )
    return batches
